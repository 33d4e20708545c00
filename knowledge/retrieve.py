"""Question and reader to ranked passages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from knowledge.edition import Edition, Reader
from knowledge.lexical import terms

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from knowledge.embedder import Embedder

    Scores = NDArray[np.float32]

DENSE, LEXICAL = 0.7, 0.3
TURNS = 2  # earlier questions of the thread that a follow-up may lean on


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """A passage that was found: its number, and how well it fits (1 is best)."""

    number: int
    document: int
    score: float
    dense: float
    lexical: float


def asked(question: str, history: Sequence[str]) -> str:
    """Return a question with the turns before it, so that "and for a friend?" can be found."""
    return "\n".join([*list(history)[-TURNS:], question])


def rank(
    edition: Edition,
    vector: Scores,
    question: str,
    history: Sequence[str],
    *,
    reader: Reader,
    depth: int = 60,
) -> list[Hit]:
    """Return the passages that fit best, best first, among those that the reader may read today."""
    import numpy as np

    allowed = np.array([reader.may_read(head) for head in edition.documents], dtype=bool)[edition.owners]
    places = np.flatnonzero(allowed)
    if not len(places):
        return []
    dense = (edition.matrix @ vector)[places]
    lexical = edition.lexical.scores(terms(asked(question, history)))[places]
    mixed = DENSE * _scaled(dense) + LEXICAL * _scaled(lexical)
    best = np.argsort(-mixed, kind="stable")[:depth]
    return [
        Hit(
            number=int(places[place]),
            document=int(edition.owners[places[place]]),
            score=float(mixed[place]),
            dense=float(dense[place]),
            lexical=float(lexical[place]),
        )
        for place in best
    ]


def _scaled(scores: Scores) -> Scores:
    top = scores.max(initial=0.0)
    return np_clip(scores / top) if top > 0 else scores * 0


def np_clip(scores: Scores) -> Scores:
    """Return scores without negative ones."""
    import numpy as np

    return np.maximum(scores, 0)
