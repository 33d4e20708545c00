"""Which sentences of the passages found answer the question.

Each sentence, list item and table row of the best passages gets a score from what speaks for it: how near its
vector is to the question's, how well each token of the question is matched by one of its own (MaxSim), the
question's words that it and its headings hold, and its passage's place. The weights are in `confidence.json`,
made by `python -m knowledge.training.calibrate`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from knowledge.documents import Part, Unit, rendered
from knowledge.edition import Edition
from knowledge.lexical import terms
from knowledge.retrieve import Hit, Query, Scores, unit_scores
from knowledge.scale import scale
from knowledge.texts import Span

_AMOUNT = re.compile(
    r"\b(?:how (?:many|much|long|often|early|soon|far|big|old)|when|what (?:date|day|time|percent\w*)"
    r"|min(?:imum)?|max(?:imum)?|limit|length|cost|price|rate|deadline|threshold)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve|half|once|twice|weekly|monthly|daily"
    r"|annual(?:ly)?|hours?|days?|weeks?|months?|years?|percent|no (?:limit|minimum|maximum|threshold))\b",
    re.IGNORECASE,
)
# How a sentence begins that cannot be understood, or would mislead, without the one before it.
_LEANS = re.compile(
    r"(?:it|they|this|these|that|those|such|its|their|he|she|however|but|otherwise|instead|in (?:this|that)"
    r" case|in these cases|if (?:so|not)|the same|for (?:this|that|these|those)|except|unless)\b",
    re.IGNORECASE,
)
# How one begins that limits the sentence before it.
_LIMITS = re.compile(
    r"(?:however|but|except|unless|otherwise|only|exceptions?|the exception|in (?:this|that) case|if not"
    r"|(?:this|these|that|it|they) (?:do(?:es)? not|do(?:es)?n['\u2019]t|only|appl(?:y|ies) only)"
    r"|provided|not (?:included|covered)|note that|please note)\b",
    re.IGNORECASE,
)

FEATURES = (
    "nearness",  # cosine of the unit
    "tokens",  # mean over the question's tokens of the best match among the unit's
    "placed",  # the same, with the tokens that say where the passage stands
    "own",  # share of the question's words, by rarity, that the unit holds
    "around",  # and that only its headings or its lead hold
    "passage",  # its passage's score, as a share of the best
    "amount",  # an amount is asked for, and one is said
    "opens",  # it only introduces what follows
    "length",  # up to 40 words
)
SPREAD = 5.0  # how far below the first a second quote of the same document may score
TIE = 0.5  # and one of another document
OWN, AROUND, PASSAGE = (FEATURES.index(name) for name in ("own", "around", "passage"))
EARLIER = 0.4  # the weight of a word of an earlier turn beside one of the question
ROWS = 0.75  # of the question's words in the best row of a table, the share that another row must hold
ACRONYM = range(3, 6)  # letters; two of them begin too many words
PASSAGES = 8  # whose sentences are looked at
BEST = 0.03  # of a sentence's score, what a passage gains by its best one
LISTED = 5  # items that may follow the sentence that introduces them


@dataclass(frozen=True, kw_only=True, slots=True)
class Quote:
    """A unit that may answer, and how well; `first` to `last` (exclusive) are quoted with it."""

    span: Span
    part: Part
    place: int  # of the unit in its part
    score: float
    features: tuple[float, ...]
    first: int
    last: int

    @property
    def unit(self) -> Unit:
        """What answers."""
        return self.part.units[self.place]

    @property
    def text(self) -> str:
        """What is quoted, word for word: the unit with the sentences that it cannot be parted from."""
        units = self.part.units[self.first : self.last]
        if self.unit.text.endswith(":") and self.last > self.place + 1:
            return rendered(units)
        return " ".join((quoted(units[0]), *(unit.text for unit in units[1:])))


def candidates(edition: Edition, asked: Query, hits: Sequence[Hit]) -> list[Quote]:
    """Return the units of passages that could answer, best first."""
    hits = hits[:PASSAGES]
    spans = edition.texts.spans([hit.number for hit in hits])
    weights = rarities(asked)
    best = (hits[0].score if hits else 0.0) or 1.0
    found: list[Quote] = []
    for hit, span in zip(hits, spans, strict=True):
        part = edition.part(span)
        values = _features(edition, asked, weights, span, part)
        values[:, PASSAGE] = hit.score / best
        scores = values @ scale().sentences
        for place, score, row in zip(range(span.first, span.last), scores, values.tolist(), strict=True):
            if part.units[place].text.endswith("?"):
                continue  # a question, however near, answers none
            first, last = _whole(part, place)
            found.append(
                Quote(
                    span=span,
                    part=part,
                    place=place,
                    score=float(score),
                    features=tuple(row),
                    first=first,
                    last=last,
                )
            )
    return sorted(found, key=lambda quote: -quote.score)


def settled(hits: Sequence[Hit], found: Sequence[Quote]) -> list[Hit]:
    """Return passages in their final order: one whose best sentence answers well comes before its equals.

    Passages whose sentences were not looked at gain what the least of the others gains.
    """
    best: dict[int, float] = {}
    for quote in found:
        best.setdefault(quote.span.number, quote.score)
    if not best:
        return list(hits)
    top, least = max(best.values()), min(best.values())
    moved = [
        replace(hit, score=max(0.0, hit.score - BEST * (top - best.get(hit.number, least)))) for hit in hits
    ]
    return sorted(moved, key=lambda hit: -hit.score)


def rarities(asked: Query) -> dict[str, float]:
    """Return the question's stems with how much each says; those of earlier turns count for less."""
    own = set(asked.readings[0][1])
    return {stem: asked.lexical.rarity(stem) * (1.0 if stem in own else EARLIER) for stem in asked.stems}


