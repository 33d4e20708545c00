"""One probability that what was found answers the question, from several signals.

The weights are in `confidence.json`, made by `python -m knowledge.calibrate` from question sets.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from knowledge.edition import Edition
from knowledge.lexical import terms
from knowledge.quotes import Quote
from knowledge.retrieve import Hit, Query

_FILE = Path(__file__).with_name("confidence.json")


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """How signals become a probability, and where the bot begins to speak and to be sure."""

    names: tuple[str, ...]
    weights: tuple[float, ...]
    bias: float
    cautioned: float  # below it the documents are said not to cover the question
    answered: float  # from it on the answer stands without a caution

    def probability(self, signals: Mapping[str, float]) -> float:
        """Return the probability that the question is answered."""
        if not signals:
            return 0.0
        total = self.bias + sum(
            weight * signals[name] for name, weight in zip(self.names, self.weights, strict=True)
        )
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))


@cache
def scale() -> Scale:
    """Return the scale that is shipped."""
    data: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    weights: dict[str, float] = data["weights"]
    return Scale(
        names=tuple(weights),
        weights=tuple(weights.values()),
        bias=data["bias"],
        cautioned=data["cautioned"],
        answered=data["answered"],
    )


def signals(edition: Edition, asked: Query, hits: Sequence[Hit], quotes: Sequence[Quote]) -> dict[str, float]:
    """Return what speaks for and against an answer; nothing where nothing was found.

    dense, sentence: cosine of the nearest passage and of the nearest sentence, of the first ten passages.
    quoted: the share of the question's own words, weighed by rarity, that the best quotes hold.
    rarest: whether its rarest word is in the first three passages.
    """
    if not hits:
        return {}
    weights = {stem: asked.lexical.rarity(stem) for stem in asked.readings[0][1]}
    rarest = max(weights, key=lambda stem: weights[stem], default="")
    held: set[str] = set().union(*(_stems(edition, hit) for hit in hits[:3]))
    said = set(terms(" ".join(f"{quote.unit.lead} {quote.unit.text}" for quote in quotes[:3])))
    return {
        "dense": max(hit.dense for hit in hits[:10]),
        "sentence": max(hit.sentence for hit in hits[:10]),
        "quoted": sum(weights[stem] for stem in weights if stem in said) / (sum(weights.values()) or 1.0),
        "rarest": float(not rarest or rarest in held),
    }


def _stems(edition: Edition, hit: Hit) -> set[str]:
    (span,) = edition.texts.spans([hit.number])
    part = edition.part(span)
    units = part.units[span.first : span.last]
    words = [
        edition.documents[span.document].title,
        *part.path,
        *(f"{unit.lead} {unit.text}" for unit in units),
    ]
    return set(terms(" ".join(words)))
