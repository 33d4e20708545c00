"""Question and reader to ranked passages.

Three signals: how near a passage's vector is to the question's, how near its nearest sentence is, and which
of the question's words it holds (BM25 over stems). Their weights were chosen on three question sets together,
so that none of them gains at another's cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from knowledge.edition import Edition, Reader
from knowledge.embedder import Embedder
from knowledge.lexical import WORD, Seen, terms
from knowledge.tokens import UNIT

Scores = NDArray[np.float32]

TURNS = 2  # earlier messages of the thread that a follow-up may lean on
QUESTION = 2.0  # the question's own weight beside that of the question read with one and with two turns
SENTENCE = 0.7  # the nearest sentence's share of nearness
WORDS = 0.15  # the weight of shared words beside nearness
CANDIDATES = 200  # passages whose sentences are looked at


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """A question, read alone and with the turns before it.

    Averaging these readings serves both the question that changes the subject and the one that says only
    "and for a friend?".
    """

    question: str
    vector: Scores
    tokens: Scores  # short vectors of the tokens of the question's words, as read after the turns before it
    words: tuple[tuple[str, int], ...]  # each with how many of the tokens, in order, are its own
    lexical: Seen  # the words of the documents that are for whoever asks
    readings: tuple[tuple[float, tuple[str, ...]], ...]  # weight, stems

    @property
    def stems(self) -> frozenset[str]:
        """All stems of all readings."""
        return frozenset(stem for _, stems in self.readings for stem in stems)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """A passage that was found, and how well it fits."""

    number: int
    document: int
    score: float  # 0 to 1
    dense: float  # cosine of the whole passage
    sentence: float  # cosine of its nearest unit
    lexical: float  # BM25


def query(
    edition: Edition, embedder: Embedder, question: str, history: Sequence[str] = (), *, reader: Reader
) -> Query:
    """Read a question in the words of this reader's documents, with up to two of the turns before it."""
    view = edition.view(reader)
    turns = [view.wording.reworded(turn, embedder.knows) for turn in history if turn.strip()][-TURNS:]
    question = view.wording.reworded(question, embedder.knows)
    texts = [question] + ["\n".join([*turns[-count:], question]) for count in range(1, len(turns) + 1)]
    weights = np.array([QUESTION] + [1.0] * len(turns), dtype=np.float32)
    weights /= weights.sum()
    places = [match.span() for match in WORD.finditer(question)]
    readings = embedder.read(
        [
            (
                text,
                [
                    (start + len(text) - len(question), end + len(text) - len(question))
                    for start, end in places
                ],
            )
            for text in texts
        ]
    )
    last = readings[-1]
    return Query(
        question=question,
        vector=weights @ np.stack([reading.whole for reading in readings]),
        tokens=(last.tokens[last.counts[0] :] / UNIT).astype(np.float32),
        words=tuple(
            (question[start:end], int(count))
            for (start, end), count in zip(places, last.counts[1:], strict=True)
        ),
        lexical=view.lexical,
        readings=tuple(
            (float(weight), tuple(terms(text))) for weight, text in zip(weights, texts, strict=True)
        ),
    )


def rank(edition: Edition, asked: Query, *, reader: Reader, depth: int = 60) -> list[Hit]:
    """Return the passages that fit best, best first, among those that this reader may read today."""
    places = edition.readable(reader)
    if not len(places):
        return []
    whole = len(places) == edition.passages
    dense = edition.matrix @ asked.vector
    lexical = sum(
        (weight * asked.lexical.scores(stems) for weight, stems in asked.readings), np.zeros_like(dense)
    )
    if not whole:
        dense, lexical = dense[places], lexical[places]
    words = WORDS * _scaled(lexical)
    near = _largest(_scaled(dense) + words, CANDIDATES)
    sentence = np.array(
        [nearest(edition, int(places[place]), asked.vector) for place in near], dtype=np.float32
    )
    mixed = _scaled((1 - SENTENCE) * dense[near] + SENTENCE * sentence) + words[near]
    order = np.argsort(-mixed, kind="stable")[:depth]
    return [
        Hit(
            number=int(places[near[place]]),
            document=int(edition.owners[places[near[place]]]),
            score=float(mixed[place]) / (1 + WORDS),
            dense=float(dense[near[place]]),
            sentence=float(sentence[place]),
            lexical=float(lexical[near[place]]),
        )
        for place in order
    ]


def nearest(edition: Edition, number: int, vector: Scores) -> float:
    """Return the cosine of a passage's nearest unit."""
    return float(unit_scores(edition, number, vector).max(initial=0.0))


def unit_scores(edition: Edition, number: int, vector: Scores) -> Scores:
    """Return the cosine of each unit of a passage."""
    starts = edition.texts.starts
    return edition.units[starts[number] : starts[number + 1]].astype(np.float32) @ vector


def token_scores(edition: Edition, asked: Query, number: int) -> Scores:
    """Return, for each unit of a passage (rows) and token of the question (columns), the best cosine.

    The mean of a row is how well the unit answers token by token (MaxSim).
    """
    first = edition.texts.starts[number] + number + 1  # places before it: all units, and one more a passage
    last = first + edition.texts.starts[number + 1] - edition.texts.starts[number]
    return edition.tokens.near(asked.tokens, first, last)


def _largest(scores: Scores, count: int) -> NDArray[np.int64]:
    if len(scores) <= count:
        return np.arange(len(scores))
    return np.sort(np.argpartition(-scores, count)[:count])


def _scaled(scores: Scores) -> Scores:
    """Return scores as shares of the best; a score below nothing is nothing."""
    top = float(scores.max(initial=0.0))
    return (np.maximum(scores, 0) / (top if top > 0 else np.inf)).astype(np.float32)
