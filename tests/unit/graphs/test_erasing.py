"""A pseudonym takes a person's place in whatever names them, and only what is sealed puts the id back."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs import erasing
from graphs.erasing import GONE, NAME, Marks, Mask

PSEUDONYM = "p-0123456789abcdef"
BEN = "https://directory.example#6a1f0c2ben"
TWIN = "https://directory.example#77e1twin"
MARKS = Marks(
    subjects=frozenset({BEN, TWIN}),
    humans=frozenset({"https://directory.example#employee 17"}),
    names=frozenset({"Ben Castellanos"}),
    emails=frozenset({"Ben.Castellanos@larkfield.example"}),
    accounts=frozenset({"U0BEN", "D0BEN"}),
    parts=frozenset({"Castellanos"}),
    phrases=frozenset({"my lawyer wants the (figures)"}),
)
MASK = Mask(MARKS, PSEUDONYM)
AROUND = st.text(alphabet=" .,:;()<>@\n\"'\\/", max_size=4)


def forms(word: str) -> st.SearchStrategy[str]:
    """How people write it."""
    cased = [word] if word in MARKS.phrases | MARKS.subjects | MARKS.humans | MARKS.accounts else []
    return st.sampled_from(cased or [word, word.upper(), word.lower()])


def texts() -> st.SearchStrategy[str]:
    word = st.sampled_from(sorted(MARKS.words - {"6a1f0c2ben", "77e1twin"})).flatmap(forms)
    return st.lists(st.tuples(AROUND.map(lambda text: f" {text}"), word), min_size=1, max_size=5).map(
        lambda parts: "".join(f"{before}{said} " for before, said in parts)
    )


VALUES = st.recursive(
    texts() | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts(), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_whatever_names_a_person_names_them_no_more(value: Any) -> None:
    said = json.dumps(MASK.value(value), ensure_ascii=False).casefold()
    for word in MARKS.words:
        assert word.casefold() not in said
    assert MASK.value(MASK.value(value)) == MASK.value(value)


@pytest.mark.parametrize(
    "text", ["Benedict", "castellanosia", "U0BENNO", "the figures", "6a1f0c2benx", "bencastellanos", ""]
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert MASK.text(text) == text


def test_a_person_of_the_records_is_named_by_the_pseudonym() -> None:
    actor = {"subject": BEN, "name": "Ben Castellanos", "email": "ben.castellanos@larkfield.example"}
    assert MASK.value(actor) == {"subject": f"erased#{PSEUDONYM}", "name": NAME, "email": ""}
    assert MASK.text("<@U0BEN> asked") == f"{NAME} asked"
    assert MASK.text("6a1f0c2ben") == PSEUDONYM
    assert MASK.text("my lawyer wants the (figures)") == GONE


@pytest.mark.parametrize(
    "name",
    ["Jürgen Strauß", "İpek Yılmaz", "Nguyễn Thị Minh", "O'Brien, Seán"],  # noqa: RUF001  # as people are called
)
def test_a_name_of_any_alphabet_is_found(name: str) -> None:
    mask = Mask(Marks(subjects=frozenset({BEN}), names=frozenset({name})), PSEUDONYM)
    for said in (name, name.lower(), name.upper()):
        if said.casefold() == name.casefold():
            assert mask.text(f"by {said}, I think") in {f"by {NAME}, I think", f"by {GONE}, I think"}


def test_only_who_has_the_sealed_ids_puts_them_back() -> None:
    action = {"requester": BEN, "beneficiary": TWIN, "parameters": {"person": "6a1f0c2ben", "group": "g"}}
    masked = MASK.value(action)
    tokens = erasing.tokens(PSEUDONYM, MARKS.subjects)
    assert erasing.put_back(masked, {name: one for one, name in tokens.items()}) == action
    assert erasing.put_back(masked, {}) == masked
    assert re.fullmatch(r"p-[0-9a-f]{16}(\.\d+)?", masked["parameters"]["person"])
