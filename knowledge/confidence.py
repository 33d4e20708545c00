"""One probability that what was found answers the question, from several signals.

How the signals weigh is in `confidence.json`, made by `python -m knowledge.training.calibrate` from
question sets.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from knowledge.edition import Edition
from knowledge.lexical import terms
from knowledge.quotes import OWN, Quote, matches
from knowledge.retrieve import Hit, Query, Scores

BEST = 10  # passages among which the best is looked for
REST = 24  # those after them, up to here, are what the documents say about anything near
USUAL = 0.2  # a cosine with a passage that has nothing to do with the question, where there are too few


def signals(edition: Edition, asked: Query, hits: Sequence[Hit], quotes: Sequence[Quote]) -> dict[str, float]:
    """Return what speaks for and against an answer; nothing where nothing was found.

    dense: cosine of the nearest passage.
    dense_lift, sentence_lift: how far it and the nearest sentence stand out from those of passages after the
    first ten.
    words: how well the first passage matches the question's words token by token, by their rarity.
    words_lift: the same without rarity, above the sixth to the eighth passage.
    quote, quote_words, quote_own: cosine of the best quote, its token by token match, and the share of
    the question's words that it holds.
    margin: how far the first passage's score is above that of the next document.
    agreement: whether meaning, nearest sentence and shared words each name the same first document.
    """
    if not hits or not quotes:
        return {}
    dense = np.array([hit.dense for hit in hits])
    sentence = np.array([hit.sentence for hit in hits])
    near = [matches(edition, asked, hit.number).max(axis=0) for hit in (hits[0], *hits[5:8])]
    first = hits[0].document
    other = next((hit.score for hit in hits if hit.document != first), 0.0)
    leaders = (max(hits, key=lambda hit: getattr(hit, name)) for name in ("dense", "sentence", "lexical"))
    return {
        "dense": float(dense[:BEST].max()),
        "dense_lift": _lift(dense),
        "sentence_lift": _lift(sentence),
        "words": float(near[0] @ _shares(asked)),
        "words_lift": _words_lift(near),
        "quote": quotes[0].features[0],
        "quote_words": quotes[0].features[1],
        "quote_own": quotes[0].features[OWN],
        "margin": hits[0].score - other,
        "agreement": sum(hit.document == first for hit in leaders) / 3,
    }


def _words_lift(near: Sequence[Scores]) -> float:
    """Return how far the first passage's words match above those of the others; no words match nothing."""
    if not near[0].size:
        return 0.0
    return float(near[0].mean() - np.mean(near[1:])) if len(near) > 1 else USUAL


def _lift(cosines: Scores) -> float:
    """Return how far the best stands above what comes after the first ten."""
    rest = cosines[BEST:REST]
    return float(cosines[:BEST].max() - (rest.mean() if len(rest) else USUAL))


def _shares(asked: Query) -> Scores:
    """Return how much each of the question's tokens says: its word's rarity, divided among its tokens.

    A word that the model did not read, past its longest text, has no token and says nothing.
    """
    found: list[float] = []
    for word, count in asked.words:
        if not count:
            continue
        stems = terms(word)
        found += [asked.lexical.rarity(stems[0]) / count if stems else 0.0] * count
    shares = np.array(found, dtype=np.float32)
    total = float(shares.sum())
    return shares / total if total else np.full_like(shares, 1 / max(1, len(shares)))
