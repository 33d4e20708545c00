"""What survives a restart: JSON records in one SQLite file, written in one transaction per request."""

import json
import sqlite3
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
    kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, key)
) WITHOUT ROWID
"""


class Store:
    """Records by kind and key. Without a folder nothing is kept.

    A process killed with SIGKILL loses at most the request that it had not answered yet.
    """

    def __init__(self, folder: Path | None) -> None:
        self._pending: dict[tuple[str, str], Any] = {}
        self._database: sqlite3.Connection | None = None
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._database = sqlite3.connect(folder / "workspace.sqlite3", isolation_level=None)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.execute(_SCHEMA)

    def load(self, kind: str) -> dict[str, Any]:
        """Return the records of `kind` by key, in the order of their keys."""
        if self._database is None:
            return {}
        rows = self._database.execute("SELECT key, value FROM record WHERE kind = ? ORDER BY key", (kind,))
        return {key: json.loads(value) for key, value in rows}

    def put(self, kind: str, key: str, value: Any) -> None:
        """Keep `value`; it is written as it stands at the next flush, and must not be None."""
        if self._database is not None:
            self._pending[kind, key] = value

    def remove(self, kind: str, key: str) -> None:
        """Forget a record."""
        if self._database is not None:
            self._pending[kind, key] = None

    def flush(self) -> None:
        """Write everything that changed, in one transaction."""
        if self._database is None or not self._pending:
            return
        pending, self._pending = self._pending, {}
        with self._database:
            self._database.execute("BEGIN")
            for (kind, key), value in pending.items():
                if value is None:
                    self._database.execute("DELETE FROM record WHERE kind = ? AND key = ?", (kind, key))
                else:
                    row = (kind, key, json.dumps(value))
                    self._database.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?)", row)

    def close(self) -> None:
        """Write what is pending and close the file."""
        self.flush()
        if self._database is not None:
            self._database.close()
            self._database = None
