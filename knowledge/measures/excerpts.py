"""How much of the gold excerpts the first passages hold: token recall, as in Chroma's chunking evaluation.

There, recall is the share of the excerpts' characters inside the retrieved passages, precision the share of
the passages' characters that belong to excerpts, and IoU their intersection over their union. Its excerpts
are places in the raw file; an edition holds what was read from it, without markup. So each excerpt is looked
up word by word in the document as it was read: characters are those of words, and a word that the reading
lost counts as held only if the words on both sides of it are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from typing import Any

from knowledge.documents import Part
from knowledge.edition import Edition, Reader
from knowledge.embedder import Embedder
from knowledge.measures.questions import Excerpt, Question, words_of
from knowledge.measures.served import served
from knowledge.quotes import candidates, settled
from knowledge.retrieve import query, rank
from knowledge.texts import Span

DEPTH = 5  # passages

_RUN = 3  # words that must agree in a row where an excerpt is looked for
_SLACK = 12  # words that a place may be off by
_ENOUGH = 0.5  # of an excerpt's words, the share that makes a place its place
HEADING = -1  # stands for a part's heading in place of a unit: every passage of the part carries it


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """How much of one question's excerpts its passages hold, in characters of words."""

    gold: int
    both: int
    retrieved: int
    excerpts: int
    not_found: int

    @property
    def recall(self) -> float:
        """The share of the excerpts that the passages hold."""
        return self.both / self.gold

    @property
    def precision(self) -> float:
        """The share of the passages that belongs to excerpts."""
        return self.both / self.retrieved if self.retrieved else 0.0

    @property
    def iou(self) -> float:
        """Intersection over union."""
        return self.both / (self.retrieved + self.gold - self.both)


class Reading:
    """A document's words in order, and the part and unit that each stands in."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.words: list[str] = []
        self.places: list[tuple[int, int]] = []
        self._firsts: list[int] = []  # the first word of each piece of text
        self._begins: list[int] = []  # and about where it begins in the file
        self._length = 0
        for number, part in enumerate(parts):
            self._add(part.heading, number, HEADING)
            header = ""
            for place, unit in enumerate(part.units):
                if unit.kind == "row" and unit.lead != header:
                    header = unit.lead
                    self._add(header, number, place)
                self._add(unit.text, number, place)

    def _add(self, text: str, part: int, unit: int) -> None:
        self._firsts.append(len(self.words))
        self._begins.append(self._length)
        self._length += len(text) + 1
        found = words_of(text)
        self.words += found
        self.places += [(part, unit)] * len(found)

    @cached_property
    def _runs(self) -> dict[tuple[str, ...], list[int]]:
        runs: dict[tuple[str, ...], list[int]] = {}
        for place in range(len(self.words) - _RUN + 1):
            runs.setdefault(tuple(self.words[place : place + _RUN]), []).append(place)
        return runs

    def find(self, text: str, start: int) -> list[int | None] | None:
        """Return where each word of an excerpt stands, None for a word that is lost; None without a place.

        Of several places that fit as well, the one nearest to `start` is taken.
        """
        wanted = words_of(text)
        near: Counter[int] = Counter()
        for place in range(len(wanted) - _RUN + 1):
            for at in self._runs.get(tuple(wanted[place : place + _RUN]), ()):
                near[at - place] += 1
        if not near:
            return None
        most = max(near.values())
        first = min(
            (max(0, place) for place, count in near.items() if count == most),
            key=lambda place: abs(self._begins[bisect_right(self._firsts, place) - 1] - start),
        )
        return self._aligned(wanted, max(0, first - _SLACK), first + len(wanted) + _SLACK)

    def _aligned(self, wanted: list[str], first: int, last: int) -> list[int | None] | None:
        matcher = SequenceMatcher(None, wanted, self.words[first:last], autojunk=False)
        found: list[int | None] = [None] * len(wanted)
        for block in matcher.get_matching_blocks():
            for step in range(block.size):
                found[block.a + step] = first + block.b + step
        held = sum(place is not None for place in found)
        return found if held >= _ENOUGH * len(wanted) else None


class Measure:
    """Measures passages of one edition against excerpts."""

    def __init__(self, edition: Edition) -> None:
        self._edition = edition
        self._places = {head.document: place for place, head in enumerate(edition.documents)}
        self._readings: dict[int, Reading] = {}

    def held(self, excerpts: Sequence[Excerpt], spans: Sequence[Span]) -> Held:
        """Return how much of the excerpts the passages at these spans hold."""
        covered = {
            (span.document, span.part, unit) for span in spans for unit in range(span.first, span.last)
        }
        covered |= {(span.document, span.part, HEADING) for span in spans}
        gold = both = missing = 0
        for excerpt in excerpts:
            words = words_of(excerpt.text)
            gold += sum(map(len, words))
            place = self._find(excerpt)
            if place is None:
                missing += 1
                continue
            document, found = place
            places = self._reading(document).places
            inside = [None if at is None else (document, *places[at]) in covered for at in found]
            both += sum(len(word) for word, yes in zip(words, _filled(inside), strict=True) if yes)
        return Held(
            gold=gold,
            both=both,
            retrieved=sum(self._size(span)[0] for span in spans),
            excerpts=len(excerpts),
            not_found=missing,
        )

    def passages(self, spans: Sequence[Span] | None = None) -> dict[str, Any]:
        """Return the mean size of passages, by default of all as they are indexed, without their headings."""
        if spans is None:
            spans = self._edition.texts.spans(range(self._edition.passages))
        sizes = [self._size(span) for span in spans]
        return {
            "count": len(sizes),
            "mean_words": round(sum(words for _, words, _ in sizes) / len(sizes), 1),
            "mean_characters": round(sum(characters for _, _, characters in sizes) / len(sizes), 1),
        }

    def _find(self, excerpt: Excerpt) -> tuple[int, list[int | None]] | None:
        for name in excerpt.documents:
            if name in self._places:
                found = self._reading(self._places[name]).find(excerpt.text, excerpt.start)
                if found is not None:
                    return self._places[name], found
        return None

    def _reading(self, document: int) -> Reading:
        if document not in self._readings:
            self._readings[document] = Reading(self._edition.texts.parts(document))
        return self._readings[document]

    def _size(self, span: Span) -> tuple[int, int, int]:
        """Return a passage's characters of words, its words, and all its characters."""
        units = self._edition.part(span).units[span.first : span.last]
        words = [word for unit in units for word in words_of(unit.text)]
        return (
            sum(map(len, words)),
            sum(len(unit.text.split()) for unit in units),
            sum(len(unit.text) + 1 for unit in units) - 1,
        )


