"""Where the sandbox directory keeps its records: memory to read from, SQLite to survive a kill."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from scim2_models import Resource, ResourceType, ScimProvider
from scim2_server.memory import InMemoryStorage

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resource (
    type TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (type, id));
CREATE TABLE IF NOT EXISTS membership_change (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, group_id TEXT NOT NULL, group_name TEXT NOT NULL,
    person TEXT NOT NULL, change TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


class StateInUse(Exception):
    """Another process serves this folder."""


class SqliteStorage(InMemoryStorage):
    """scim2-server's storage, with every change on disk before it is answered.

    Memberships that change are logged in the transaction that changes them: the log is a witness that
    depends on nothing that the client says or remembers. One process may use a file at a time.
    """

    def __init__(
        self, path: Path, provider: ScimProvider, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        super().__init__(clock=clock)
        self._provider = provider
        self._given_ids: dict[str, str] = {}
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0.5)
        try:
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(f"BEGIN EXCLUSIVE;{_SCHEMA}COMMIT;")
        except sqlite3.OperationalError as error:
            self._db.close()
            if "locked" in str(error):
                raise StateInUse(str(path)) from error
            raise
        self._load()

    def _load(self) -> None:
        types = {str(kind.name): kind for kind in self._provider.resource_types}
        rows = self._db.execute("SELECT type, body FROM resource").fetchall()
        self.resources = [self._model(types[kind]).model_validate_json(body) for kind, body in rows]
        row = self._db.execute("SELECT value FROM counter WHERE name = 'version'").fetchone()
        self.versions = count(row[0] + 1 if row else 1)

    def _model(self, resource_type: ResourceType) -> Any:
        return self._provider.model_for(resource_type)

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def clear(self) -> None:
        """Forget every record and every change, on disk too."""
        with self._transaction():
            for table in ("resource", "membership_change", "counter", "sqlite_sequence"):
                self._db.execute(f"DELETE FROM {table}")  # names of ours
            self._load()

    def seed(self, resource_type: ResourceType, records: Iterable[dict[str, Any]]) -> None:
        """Create the records with the ids that they carry, unless there are any of their type already."""
        if any(found.meta and found.meta.resource_type == resource_type.name for found in self.resources):
            return
        with self._transaction():
            for record in records:
                resource = self._model(resource_type).model_validate(record)
                resource.id = str(record["id"])
                stored = super().create(resource_type, resource)
                self._write(stored)

    def generate_id(self, resource_type: ResourceType, resource: Resource[Any]) -> str:
        """The id that a seeded record carries; a random one for any other."""
        return resource.id or super().generate_id(resource_type, resource)

    def create(self, resource_type: ResourceType, resource: Resource[Any]) -> Resource[Any]:
        """Store a new record, on disk too."""
        fresh = resource.model_copy(update={"id": None})
        with self._transaction():
            stored = super().create(resource_type, fresh)
            self._write(stored)
            self._log(None, stored)
        return stored

    def update(
        self, resource_type: ResourceType, resource: Resource[Any], *, expected_version: str | None = None
    ) -> Resource[Any]:
        """Replace a record, on disk too."""
        with self._transaction():
            before = self.get(resource_type, str(resource.id))
            stored = super().update(resource_type, resource, expected_version=expected_version)
            self._write(stored)
            self._log(before, stored)
        return stored

    def delete(
        self, resource_type: ResourceType, resource_id: str, *, expected_version: str | None = None
    ) -> None:
        """Delete a record, on disk too."""
        with self._transaction():
            before = self.get(resource_type, resource_id)
            super().delete(resource_type, resource_id, expected_version=expected_version)
            self._db.execute(
                "DELETE FROM resource WHERE type = ? AND id = ?", (resource_type.name, resource_id)
            )
            self._log(before, None)

    def log(self, after: int = 0) -> list[dict[str, Any]]:
        """Every change of a membership behind that number, oldest first."""
        cursor = self._db.execute("SELECT * FROM membership_change WHERE seq > ? ORDER BY seq", (after,))
        names = [column[0] for column in cursor.description]
        return [
            {
                name: json.loads(value) if name in ("before", "after") else value
                for name, value in zip(names, row, strict=True)
            }
            for row in cursor
        ]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Memory and disk change together, or neither does."""
        with self.lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                self._load()
                raise

    def _write(self, stored: Resource[Any]) -> None:
        kind = stored.meta.resource_type if stored.meta else None
        self._db.execute(
            "INSERT OR REPLACE INTO resource VALUES (?, ?, ?)", (kind, stored.id, stored.model_dump_json())
        )
        number = int(str(stored.meta.version if stored.meta else '"0"').split('"')[1])
        self._db.execute("INSERT OR REPLACE INTO counter VALUES ('version', ?)", (number,))

    def _log(self, before: Resource[Any] | None, after: Resource[Any] | None) -> None:
        group = after or before
        then, now = _members(before), _members(after)
        for person in sorted(then ^ now):
            self._db.execute(
                "INSERT INTO membership_change (at, group_id, group_name, person, change, before, after)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    self.clock().isoformat(timespec="milliseconds"),
                    group.id if group else "",
                    getattr(group, "display_name", None) or "",
                    person,
                    "added" if person in now else "removed",
                    json.dumps(sorted(then)),
                    json.dumps(sorted(now)),
                ),
            )


def _members(resource: Resource[Any] | None) -> set[str]:
    return {str(member.value) for member in getattr(resource, "members", None) or [] if member.value}
