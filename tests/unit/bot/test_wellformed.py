"""What comes from outside is made storable before anybody sees it."""

import json

from hypothesis import given
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from bot import wellformed

TEXTS = st.text(st.characters(exclude_categories=()), max_size=20)
VALUES = st.recursive(
    TEXTS | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)


@given(VALUES)
def test_whatever_json_can_say_can_be_stored(found: object) -> None:
    kept = wellformed.value(found)
    said = json.dumps(kept, ensure_ascii=False)
    said.encode("utf-8")
    assert "\\u0000" not in said
    assert Jsonb(kept)


def test_only_what_cannot_be_stored_is_replaced() -> None:
    whole = {"text": "née 👍\n\t", "n": 1, "list": [True, None, 1.5]}
    assert wellformed.value(whole) == whole
    assert wellformed.value({"a\x00": ["x\ud83dy", "\udc4d"]}) == {"a\ufffd": ["x\ufffdy", "\ufffd"]}
    assert wellformed.value(json.loads('"\\ud83d\\udc4d"')) == "👍"
