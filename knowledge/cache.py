"""Vectors by the content that they stand for, so that no text is embedded twice."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from knowledge.embedder import Embedder

    Matrix = NDArray[np.float32]

_BATCH = 512


def embed(
    path: Path, embedder: Embedder, texts: Sequence[str], done: Callable[[int, int], None] | None = None
) -> Matrix:
    """Return a row for each text, from the cache where it is known.

    What was embedded is kept batch by batch, so that an ingest that is interrupted loses little. `done` hears
    how many texts are ready and how many of them came from the cache.
    """
    import numpy as np

    keys = [hashlib.sha256(f"{embedder.fingerprint}\0{text}".encode()).digest() for text in texts]
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA journal_mode=WAL")
        base.execute(
            "CREATE TABLE IF NOT EXISTS vector (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
        )
        known = {key: value for key in set(keys) for value in _value(base, key)}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        reused = len(texts) - len(missing)
        # Longest first, so that a batch holds texts of about one length.
        queue = sorted(missing, key=lambda key: -len(missing[key]))
        for start in range(0, len(queue), _BATCH):
            batch = queue[start : start + _BATCH]

            def heard(count: int, start: int = start) -> None:
                if done:
                    done(reused + start + count, reused)

            rows = embedder.embed([missing[key] for key in batch], heard)
            known.update(zip(batch, (row.tobytes() for row in rows), strict=True))
            with base:
                base.executemany(
                    "INSERT OR REPLACE INTO vector VALUES (?,?)", ((key, known[key]) for key in batch)
                )
    if done:
        done(len(texts), reused)
    return np.stack([np.frombuffer(known[key], dtype=np.float32) for key in keys])


def _value(base: sqlite3.Connection, key: bytes) -> list[bytes]:
    return [row[0] for row in base.execute("SELECT value FROM vector WHERE key=?", (key,))]