def _filled(inside: Sequence[bool | None]) -> list[bool]:
    """Decide the words that were lost: held where the nearest words known on both sides are."""
    before: list[bool | None] = []
    after: list[bool | None] = []
    for found, values in ((before, inside), (after, inside[::-1])):
        last: bool | None = None
        for value in values:
            last = last if value is None else value
            found.append(last)
    after.reverse()
    return [(one is not False) and (other is not False) for one, other in zip(before, after, strict=True)]


def figures(
    questions: Sequence[Question], edition: Edition, embedder: Embedder, reader: Reader
) -> dict[str, Any]:
    """Return the means over the questions with excerpts, of the first five passages found for each.

    They are measured widened, as whoever opens them reads them; beside it stands their recall as indexed.
    """
    measure = Measure(edition)
    held: list[Held] = []
    indexed: list[Held] = []
    shown: list[Span] = []
    for question in questions:
        if question.excerpts:
            asked = query(edition, embedder, question.question, question.history, reader=reader)
            hits = rank(edition, asked, reader=reader)
            hits = settled(hits, candidates(edition, asked, hits))
            spans = served(edition, hits, DEPTH)
            shown += spans
            held.append(measure.held(question.excerpts, spans))
            numbers = [hit.number for hit in hits[:DEPTH]]
            indexed.append(measure.held(question.excerpts, edition.texts.spans(numbers)))
    return {
        f"recall@{DEPTH}": round(sum(one.recall for one in held) / len(held), 4),
        f"precision@{DEPTH}": round(sum(one.precision for one in held) / len(held), 4),
        f"iou@{DEPTH}": round(sum(one.iou for one in held) / len(held), 4),
        "excerpts": sum(one.excerpts for one in held),
        "excerpts_not_found": sum(one.not_found for one in held),
        "served": measure.passages(shown),
        f"indexed_recall@{DEPTH}": round(sum(one.recall for one in indexed) / len(indexed), 4),
        "passages": measure.passages(),
    }
