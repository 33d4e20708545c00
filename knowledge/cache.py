"""Vectors by the content that they stand for, so that no text is embedded twice."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from knowledge.embedder import WIDTH, Embedder, Reading, Spanned
from knowledge.tokens import SHORT

FILE = Path("cache/vectors-2.sqlite")
_BATCH = 512
Keys = NDArray[np.uint8]  # a row of 32 bytes for each text


def read(
    path: Path, embedder: Embedder, texts: Sequence[Spanned], done: Callable[[int, int], None] | None = None
) -> list[Reading]:
    """Return each text's vectors, from the cache where it is known.

    What was embedded is kept batch by batch, so that an ingest that is interrupted loses little. `done` hears
    how many texts are ready and how many of them came from the cache.
    """
    keys = [_key(embedder, text) for text in texts]
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA journal_mode=WAL")
        base.execute(
            "CREATE TABLE IF NOT EXISTS reading"
            " (key BLOB PRIMARY KEY, whole BLOB, spans BLOB, tokens BLOB, counts BLOB)"
        )
        known = {key: reading for key in set(keys) for reading in _known(base, key)}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        reused = len(known)
        # Longest first, so that no batch ends with one thread at work on a long text.
        queue = sorted(missing, key=lambda key: -len(missing[key][0]))
        for start in range(0, len(queue), _BATCH):
            batch = queue[start : start + _BATCH]

            def heard(count: int, start: int = start) -> None:
                if done:
                    done(len(texts) - len(missing) + start + count, reused)

            readings = embedder.read([missing[key] for key in batch], heard)
            known.update(zip(batch, readings, strict=True))
            with base:
                base.executemany(
                    "INSERT OR REPLACE INTO reading VALUES (?,?,?,?,?)", map(_row, batch, readings)
                )
    if done:
        done(len(texts), reused)
    return [known[key] for key in keys]


def keys(embedder: Embedder, texts: Sequence[Spanned]) -> Keys:
    """Return under what each text's vectors are kept."""
    whole = b"".join(_key(embedder, text) for text in texts)
    return np.frombuffer(whole, dtype=np.uint8).reshape(-1, hashlib.sha256().digest_size)


def prune(path: Path, keep: Iterable[Keys]) -> int:
    """Forget everything but what is kept under these keys, to the last byte; return how much that was."""
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as base:
        base.execute("CREATE TEMP TABLE kept (key BLOB PRIMARY KEY) WITHOUT ROWID")
        for rows in keep:
            base.executemany("INSERT OR IGNORE INTO kept VALUES (?)", ((row.tobytes(),) for row in rows))
        gone = base.execute("DELETE FROM reading WHERE key NOT IN (SELECT key FROM kept)").rowcount
        base.commit()
        if gone:
            base.execute("VACUUM")  # rewrites the file: deleting alone leaves the bytes in it
        base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return gone


def _key(embedder: Embedder, text: Spanned) -> bytes:
    return hashlib.sha256(json.dumps([embedder.fingerprint, *text]).encode()).digest()


def _row(key: bytes, reading: Reading) -> tuple[bytes, ...]:
    spans = reading.spans.astype(np.float16)
    return (key, *(array.tobytes() for array in (reading.whole, spans, reading.tokens, reading.counts)))


def _known(base: sqlite3.Connection, key: bytes) -> list[Reading]:
    rows = base.execute("SELECT whole, spans, tokens, counts FROM reading WHERE key=?", (key,)).fetchall()
    return [
        Reading(
            whole=np.frombuffer(whole, dtype=np.float32),
            spans=np.frombuffer(spans, dtype=np.float16).reshape(-1, WIDTH).astype(np.float32),
            tokens=np.frombuffer(tokens, dtype=np.int8).reshape(-1, SHORT),
            counts=np.frombuffer(counts, dtype=np.int32),
        )
        for whole, spans, tokens, counts in rows
    ]
