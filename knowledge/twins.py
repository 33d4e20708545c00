"""The same passage in several documents is shown once.

A passage gives way to a better one that says all it says: under the same title and headings, every one of its
units stands there word for word. Case and punctuation do not matter; a number, a name or a "not" that differs
does, for that is a contradiction to be shown. Of such twins the one from the most recent document is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from knowledge.documents import Part
from knowledge.edition import Edition
from knowledge.lexical import words
from knowledge.texts import Span

Place = tuple[tuple[str, ...], ...]
DEPTH = 20  # places in the ranking that are compared


def alone(edition: Edition, numbers: Sequence[int], today: date) -> list[tuple[int, int]]:
    """Return passages without their twins: places among `numbers`, and whom to show there."""
    kept: list[tuple[int, int]] = []
    seen: list[tuple[Place, frozenset[tuple[str, ...]], Span]] = []
    for place, span in enumerate(edition.texts.spans(numbers[:DEPTH])):
        where, said = _read(edition, span)
        twin = next(
            (
                number
                for number, (other, held, shown) in enumerate(seen)
                if where == other and said <= held and span.document != shown.document
            ),
            None,
        )
        if twin is None:
            seen.append((where, said, span))
            kept.append((place, span.number))
        elif said == seen[twin][1] and _since(edition, span, today) > _since(edition, seen[twin][2], today):
            seen[twin] = (where, said, span)
            kept[twin] = (kept[twin][0], span.number)
    return kept + [(place, number) for place, number in enumerate(numbers) if place >= DEPTH]


def _read(edition: Edition, span: Span) -> tuple[Place, frozenset[tuple[str, ...]]]:
    part: Part = edition.part(span)
    title = edition.documents[span.document].title
    where = tuple(tuple(words(step)) for step in (title, *part.path))
    units = part.units[span.first : span.last]
    return where, frozenset(tuple(words(f"{unit.lead} {unit.text}")) for unit in units)


def _since(edition: Edition, span: Span, today: date) -> tuple[bool, date]:
    """Return what makes a document the more recent one: its review is not overdue, it holds since later."""
    terms = edition.documents[span.document].terms
    return terms.review is None or terms.review >= today, terms.effective or date.min
