"""JSON answers of any size, read without holding up the event loop.

The json module holds the interpreter's lock for a whole document, so a thread alone does not help: of a large
answer it is given one small piece after the other.
"""

import asyncio
import json
import re
from collections.abc import Callable
from threading import Event
from typing import Any, TypeVar

BuiltT = TypeVar("BuiltT")

SMALL = 32_000  # bytes that are read at once, in well under a millisecond
DEPTH = 4  # levels that are walked through: a list answer, its resources, one of them, its members

_space = re.compile(r"[ \t\n\r]*").match
_decode = json.JSONDecoder().raw_decode


class GivenUp(Exception):
    """Nobody waits for the answer any more."""


async def build(
    body: bytes, make: Callable[[Any], BuiltT], *, without: frozenset[str] = frozenset()
) -> BuiltT:
    """Return what `make` makes of a JSON document. Raises ValueError where it is none, and as `make` does.

    A large one is read and made in a thread, which stops soon after the caller no longer waits; what it has
    under the names `without` is passed over.
    """
    if len(body) <= SMALL:
        return make(json.loads(body))
    given_up = Event()
    try:
        return await asyncio.to_thread(lambda: make(_Pieces(body.decode(), given_up, without).document()))
    except asyncio.CancelledError:
        given_up.set()
        raise


class _Pieces:
    """A document that is read piece by piece."""

    def __init__(self, text: str, given_up: Event, without: frozenset[str]) -> None:
        self._text = text
        self._given_up = given_up
        self._without = without
        self._at = 0

    def document(self) -> Any:
        found = self._value(DEPTH)
        if self._next():
            raise self._wrong("the end")
        return found

    def _value(self, depth: int, *, keep: bool = True) -> Any:
        begins = self._next()
        if depth and begins == "{":
            return self._object(depth)
        if depth and begins == "[":
            return self._array(depth, keep=keep)
        found, self._at = _decode(self._text, self._at)
        return found

    def _object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self._at += 1
        if self._ends("}"):
            return found
        while True:
            if self._next() != '"':
                raise self._wrong("a name")
            name, self._at = _decode(self._text, self._at)
            if self._next() != ":":
                raise self._wrong("a colon")
            self._at += 1
            value = self._value(depth - 1, keep=name not in self._without)
            if name not in self._without:
                found[name] = value
            if not self._more("}"):
                return found

    def _array(self, depth: int, *, keep: bool) -> list[Any]:
        found: list[Any] = []
        self._at += 1
        if self._ends("]"):
            return found
        while True:
            value = self._value(depth - 1)
            if keep:
                found.append(value)
            if not self._more("]"):
                return found

    def _more(self, end: str) -> bool:
        """Whether another element follows."""
        if self._given_up.is_set():
            raise GivenUp
        if self._ends(end):
            return False
        if self._next() != ",":
            raise self._wrong("a comma")
        self._at += 1
        return True

    def _ends(self, end: str) -> bool:
        if self._next() != end:
            return False
        self._at += 1
        return True

    def _next(self) -> str:
        """The character that comes next, behind white space; "" at the end."""
        found = _space(self._text, self._at)
        assert found is not None  # it may be empty, and always matches
        self._at = found.end()
        return self._text[self._at : self._at + 1]

    def _wrong(self, wanted: str) -> ValueError:
        return json.JSONDecodeError(f"{wanted} is missing", self._text, self._at)
