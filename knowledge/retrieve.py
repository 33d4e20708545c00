"""Question and reader to ranked passages.

Four signals: how near a passage's vector is to the question's, how near its nearest sentence is, how well its
tokens match the question's one by one (late interaction), and which of the question's words it holds (BM25
over stems). Their weights were chosen on several question sets together, so that none gains at another's
cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from knowledge.edition import Edition, Reader
from knowledge.embedder import Embedder
from knowledge.hidden import visible
from knowledge.lexical import WORD, Seen, terms
from knowledge.tokens import UNIT
from knowledge.twins import alone

Scores = NDArray[np.float32]

TURNS = 2  # earlier messages of the thread that a follow-up may lean on
QUESTION = 2.0  # the question's own weight beside that of the question read with one and with two turns
SENTENCE = 0.5  # the nearest sentence's share of nearness
TOKENS = 0.4  # the share of tokens matched one by one, beside nearness
WORDS = 0.1  # the weight of shared words beside all that
FOLLOWING = 0.2  # their weight in a follow-up, which says less of what it is about
CANDIDATES = 200  # passages whose sentences are looked at
ROOM = 800  # characters of question and turns together that the model reads to the end


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
    """Read a question in the words of this reader's documents, with up to two of the turns before it.

    Turns may hold anything: they are cleaned, and cut where they would leave the question no room.
    """
    view = edition.view(reader)
    turns = [view.wording.reworded(turn, embedder.knows) for turn in _turns(question, history)]
    question = view.wording.reworded(question, embedder.knows)
    texts = [question] + ["\n".join([*turns[-count:], question]) for count in range(1, len(turns) + 1)]
    weights = np.array([QUESTION] + [1.0] * len(turns), dtype=np.float32)
    weights /= weights.sum()
    places = [match.span() for match in WORD.finditer(question)]
    shifts = [len(text) - len(question) for text in texts]
    readings = embedder.read(
        [
            (text, [(start + shift, end + shift) for start, end in places])
            for text, shift in zip(texts, shifts, strict=True)
        ]
    )
    # A question that stands past what the model reads of it and its turns is taken as it was read alone.
    last = next((one for one in reversed(readings) if one.counts[1:].any()), readings[0])
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


def _turns(question: str, history: Sequence[str]) -> list[str]:
    """Return the last turns that say something, as far as they fit before the question."""
    turns = [said for turn in history if (said := " ".join(visible(turn)[0].split()))][-TURNS:]
    if len(question) + sum(map(len, turns)) <= ROOM:
        return turns
    each = max(0, ROOM - len(question)) // max(1, len(turns))
    return [cut for turn in turns if (cut := turn[:each].strip())]


def rank(edition: Edition, asked: Query, *, reader: Reader, depth: int = 60) -> list[Hit]:
    """Return the passages that fit best, best first, among those that this reader may read today."""
    places = edition.readable(reader)
    if not len(places):
        return []
    dense = edition.matrix @ asked.vector
    lexical = sum(
        (weight * asked.lexical.scores(stems) for weight, stems in asked.readings), np.zeros_like(dense)
    )
    if len(places) < edition.passages:
        dense, lexical = dense[places], lexical[places]
    weight = WORDS if len(asked.readings) == 1 else FOLLOWING
    words = weight * _scaled(lexical)
    near = _largest(_scaled(dense) + words, CANDIDATES)
    sentence = nearest(edition, places[near], asked.vector)
    nearness = (1 - SENTENCE) * dense[near] + SENTENCE * sentence
    best = _largest(_scaled(nearness) + words[near], depth)
    near, sentence, nearness = near[best], sentence[best], nearness[best]
    tokens = matched(edition, places[near], asked.tokens)
    mixed = (1 - TOKENS) * _scaled(nearness) + TOKENS * _scaled(tokens) + words[near]
    order = np.argsort(-mixed, kind="stable")
    shown = alone(edition, [int(places[near[place]]) for place in order], reader.today)
    return [
        Hit(
            number=number,
            document=int(edition.owners[number]),
            score=float(mixed[order[place]]) / (1 + weight),
            dense=float(dense[near[order[place]]]),
            sentence=float(sentence[order[place]]),
            lexical=float(lexical[near[order[place]]]),
        )
        for place, number in shown
    ]


def nearest(edition: Edition, numbers: NDArray[np.int64], vector: Scores) -> Scores:
    """Return the cosine of each passage's nearest unit."""
    runs = _units(edition, numbers)
    cosines = edition.units.take(runs).astype(np.float32) @ vector
    lengths = [last - first for first, last in runs]
    found: Scores = np.maximum.reduceat(cosines, np.cumsum([0, *lengths[:-1]]))
    return found


def matched(edition: Edition, numbers: NDArray[np.int64], tokens: Scores) -> Scores:
    """Return how well the tokens of each passage match those of a question: the mean of the best cosines."""
    if not len(tokens):
        return np.zeros(len(numbers), dtype=np.float32)
    # Of each passage the place before its units too: where it stands is part of what it says.
    runs = [
        (first + int(number), last + int(number) + 1)
        for number, (first, last) in zip(numbers, _units(edition, numbers), strict=True)
    ]
    found: Scores = edition.tokens.runs(tokens, runs).mean(axis=1)
    return found


def _units(edition: Edition, numbers: NDArray[np.int64]) -> list[tuple[int, int]]:
    starts = edition.texts.starts
    return [(starts[number], starts[number + 1]) for number in numbers]


def unit_scores(edition: Edition, number: int, vector: Scores) -> Scores:
    """Return the cosine of each unit of a passage."""
    starts = edition.texts.starts
    scores: Scores = edition.units.take([(starts[number], starts[number + 1])]).astype(np.float32) @ vector
    return scores


def _largest(scores: Scores, count: int) -> NDArray[np.int64]:
    if len(scores) <= count:
        return np.arange(len(scores))
    return np.sort(np.argpartition(-scores, count)[:count])


def _scaled(scores: Scores) -> Scores:
    """Return scores as shares of the best; a score below nothing is nothing."""
    top = float(scores.max(initial=0.0))
    return (np.maximum(scores, 0) / (top if top > 0 else np.inf)).astype(np.float32)
