"""Which edition serves, and which did before.

`editions/current` decides. It holds the id of the edition that serves or, in a home that has a database, the
word `database`: then the database decides, and nothing in the file can contradict it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol

from knowledge.errors import DamagedEdition, ServesElsewhere

EDITIONS, CURRENT, HISTORY = "editions", "current", "history.jsonl"
DATABASE = "database"
Why = Literal["ingest", "activate", "sync"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Activation:
    """An edition was made to serve."""

    edition: str
    at: datetime
    by: str
    why: Why


class Serving(Protocol):
    """Says which edition serves, and makes another one serve. Its methods block."""

    def current(self) -> str | None:
        """Return the id of the edition that serves, or None. Raises DamagedEdition and ServesElsewhere."""

    def activate(self, edition: str, *, by: str, why: Why) -> None:
        """Let an edition serve from now on, and record it. One that serves already is left as it is."""

    def history(self) -> Sequence[Activation]:
        """Return every activation, oldest first; the last one's edition serves."""


class CurrentFile:
    """What serves in a home without a database: `editions/current`, with `history.jsonl` beside it."""

    def __init__(self, home: Path) -> None:
        self._editions = home / EDITIONS

    def current(self) -> str | None:
        """Return the id in the file. Raises ServesElsewhere where a database decides."""
        named = read(self._editions)
        if named == DATABASE:
            raise ServesElsewhere(
                f"Which edition serves in {self._editions.parent} is in its database, which is not at hand "
                "here. Name it: set COUNTERSIGN_DATABASE_URL, or database_url in countersign.toml."
            )
        return named

    def activate(self, edition: str, *, by: str, why: Why) -> None:
        """Swap the file: readers see the old edition or the new one, never neither."""
        self._editions.mkdir(parents=True, exist_ok=True, mode=0o700)
        with swapping(self._editions):
            if self._readable() == edition:
                return
            line = {"edition": edition, "at": datetime.now(UTC).isoformat(), "by": by, "why": why}
            with (self._editions / HISTORY).open("a", encoding="utf-8") as file:
                file.write(f"{json.dumps(line, ensure_ascii=False)}\n")
                file.flush()
                os.fsync(file.fileno())
            write(self._editions, edition)

    def _readable(self) -> str | None:
        """Return the id in the file; None also for a damaged file, which is about to be replaced."""
        try:
            return self.current()
        except DamagedEdition:
            return None

    def history(self) -> list[Activation]:
        """Return every activation that took effect: a kill before the swap leaves a line too many."""
        current = self.current()
        try:
            lines = (self._editions / HISTORY).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            lines = []
        found = [one for line in lines if (one := _activation(line)) is not None]
        while found and found[-1].edition != current:
            found.pop()
        return found


def _activation(line: str) -> Activation | None:
    try:
        row = json.loads(line)
        at = datetime.fromisoformat(row["at"])
        return Activation(edition=row["edition"], at=at, by=row["by"], why=row["why"])
    except (ValueError, KeyError, TypeError):  # the disk was full in the middle of it
        return None


def read(editions: Path) -> str | None:
    """Return what `current` says: an id, DATABASE, or None where there is no file. Raises DamagedEdition."""
    path = editions / CURRENT
    try:
        name = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DamagedEdition(f"{path} cannot be read. Ingest again.") from error
    if not name.isalnum():
        raise DamagedEdition(f"{path} names no edition. Ingest again.")
    return name


def write(editions: Path, name: str) -> None:
    """Put an id, or DATABASE, into `current`, at once and for good."""
    new = editions / f".{CURRENT}-new"
    with new.open("w", encoding="ascii") as file:
        file.write(f"{name}\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(editions / CURRENT)
    sync(editions)


def sync(folder: Path) -> None:
    """Make what was created and renamed in a folder safe on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def swapping(editions: Path) -> Iterator[None]:
    """Hold the lock under which what serves may change, and under which old editions are removed."""
    with (editions / ".swap").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
