"""A JSON answer of any size is read as the json module reads it, and the event loop goes on meanwhile."""

import asyncio
import json
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import parsing
from connectors.parsing import GivenUp, _Pieces, build

NOTHING = frozenset[str]()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda some: st.lists(some, max_size=4) | st.dictionaries(st.text(), some, max_size=4),
    max_leaves=30,
)


def pieces(text: str, *without: str) -> Any:
    return _Pieces(text, threading.Event(), frozenset(without)).document()


@given(VALUES, st.sampled_from([None, 0, 3]))
def test_piece_by_piece_is_the_same_document(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    assert pieces(f" {text}\n") == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{",
        "[",
        "[1",
        "[1,]",
        "[1 2]",
        '{"a"}',
        '{"a":}',
        '{"a":1,}',
        "{a:1}",
        "[1]]",
        '{"a":1}x',
        "nul",
    ],
)
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        pieces(text)


def test_what_is_passed_over_is_not_there() -> None:
    said = {"Resources": [{"id": "g", "members": [{"value": "p"}] * 3, "displayName": "x"}], "members": 1}
    assert pieces(json.dumps(said), "members") == {"Resources": [{"id": "g", "displayName": "x"}]}


async def test_a_large_answer_is_read_elsewhere_and_a_small_one_here() -> None:
    def where(_: Any) -> int:
        return threading.get_ident()

    assert await build(b"[]", where) == threading.get_ident()
    assert await build(json.dumps(["x"] * parsing.SMALL).encode(), where) != threading.get_ident()


async def test_whoever_no_longer_waits_is_let_go_at_once_and_the_reading_ends() -> None:
    begun, go_on = threading.Event(), threading.Event()
    ended: list[type[BaseException]] = []
    large = json.dumps(["x"] * parsing.SMALL).encode()

    class Slow(_Pieces):
        def document(self) -> Any:
            begun.set()
            go_on.wait(30)
            try:
                return super().document()
            except GivenUp as error:
                ended.append(type(error))
                raise

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsing, "_Pieces", Slow)
        reading = asyncio.create_task(build(large, len))
        while not begun.is_set():
            await asyncio.sleep(0.01)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    go_on.set()
    while not ended:
        await asyncio.sleep(0.01)