def _features(edition: Edition, asked: Query, weights: dict[str, float], span: Span, part: Part) -> Scores:
    """Return FEATURES of each unit of a passage, row by row, all but its passage's score."""
    units = part.units[span.first : span.last]
    total = sum(weights.values()) or 1.0
    matched = matches(edition, asked, span.number)
    amount = bool(_AMOUNT.search(asked.question))
    above = stems_of(" ".join(part.path))
    short = dict(_spelled_out(asked))
    values = np.zeros((len(units), len(FEATURES)), dtype=np.float32)
    values[:, 0] = unit_scores(edition, span.number, asked.vector)
    if matched.shape[1]:
        values[:, 1] = matched[1:].mean(axis=1)
        values[:, 2] = np.maximum(matched[1:], matched[0]).mean(axis=1)
    for row, unit in zip(values, units, strict=True):
        held = stems_of(unit.text).union(stem for stem, long in short.items() if long.search(unit.text))
        row[3] = sum(weights[stem] for stem in weights.keys() & held) / total
        row[4] = sum(weights[stem] for stem in weights.keys() & (above | stems_of(unit.lead)) - held) / total
        row[6] = amount and bool(_NUMBER.search(unit.text))
        row[7] = unit.text.endswith(":")
        row[8] = min(len(unit.text.split()), 40) / 40
    return values


def _spelled_out(asked: Query) -> Iterator[tuple[str, re.Pattern[str]]]:
    """Yield the question's acronyms as stems, each with a pattern of words that begin with its letters."""
    for word, _ in asked.words:
        if word.isupper() and word.isalpha() and len(word) in ACRONYM:
            for stem in stems_of(word):
                yield stem, re.compile(r"\b" + r"\w*[\s-]+".join(word) + r"\w", re.IGNORECASE)


def matches(edition: Edition, asked: Query, number: int) -> Scores:
    """Return the best cosine of each of the question's tokens (columns) with each place in a passage.

    The first row is where the passage stands (its title and headings), the others are its units.
    """
    starts = edition.texts.starts
    first = starts[number] + number
    return edition.tokens.near(asked.tokens, first, first + 1 + starts[number + 1] - starts[number])


@lru_cache(maxsize=8192)
def stems_of(text: str) -> frozenset[str]:
    """Return the stems of a text that is asked about again and again."""
    return frozenset(terms(text))


def _whole(part: Part, place: int) -> tuple[int, int]:
    """Return the units that must be read together with one: what it leans on, and what limits it."""
    units = part.units
    first, last = place, place + 1
    while first and place - first < 2 and units[first].joined and _LEANS.match(units[first].text):
        first -= 1
    while last < len(units) and last - place < 3 and units[last].joined and _LIMITS.match(units[last].text):
        last += 1
    if units[place].text.endswith(":") and last == place + 1:
        while last < len(units) and last - place <= LISTED and units[last].lead == units[place].text:
            last += 1
    return first, last


def quoted(unit: Unit) -> str:
    """Return a unit as it is quoted: an item with the sentence that introduces it, a row with its header."""
    if unit.kind == "item" and unit.lead.endswith(":"):
        return f"{unit.lead} {unit.text}"
    if unit.kind == "row" and unit.lead:
        return f"{unit.lead}\n{unit.text}"
    return unit.text


def _telling(found: Sequence[Quote]) -> Iterator[Quote]:
    """Yield quotes, best first, without rows that hold fewer of the question's words than a better row."""
    most: dict[tuple[int, int, str], float] = {}
    for quote in found:
        if quote.unit.kind == "row":
            table = quote.span.document, quote.span.part, quote.unit.lead
            own = quote.features[OWN]
            if own < ROWS * most.get(table, 0.0):
                continue
            most[table] = max(own, most.get(table, 0.0))
        yield quote


def chosen(found: Sequence[Quote], hits: Sequence[Hit], count: int = 3) -> list[Quote]:
    """Return the one to three quotes that an answer shows, in the order of reading.

    They come from the document that fits best; another joins only with a quote about as good as the best. The
    second and third must be nearly as good as the first.
    """
    found = list(_telling(found))
    if not found:
        return []
    first = hits[0].document
    leading = next((quote for quote in found if quote.span.document == first), found[0])
    best = max(found[0].score, leading.score)
    kept: list[Quote] = [leading]
    for quote in found:
        same = quote.span.document == first
        near = quote.score >= (leading.score - SPREAD if same else best - TIE)
        if near and not any(_covered(quote, one) for one in kept):
            within = [one for one in kept if not _covered(one, quote)]
            if len(within) < count:
                kept = [*within, quote]
    order = list(dict.fromkeys((quote.span.document, quote.span.part) for quote in kept))
    return sorted(kept, key=lambda quote: (order.index((quote.span.document, quote.span.part)), quote.place))


def _covered(quote: Quote, other: Quote) -> bool:
    """Tell whether a quote says nothing that another does not say."""
    if quote.unit.text == other.unit.text:
        return True
    same = (quote.span.document, quote.span.part) == (other.span.document, other.span.part)
    return same and other.first <= quote.place < other.last
