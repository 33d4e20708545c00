"""Token vectors: what a passage says token by token, in vectors short enough to keep.

Late interaction compares each token of a question with each token of a text and counts the best match of each
(MaxSim, from ColBERT). The model's token vectors are projected to SHORT numbers and kept as bytes; the
projection is in `projection.npy`, made by `python -m knowledge.training.projection`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from knowledge.errors import DamagedEdition
from knowledge.rows import Rows

Vectors = NDArray[np.float32]
Short = NDArray[np.int8]

SHORT = 64
UNIT = 127  # what stands for 1.0 in a byte
VECTORS, COUNTS = "tokens.npy", "token-counts.npy"
_PROJECTION = Path(__file__).with_name("projection.npy")


@cache
def _projection() -> Vectors:
    found: Vectors = np.load(_PROJECTION).astype(np.float32)
    return found


def shortened(tokens: Vectors) -> Short:
    """Return the model's token vectors as short ones; their dot product over UNIT squared is a cosine."""
    # Not `@`: BLAS would start threads of its own in each thread that reads, and they wait by spinning.
    short = np.einsum("ij,jk->ik", tokens, _projection())
    short *= UNIT / np.maximum(np.linalg.norm(short, axis=1, keepdims=True), 1e-9)
    kept: Short = np.rint(short).astype(np.int8)
    return kept


def nearness(asked: Vectors, tokens: Short, counts: Sequence[int] | NDArray[np.int32]) -> Vectors:
    """Return, for runs of tokens of these lengths (rows) and each token asked for (columns), the best cosine.

    `asked` are short vectors of length one. A run without tokens is near nothing.
    """
    found = np.zeros((len(counts), len(asked)), dtype=np.float32)
    held = np.flatnonzero(counts)
    if len(held) and len(asked):
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])[held]
        cosines = tokens.astype(np.float32) @ (asked.T / UNIT)
        found[held] = np.maximum.reduceat(cosines, starts, axis=0)
    return found


def write(folder: Path, readings: Sequence[tuple[Short, NDArray[np.int32]]]) -> None:
    """Write passages' token vectors, and how many each of their places holds, into an edition."""
    np.save(folder / VECTORS, np.concatenate([tokens for tokens, _ in readings]))
    np.save(folder / COUNTS, np.concatenate([counts for _, counts in readings]))


class Tokens:
    """The token vectors of an edition.

    Places are numbered over the whole edition: of each passage first what stands outside its units (where the
    passage stands), then its units.
    """

    def __init__(self, folder: Path) -> None:
        try:
            counts = np.load(folder / COUNTS)
        except (OSError, ValueError) as error:
            raise DamagedEdition(f"{folder / COUNTS} cannot be read: {error}. Ingest again.") from error
        self.slots = len(counts)
        self._starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        self._rows = Rows(folder / VECTORS, count=int(self._starts[-1]), width=SHORT, dtype=np.int8)

    def near(self, asked: Vectors, first: int, last: int) -> Vectors:
        """Return `nearness` of the tokens asked for to each of the places `first` to `last` (exclusive)."""
        starts = self._starts[first : last + 1]
        tokens = self._rows.take([(int(starts[0]), int(starts[-1]))])
        return nearness(asked, tokens, np.diff(starts))

    def runs(self, asked: Vectors, runs: Sequence[tuple[int, int]]) -> Vectors:
        """Return `nearness` of the tokens asked for to each of several runs of places as one."""
        bounds = [(int(self._starts[first]), int(self._starts[last])) for first, last in runs]
        return nearness(asked, self._rows.take(bounds), [last - first for first, last in bounds])

    def close(self) -> None:
        """Let go of the file."""
        self._rows.close()
