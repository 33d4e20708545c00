"""Vectors by the content that they stand for, so that no text is embedded twice."""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from knowledge.embedder import WIDTH, Embedder, Reading, Spanned
from knowledge.tokens import SHORT

logger = logging.getLogger(__name__)

FILE = Path("cache/vectors-2.sqlite")
_BATCH = 512
Keys = NDArray[np.uint8]  # a row of 32 bytes for each text


def read(
    path: Path,
    embedder: Embedder,
    texts: Sequence[Spanned],
    done: Callable[[int, int], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> list[Reading]:
    """Return each text's vectors, from the cache where it is known.

    What was embedded is kept batch by batch, so that an ingest that is interrupted loses little. `done` hears
    how many texts are ready and how many of them came from the cache. A damaged cache is begun anew, and a
    damaged row is made again; `note` hears of either.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        return _read(path, embedder, texts, done, note)
    except sqlite3.DatabaseError as error:
        if not _is_damage(error):
            raise
        _forget(path)
        if note:
            note(f"The cache of embeddings was damaged ({error}). It is made again.")
    return _read(path, embedder, texts, done, note)


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Tell whether the file is at fault, and not a full disk or another process."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    return code & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}


def _forget(path: Path) -> None:
    for end in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + end).unlink(missing_ok=True)


def _read(
    path: Path,
    embedder: Embedder,
    texts: Sequence[Spanned],
    done: Callable[[int, int], None] | None,
    note: Callable[[str], None] | None,
) -> list[Reading]:
    keys = [_key(embedder, text) for text in texts]
    with closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA journal_mode=WAL")
        _prepare(base)
        known, damaged = _all_known(base, set(keys))
        if damaged and note:
            note(f"{damaged} of the embeddings in the cache were damaged. They are made again.")
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
                    "INSERT OR REPLACE INTO reading (key, whole, spans, tokens, counts, sum)"
                    " VALUES (?,?,?,?,?,?)",
                    map(_row, batch, readings),
                )
    if done:
        done(len(texts), reused)
    return [known[key] for key in keys]


def _prepare(base: sqlite3.Connection) -> None:
    base.execute(
        "CREATE TABLE IF NOT EXISTS reading"
        " (key BLOB PRIMARY KEY, whole BLOB, spans BLOB, tokens BLOB, counts BLOB, sum BLOB)"
    )
    if not any(row[1] == "sum" for row in base.execute("PRAGMA table_info(reading)")):  # an earlier release's
        base.execute("ALTER TABLE reading ADD COLUMN sum BLOB")


def _all_known(base: sqlite3.Connection, keys: set[bytes]) -> tuple[dict[bytes, Reading], int]:
    """Return what is known under these keys, and how many rows are not what was written."""
    known: dict[bytes, Reading] = {}
    damaged = 0
    for key in keys:
        row = base.execute(
            "SELECT whole, spans, tokens, counts, sum FROM reading WHERE key=?", (key,)
        ).fetchone()
        if row is None or row[4] is None:
            continue
        if all(isinstance(one, bytes) for one in row) and _sum(key, row[:4]) == row[4]:
            known[key] = _reading(*row[:4])
        else:
            damaged += 1
    return known, damaged


def keys(embedder: Embedder, texts: Sequence[Spanned]) -> Keys:
    """Return under what each text's vectors are kept."""
    whole = b"".join(_key(embedder, text) for text in texts)
    return np.frombuffer(whole, dtype=np.uint8).reshape(-1, hashlib.sha256().digest_size)


def prune(path: Path, keep: Iterable[Keys]) -> int:
    """Forget everything but what is kept under these keys, to the last byte; return how much that was.

    A damaged cache is forgotten whole: the next ingest makes it again.
    """
    if not path.exists():
        return 0
    try:
        return _pruned(path, keep)
    except sqlite3.DatabaseError as error:
        if not _is_damage(error):
            raise
        logger.warning("The cache of embeddings was damaged (%s). The next ingest makes it again.", error)
        _forget(path)
        return 0


def _pruned(path: Path, keep: Iterable[Keys]) -> int:
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
    values = tuple(array.tobytes() for array in (reading.whole, spans, reading.tokens, reading.counts))
    return (key, *values, _sum(key, values))


def _sum(key: bytes, values: Sequence[bytes]) -> bytes:
    whole = hashlib.sha256(key)
    for value in values:
        whole.update(hashlib.sha256(value).digest())
    return whole.digest()


def _reading(whole: bytes, spans: bytes, tokens: bytes, counts: bytes) -> Reading:
    return Reading(
        whole=np.frombuffer(whole, dtype=np.float32),
        spans=np.frombuffer(spans, dtype=np.float16).reshape(-1, WIDTH).astype(np.float32),
        tokens=np.frombuffer(tokens, dtype=np.int8).reshape(-1, SHORT),
        counts=np.frombuffer(counts, dtype=np.int32),
    )
