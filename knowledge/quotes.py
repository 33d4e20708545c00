"""Which sentences of the passages found answer the question."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from knowledge.documents import Part, Unit
from knowledge.edition import Edition
from knowledge.lexical import terms
from knowledge.retrieve import Hit, Query, unit_scores
from knowledge.texts import Span

_AMOUNT = re.compile(
    r"\b(?:how (?:many|much|long|often|early|soon|far|big|old)|when|what (?:date|day|time|percent\w*)"
    r"|min(?:imum)?|max(?:imum)?|limit|length|cost|price|rate|deadline|threshold)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve|half|once|twice|weekly|monthly|annual(?:ly)?"
    r"|daily|hours?|days?|weeks?|months?|years?|percent|no (?:limit|minimum|maximum|threshold))\b",
    re.IGNORECASE,
)


SPREAD = 2.0  # how far below the first a second quote of the same document may score
TIE = 0.2  # and one of another document
OWN = 1  # the place, among the features, of the words that a unit shares with the question
ROWS = 0.75  # of the question's words in the best row of a table, the share that another row must hold
PASSAGES = 8  # whose sentences are looked at


@dataclass(frozen=True, kw_only=True, slots=True)
class Quote:
    """A unit that may answer, and how well."""

    span: Span
    part: Part
    place: int  # of the unit in its part
    score: float
    features: tuple[float, ...]

    @property
    def unit(self) -> Unit:
        """What is quoted."""
        return self.part.units[self.place]


def candidates(edition: Edition, asked: Query, hits: Sequence[Hit]) -> list[Quote]:
    """Return the units of passages, best first."""
    hits = hits[:PASSAGES]
    stems = asked.stems
    weights = {stem: asked.lexical.rarity(stem) for stem in stems}
    total = sum(weights.values()) or 1.0
    amount = bool(_AMOUNT.search(asked.question))
    best = (hits[0].score if hits else 0.0) or 1.0
    found: list[Quote] = []
    for order, (hit, span) in enumerate(
        zip(hits, edition.texts.spans([hit.number for hit in hits]), strict=True)
    ):
        part = edition.part(span)
        above = set(terms(" ".join(part.path)))
        near = unit_scores(edition, hit.number, asked.vector)
        for place in range(span.first, span.last):
            unit = part.units[place]
            held = set(terms(unit.text))
            own = sum(weights[stem] for stem in stems & held) / total
            around = sum(weights[stem] for stem in stems & (above | set(terms(unit.lead))) - held) / total
            features = (
                float(near[place - span.first]),
                own,
                around,
                hit.score / best,
                1.0 / (1 + order),
                float(amount and bool(_NUMBER.search(unit.text))),
                float(unit.text.endswith((":", "?"))),
                min(len(unit.text.split()), 40) / 40,
            )
            found.append(Quote(span=span, part=part, place=place, score=scored(features), features=features))
    return sorted(found, key=lambda quote: -quote.score)


# Of the features above, in their order; fitted on question sets with gold sentences, then rounded.
WEIGHTS = (10.0, 3.5, 2.5, 5.0, 0.5, 2.0, -1.5, 1.1)


def scored(features: Sequence[float]) -> float:
    """Return how well a unit answers."""
    return sum(weight * value for weight, value in zip(WEIGHTS, features, strict=True))


def quoted(unit: Unit) -> str:
    """Return a unit as it is quoted: an item with the sentence that introduces it, a row with its header."""
    if unit.kind == "item" and unit.lead.endswith(":"):
        return f"{unit.lead} {unit.text}"
    if unit.kind == "row" and unit.lead:
        return f"{unit.lead}\n{unit.text}"
    return unit.text


def _telling(found: Sequence[Quote]) -> list[Quote]:
    """Return quotes, best first, without rows that hold fewer of the question's words than a better row."""
    most: dict[tuple[int, int, str], float] = {}
    kept: list[Quote] = []
    for quote in found:
        if quote.unit.kind == "row":
            own = quote.features[OWN]
            if own < ROWS * most.get(_table(quote), 0.0):
                continue
            most[_table(quote)] = max(own, most.get(_table(quote), 0.0))
        kept.append(quote)
    return kept


def _table(quote: Quote) -> tuple[int, int, str]:
    return quote.span.document, quote.span.part, quote.unit.lead


def chosen(found: Sequence[Quote], hits: Sequence[Hit], count: int = 3) -> list[Quote]:
    """Return the one to three quotes that an answer shows, in the order of reading.

    They come from the document that fits best; another joins only with a quote about as good as the best. The
    second and third must be nearly as good as the first.
    """
    found = _telling(found)
    if not found:
        return []
    first = hits[0].document
    leading = next((quote for quote in found if quote.span.document == first), found[0])
    best = max(found[0].score, leading.score)
    kept: list[Quote] = [leading]
    for quote in found:
        same = quote.span.document == first
        near = quote.score >= (leading.score - SPREAD if same else best - TIE)
        if near and quote.unit.text not in {one.unit.text for one in kept}:
            kept.append(quote)
    best_ones = kept[:count]
    order = list(dict.fromkeys((quote.span.document, quote.span.part) for quote in best_ones))
    return sorted(
        best_ones, key=lambda quote: (order.index((quote.span.document, quote.span.part)), quote.place)
    )
