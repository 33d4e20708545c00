"""Passages as whoever opens them reads them: what was found, with what stands around it in its section.

Short passages are found best: a vector of a long one is a vector of many things. But a citation opens the
section, and what answers a question often goes on in the next sentences. So a passage is measured widened,
within its section, to about twice its size; a section that is opened holds at least that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from knowledge.documents import Unit
from knowledge.edition import Edition
from knowledge.retrieve import Hit
from knowledge.texts import Span

SIZE = 220  # words
COUNT = 5


def served(edition: Edition, hits: Sequence[Hit], count: int = COUNT) -> list[Span]:
    """Return the first passages, widened. One that another holds already does not count."""
    found: list[Span] = []
    for span in edition.texts.spans([hit.number for hit in hits]):
        if len(found) == count:
            break
        if not any(_within(span, other) for other in found):
            found.append(widened(span, edition.part(span).units))
    return found


def widened(span: Span, units: Sequence[Unit]) -> Span:
    """Return a passage with as many units around it, on both sides alike, as SIZE allows."""
    sizes = [len(unit.text.split()) for unit in units]
    first, last = span.first, span.last
    left = SIZE - sum(sizes[first:last])
    before = after = 0  # words added
    while True:
        up = first > 0 and sizes[first - 1] <= left
        down = last < len(units) and sizes[last] <= left
        if not up and not down:
            return replace(span, first=first, last=last)
        if up and (before <= after or not down):
            first -= 1
            before += sizes[first]
            left -= sizes[first]
        else:
            after += sizes[last]
            left -= sizes[last]
            last += 1


def _within(span: Span, other: Span) -> bool:
    same = span.document == other.document and span.part == other.part
    return same and other.first <= span.first and span.last <= other.last
