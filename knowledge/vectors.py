"""Chroma holds an edition's vectors: embedded in the process, with our own embedder, telemetry off."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import chromadb
import chromadb.errors
import numpy as np
from chromadb.api.client import Client
from chromadb.config import Settings
from numpy.typing import NDArray

from knowledge.errors import BuildFailed, DamagedEdition

Matrix = NDArray[np.float32]

_COLLECTION = "passages"
_BATCH = 2000


@contextmanager
def _client(folder: Path) -> Iterator[Client]:
    client = chromadb.PersistentClient(str(folder), Settings(anonymized_telemetry=False))
    assert isinstance(client, Client)  # the declared type has no close
    try:
        yield client
    finally:
        client.close()


def write(
    folder: Path,
    matrix: Matrix,
    metadata: Sequence[dict[str, str]],
    done: Callable[[int], None] | None = None,
) -> None:
    """Write vectors as a new Chroma index, row n under the id n. Raises BuildFailed when it cannot."""
    try:
        with _client(folder) as client:
            collection = client.create_collection(
                _COLLECTION, embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
            )
            for start in range(0, len(matrix), _BATCH):
                end = min(start + _BATCH, len(matrix))
                collection.add(
                    ids=[str(number) for number in range(start, end)],
                    embeddings=matrix[start:end],
                    metadatas=[dict(row) for row in metadata[start:end]],
                )
                if done:
                    done(end)
    except chromadb.errors.ChromaError as error:
        raise BuildFailed(f"Chroma could not write the index: {error}.") from error
    _blank(folder)


def _blank(folder: Path) -> None:
    """Overwrite what the index files hold beyond their last vector.

    Chroma writes room for more vectors as it finds it in memory, where vectors of another edition may have
    been: measured, the vectors of an erased document were in the files of the edition without it.
    """
    for header in folder.rglob("header.bin"):
        _, _, _, count, size = struct.unpack_from("<iQQQQ", header.read_bytes())
        for name, width in (("data_level0.bin", size), ("length.bin", 4)):
            path = header.with_name(name)
            used, whole = count * width, path.stat().st_size
            if used < whole:
                with path.open("r+b") as file:
                    file.seek(used)
                    file.write(bytes(whole - used))


def read(folder: Path) -> Matrix:
    """Return all vectors of an index in the order of their ids. Raises DamagedEdition when it cannot."""
    try:
        with _client(folder) as client:
            collection = client.get_collection(_COLLECTION, embedding_function=None)
            count = collection.count()
            rows = [collection.get(ids=ids, include=["embeddings"]) for ids in _batches(count)]
    except chromadb.errors.ChromaError as error:
        raise DamagedEdition(f"The index in {folder} cannot be read: {error}.") from error
    matrix: Matrix | None = None
    for row in rows:
        found = np.asarray(row["embeddings"], dtype=np.float32)
        if matrix is None:
            matrix = np.zeros((count, found.shape[1]), dtype=np.float32)
        matrix[[int(name) for name in row["ids"]]] = found
    if matrix is None:
        raise DamagedEdition(f"The index in {folder} is empty.")
    return matrix


def _batches(count: int) -> Iterator[list[str]]:
    for start in range(0, count, _BATCH):
        yield [str(number) for number in range(start, min(start + _BATCH, count))]
