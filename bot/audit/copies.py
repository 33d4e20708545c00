"""Copies of the signed checkpoints in a second place: a file outside the database that is only ever added to.

They prove what the record held. Whoever cuts the record short, or rewrites it with the signing key in hand,
has to reach the copies as well.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from bot.audit.export import checkpoint_line
from graphs.audit import checkpoints
from graphs.audit.checkpoints import Checkpoint
from graphs.ports import Connection

_TAIL = 16_384  # bytes: more than two lines


class Rewound(Exception):
    """A checkpoint of which there is a copy is not in the database: its record was cut off or rewritten."""


class Copies:
    """The copies of one tenant's checkpoints."""

    def __init__(self, folder: Path, tenant: str) -> None:
        self.path = folder / f"{tenant}.jsonl"
        self._copied: int | None = None

    async def sweep(self, conn: Connection) -> int:
        """Copy the checkpoints that are new, and return how many. Raises Rewound, OSError."""
        last = await checkpoints.latest(conn)
        covered = last.seq if last is not None else 0
        if covered == self._copied:
            return 0
        with self._opened() as file:
            missing = await self._missing(conn, _last_line(file))
            file.write(b"".join(checkpoint_line(one) for one in missing))
            file.flush()
            os.fsync(file.fileno())
        self._copied = covered
        return len(missing)

    async def _missing(self, conn: Connection, kept: bytes) -> list[Checkpoint]:
        """Return the checkpoints behind the last copy, which must be among those that the database has."""
        if not kept:
            return await checkpoints.after(conn, 0)
        seq = int(json.loads(kept)["checkpoint"]["seq"])
        found = await checkpoints.after(conn, seq - 1)
        if not found or checkpoint_line(found[0]) != kept:
            raise Rewound(f"the last checkpoint in {self.path}, of event {seq}, is not in the database")
        return found[1:]

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        """Open the file for this process alone, at its end."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file


def _last_line(file: BinaryIO) -> bytes:
    """Return the last whole line and stand behind it. What a crash left half written is taken away."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
    begun = file.tell()
    tail = file.read()
    file.seek(begun + tail.rfind(b"\n") + 1)
    file.truncate()
    lines = tail[: tail.rfind(b"\n") + 1].splitlines(keepends=True)
    return lines[-1] if lines else b""
