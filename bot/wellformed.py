"""Text that PostgreSQL and JSON can hold.

PostgreSQL stores no NUL, neither in `text` nor in `jsonb`, and nothing encodes half a surrogate pair. JSON
can name both (`"\\u0000"`, `"\\ud83d"`), so whatever comes from outside may hold them.
"""

import re
from typing import TypeVar

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

Value = TypeVar("Value")


def text(found: str) -> str:
    """Return the text with a replacement character for each one that cannot be stored."""
    return _UNSTORABLE.sub(_REPLACEMENT, found)


def value(found: Value) -> Value:
    """Return a value as JSON has it, with every text in it, the keys of records too, made storable."""
    if isinstance(found, str):
        return text(found)  # type: ignore[return-value]  # a str comes back for a str
    if isinstance(found, dict):
        return {value(key): value(inner) for key, inner in found.items()}  # type: ignore[return-value]  # a dict
    if isinstance(found, list):
        return [value(inner) for inner in found]  # type: ignore[return-value]  # a list for a list
    return found
