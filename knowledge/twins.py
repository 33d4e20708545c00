"""The same passage in several documents is shown once.

A passage gives way to a better one that says all it says: under the same title and headings, every one of its
units stands there word for word. Case and punctuation of units do not matter; a number, a name or a "not"
that differs does, for that is a contradiction to be shown. Of such twins the one from the most recent
document is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cached_property

from knowledge.edition import Edition
from knowledge.lexical import words
from knowledge.texts import Span

DEPTH = 20  # places in the ranking that are compared
Said = frozenset[tuple[str, ...]]


class _Kept:
    """A passage that is shown, with its units read when they are first asked for."""

    def __init__(self, edition: Edition, span: Span) -> None:
        self.span = span
        self.part = edition.part(span)
        self.head = edition.documents[span.document]
        self.where = tuple(step.casefold() for step in (self.head.title, *self.part.path))

    @cached_property
    def said(self) -> Said:
        units = self.part.units[self.span.first : self.span.last]
        return frozenset(tuple(words(f"{unit.lead} {unit.text}")) for unit in units)

    def says(self, other: _Kept) -> bool:
        """Tell whether this passage says all that one of another document does, in the same place."""
        same = self.where == other.where and self.span.document != other.span.document
        return same and other.said <= self.said

    def since(self, today: date) -> tuple[bool, date]:
        """Return what makes a document the more recent: its review is not overdue, it holds since later."""
        terms = self.head.terms
        return terms.review is None or terms.review >= today, terms.effective or date.min


def alone(edition: Edition, numbers: Sequence[int], today: date) -> list[tuple[int, int]]:
    """Return passages without their twins: places among `numbers`, and the passage to show there."""
    kept: list[tuple[int, _Kept]] = []
    for place, span in enumerate(edition.texts.spans(numbers[:DEPTH])):
        new = _Kept(edition, span)
        twin = next((number for number, (_, shown) in enumerate(kept) if shown.says(new)), None)
        if twin is None:
            kept.append((place, new))
        elif new.says(kept[twin][1]) and new.since(today) > kept[twin][1].since(today):
            kept[twin] = (kept[twin][0], new)
    shown = [(place, passage.span.number) for place, passage in kept]
    return shown + [(place, number) for place, number in enumerate(numbers) if place >= DEPTH]
