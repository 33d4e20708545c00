"""The acronyms that a text explains: "Paid Time Off (PTO)", "PTO (paid time off)", "PTO: Paid Time Off"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_SHORT = r"[A-Z][A-Z0-9&]{1,6}"
_AFTER_ITS_MEANING = re.compile(rf"\(({_SHORT})s?\)")
_BEFORE_ITS_MEANING = re.compile(
    rf"\b({_SHORT})s?(?: \((?P<within>[^()]{{4,80}})\)|(?:\s*[:|=\u2013\u2014]\s*|\s+-\s+| stands for )"
    r"(?P<then>[A-Z][^.;|()\n]{4,100}))"
)
_SMALL = frozenset(["a", "and", "at", "by", "for", "in", "of", "on", "or", "the", "to", "with"])
_SURE = 3  # letters of an acronym whose meaning nothing closes


def explained(text: str) -> Iterator[tuple[str, str]]:
    """Yield each acronym with its meaning, in small letters, as often as the text explains it."""
    for match in _AFTER_ITS_MEANING.finditer(text):
        before = _words(text[max(0, match.start() - 120) : match.start()])[::-1]
        if count := _spelling(_letters(match[1])[::-1], before):
            yield match[1], " ".join(before[:count][::-1])
    for match in _BEFORE_ITS_MEANING.finditer(text):
        closed = match["within"] is not None
        after = _words(match["within"] or match["then"])
        count = _spelling(_letters(match[1]), after)
        if count and (count == len(after) if closed else len(match[1]) >= _SURE):
            yield match[1], " ".join(after[:count])


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def _letters(short: str) -> str:
    return short.replace("&", "").casefold()


def _spelling(letters: str, said: Sequence[str]) -> int:
    """Return how many words it takes to spell letters with their first ones; 0 where they do not.

    Small words inside may be passed over.
    """
    place = 0
    for letter in letters:
        while 0 < place < len(said) and said[place][0] != letter and said[place] in _SMALL:
            place += 1
        if place == len(said) or said[place][0] != letter:
            return 0
        place += 1
    return place
