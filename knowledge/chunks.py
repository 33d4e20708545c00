"""Sections to passages: the pieces that are searched, each knowing where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from knowledge.documents import Document, Part, Unit, placed

SIZE = 120  # words


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """Units `first` to `last` (exclusive) of one part of a document."""

    part: int
    first: int
    last: int
    text: str  # what is indexed: where the passage stands, then its words
    spans: tuple[tuple[int, int], ...]  # of its units in the text


def chunks_of(document: Document, *, size: int = SIZE) -> Iterator[Chunk]:
    """Yield a document's passages of at most about `size` words; none crosses a heading."""
    for place, part in enumerate(document.parts):
        header = header_of(document, part)
        for first, last in _spans(part.units, size):
            text, spans = placed(part.units[first:last])
            shift = len(header) + 1 if header else 0
            yield Chunk(
                part=place,
                first=first,
                last=last,
                text=f"{header}\n{text}" if header else text,
                spans=tuple((start + shift, end + shift) for start, end in spans),
            )


def header_of(document: Document, part: Part) -> str:
    """Return where a part stands: file name and headings, without saying anything twice."""
    steps: list[str] = []
    for step in (document.label, document.title, *part.path):
        if step and not any(step.casefold() == said.casefold() for said in steps):
            steps.append(step)
    return " > ".join(steps)


def _spans(units: Sequence[Unit], size: int) -> Iterator[tuple[int, int]]:
    """Cut units into runs of nearly equal length, at a paragraph's end where one is near."""
    lengths = [len(unit.text.split()) for unit in units]
    total = sum(lengths)
    pieces = max(1, -(-total // size))
    target = total / pieces
    first = held = 0
    for place, length in enumerate(lengths):
        fits = held + length <= size
        enough = held >= target * (0.75 if not units[place].joined else 0.95)
        if place > first and (not fits or enough):
            yield first, place
            first, held = place, 0
        held += length
    if first < len(units):
        yield first, len(units)
