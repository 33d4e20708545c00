"""A matrix in a file, of which a few rows are read at a time."""

from __future__ import annotations

import os
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from knowledge.errors import DamagedEdition


class Rows:
    """The rows of a `.npy` file, for any number of threads.

    They are read, not mapped into memory: on a busy day a map would make the whole file resident.
    """

    def __init__(self, path: Path, *, count: int, width: int, dtype: DTypeLike) -> None:
        """Open a matrix of this shape. Raises DamagedEdition when the file holds another or none."""
        try:
            mapped = np.load(path, mmap_mode="r")
            file = os.open(path, os.O_RDONLY)
        except (OSError, ValueError) as error:
            raise DamagedEdition(f"{path} cannot be read: {error}. Ingest again.") from error
        self._file = file
        self._close = weakref.finalize(self, os.close, file)
        if mapped.shape != (count, width) or mapped.dtype != dtype:
            raise DamagedEdition(f"{path} is not what was built. Ingest again.")
        self._width, self._dtype, self._offset = width, mapped.dtype, int(mapped.offset)

    def take(self, runs: Sequence[tuple[int, int]]) -> NDArray[Any]:
        """Return the rows of runs, each from its first to its last (exclusive), one run after the other."""
        size = self._width * self._dtype.itemsize
        read = (
            os.pread(self._file, (last - first) * size, self._offset + first * size) for first, last in runs
        )
        return np.frombuffer(b"".join(read), dtype=self._dtype).reshape(-1, self._width)

    def close(self) -> None:
        """Let go of the file."""
        self._close()
