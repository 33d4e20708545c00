"""What plainer searches find among the same passages for the same reader, to stand beside our own figures.

All three read a follow-up as one text with the person's last two turns before it. They see what we see: the
same passages with file name and headings, and the same stems. They do without our reading of the question
(spelling, acronyms, other words for the same thing), without sentences, and without our weights. Their best
passage's score is their confidence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge.edition import Edition, Reader
from knowledge.embedder import Embedder
from knowledge.evaluate import apart, retrieval
from knowledge.lexical import terms
from knowledge.measures.questions import Question

Scores = NDArray[np.float32]
TURNS = 2
PASSAGES = 400  # that are looked at for ten distinct documents
SHARES = {"bm25": (0.0, 1.0), "dense": (1.0, 0.0), "mix": (0.7, 0.3)}  # of the cosine and of BM25
_BATCH = 64


def compared(
    questions: Sequence[Question], edition: Edition, embedder: Embedder, reader: Reader
) -> dict[str, Any]:
    """Return retrieval figures and AUC of plain BM25, of dense vectors alone, and of a simple mix of both.

    The mix is of scores scaled to the question's best; its confidence is its cosine, since a scaled best is
    always one.
    """
    ranked: dict[str, list[list[str]]] = {name: [] for name in SHARES}
    best: dict[str, list[float]] = {name: [] for name in SHARES}
    for dense, lexical in _scores(questions, edition, embedder, reader):
        for name, (near, words) in SHARES.items():
            mixed = near * _scaled(dense) + words * _scaled(lexical)
            ranked[name].append(_documents(edition, reader, mixed))
            best[name].append(float((dense if near else lexical).max(initial=0.0)))
    return {
        name: {
            "retrieval": retrieval(list(zip(questions, ranked[name], strict=True))),
            "auc": apart(list(zip(questions, best[name], strict=True))),
        }
        for name in SHARES
    }


def _scores(
    questions: Sequence[Question], edition: Edition, embedder: Embedder, reader: Reader
) -> Iterator[tuple[Scores, Scores]]:
    """Yield each question's cosine and BM25 with every passage that the reader may read."""
    places = edition.readable(reader)
    lexical = edition.view(reader).lexical
    matrix = edition.matrix[places]
    texts = ["\n".join([*question.history[-TURNS:], question.question]) for question in questions]
    for start in range(0, len(texts), _BATCH):
        batch = texts[start : start + _BATCH]
        for text, vector in zip(batch, embedder.embed(batch), strict=True):
            yield matrix @ vector, lexical.scores(terms(text))[places]


def _documents(edition: Edition, reader: Reader, scores: Scores) -> list[str]:
    """Return the distinct documents of the best passages, best first."""
    best = np.argsort(-scores, kind="stable")[:PASSAGES]
    owners = edition.owners[edition.readable(reader)[best]]
    return list(dict.fromkeys(edition.documents[owner].document for owner in owners))


def _scaled(scores: Scores) -> Scores:
    top = float(scores.max(initial=0.0)) or 1.0
    return (np.maximum(scores, 0) / top).astype(np.float32)
