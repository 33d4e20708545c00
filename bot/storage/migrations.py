"""Bring a database up to date, in order: our SQL files, procrastinate's schema, LangGraph's checkpoints.

Everything lives in the PostgreSQL schema `countersign`. Each package ships the SQL of what it owns, with its
own grants to the application role, as `schema/NNNN_name.sql`. A file that has been applied never changes.
"""

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import metadata, resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import cast

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow, TupleRow

from bot.storage.cluster import APPLICATION_ROLE, DatabaseUnavailable

SCHEMA = "countersign"

Connection = AsyncConnection[TupleRow]

_LOCK = 0x636F756E746572  # "counter", for pg_advisory_lock
_PATIENCE = 120.0  # seconds that another process may take to migrate
_FILE_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_PROCRASTINATE, _CHECKPOINTS = "procrastinate", "langgraph-checkpoint-postgres"

_JOURNAL = f"""
CREATE TABLE IF NOT EXISTS {SCHEMA}.migration (
    package text NOT NULL,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (package, name)
);
CREATE TABLE IF NOT EXISTS {SCHEMA}.library (
    name text PRIMARY KEY,
    version text NOT NULL
);
GRANT USAGE ON SCHEMA {SCHEMA} TO {APPLICATION_ROLE};
GRANT SELECT ON {SCHEMA}.migration, {SCHEMA}.library TO {APPLICATION_ROLE};
"""


class MigrationRefused(DatabaseUnavailable):
    """The database and this release of Countersign do not fit together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """The SQL files of one package."""

    package: str
    folder: Traversable


@dataclass(frozen=True, kw_only=True, slots=True)
class _File:
    package: str
    name: str
    text: bytes
    sha256: str


def sources() -> tuple[Source, ...]:
    """Countersign's own SQL, in the order in which it is applied."""
    return tuple(
        Source(package=package, folder=resources.files(package) / "schema") for package in ("graphs", "bot")
    )


class Plan:
    """What a database must have had applied to it for this release to run on it."""

    def __init__(self, migrations: Sequence[Source]) -> None:
        self._packages = {source.package for source in migrations}
        self._files = [file for source in migrations for file in _read(source)]
        self._libraries = {name: metadata.version(name) for name in (_PROCRASTINATE, _CHECKPOINTS)}

    async def is_done(self, conn: Connection) -> bool:
        """Whether nothing is left to do. Raises MigrationRefused when the two do not fit together."""
        return not await self._missing(conn) and not await self._outdated(conn)

    async def apply(self, conn: Connection) -> None:
        """Do what is left. `conn` is the owner's, in autocommit mode.

        Several processes may try at once: one does it, the others wait. Raises MigrationRefused,
        DatabaseUnavailable.
        """
        async with alone(conn):
            await conn.execute(_JOURNAL.encode())
            for file in await self._missing(conn):
                await _apply(conn, file)
            for name in await self._outdated(conn):
                await (_procrastinate if name == _PROCRASTINATE else _checkpoints)(conn)
                await conn.execute(
                    "INSERT INTO library (name, version) VALUES (%s, %s)"
                    " ON CONFLICT (name) DO UPDATE SET version = excluded.version",
                    (name, self._libraries[name]),
                )

    async def _missing(self, conn: Connection) -> list[_File]:
        applied = await _applied(conn)
        known = {(file.package, file.name) for file in self._files}
        for (package, name), sha256 in applied.items():
            if package in self._packages and (package, name) not in known:
                raise MigrationRefused(
                    f"The database is newer than this release: it has had {package}/schema/{name} applied. "
                    "Start the newer release of Countersign."
                )
            if any(f.sha256 != sha256 for f in self._files if (f.package, f.name) == (package, name)):
                raise MigrationRefused(
                    f"{package}/schema/{name} changed after it was applied to this database. "
                    "Restore the file, and put the change into a new one."
                )
        return [file for file in self._files if (file.package, file.name) not in applied]

    async def _outdated(self, conn: Connection) -> list[str]:
        if not await _exists(conn, "library"):
            return list(self._libraries)
        cursor = await conn.execute("SELECT name, version FROM library")
        found: dict[str, str] = dict(await cursor.fetchall())
        return [name for name, version in self._libraries.items() if found.get(name) != version]


def _read(source: Source) -> list[_File]:
    if not source.folder.is_dir():
        return []
    files: dict[str, _File] = {}
    for entry in sorted(source.folder.iterdir(), key=lambda entry: entry.name):
        if not entry.name.endswith(".sql"):
            continue
        number = _FILE_NAME.fullmatch(entry.name)
        if number is None:
            raise MigrationRefused(f"{source.package}/schema/{entry.name} is not named like 0001_words.sql.")
        if twin := files.get(number[1]):
            raise MigrationRefused(
                f"{source.package}/schema has {number[1]} twice: {twin.name} and {entry.name}."
            )
        text = entry.read_bytes().replace(b"\r\n", b"\n")
        digest = hashlib.sha256(text).hexdigest()
        files[number[1]] = _File(package=source.package, name=entry.name, text=text, sha256=digest)
    return list(files.values())


async def _apply(conn: Connection, file: _File) -> None:
    async with conn.transaction():
        try:
            await conn.execute(file.text)
        except psycopg.Error as error:
            raise MigrationRefused(
                f"{file.package}/schema/{file.name} cannot be applied: {error.diag.message_primary or error}"
            ) from error
        await conn.execute(
            "INSERT INTO migration (package, name, sha256) VALUES (%s, %s, %s)",
            (file.package, file.name, file.sha256),
        )


async def _procrastinate(conn: Connection) -> None:
    """Install procrastinate's schema, or apply its migrations since the version on record."""
    from procrastinate.schema import SchemaManager  # noqa: PLC0415 - only a migration needs it

    recorded = await _recorded(conn, _PROCRASTINATE)
    async with conn.transaction():
        if recorded is None:
            await conn.execute(SchemaManager.get_schema().encode())
        else:
            for text in _newer_files(Path(SchemaManager.get_migrations_path()), recorded):
                await conn.execute(text)
        await _grant(conn, "procrastinate")


def _newer_files(folder: Path, version: str) -> list[bytes]:
    """Procrastinate names its migrations by the release they came with: 03.04.00_01_pre_….sql."""
    files = sorted(path for path in folder.glob("*.sql") if _number(path.name) > _number(version))
    return [path.read_bytes() for path in files]


async def _checkpoints(conn: Connection) -> None:
    """Let LangGraph bring its own tables up to date."""
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver  # noqa: PLC0415 - imports for seconds

    await _recorded(conn, _CHECKPOINTS)
    await AsyncPostgresSaver(
        cast("AsyncConnection[DictRow]", conn)
    ).setup()  # its cursors make their own rows
    await _grant(conn, "checkpoint")


async def _recorded(conn: Connection, library: str) -> str | None:
    """The version of a library that made its tables. Raises MigrationRefused when it is newer than ours."""
    cursor = await conn.execute("SELECT version FROM library WHERE name = %s", (library,))
    row = await cursor.fetchone()
    if row is None:
        return None
    recorded = str(row[0])
    if _number(recorded) > _number(installed := metadata.version(library)):
        raise MigrationRefused(
            f"The database is newer than this release: its tables of {library} are of version {recorded}, "
            f"and {installed} is installed. Start the newer release of Countersign."
        )
    return recorded


async def _grant(conn: Connection, prefix: str) -> None:
    """Give the application role full use of a library's tables and sequences."""
    cursor = await conn.execute(
        "SELECT oid::regclass::text, relkind = 'S' FROM pg_class"
        " WHERE relnamespace = %s::regnamespace AND starts_with(relname, %s) AND relkind IN ('r', 'S')",
        (SCHEMA, prefix),
    )
    for relation, is_sequence in await cursor.fetchall():
        rights = "USAGE, SELECT ON SEQUENCE" if is_sequence else "SELECT, INSERT, UPDATE, DELETE ON TABLE"
        await conn.execute(f"GRANT {rights} {relation} TO {APPLICATION_ROLE}".encode())


async def _applied(conn: Connection) -> dict[tuple[str, str], str]:
    if not await _exists(conn, "migration"):
        return {}
    cursor = await conn.execute("SELECT package, name, sha256 FROM migration")
    return {(package, name): sha256 for package, name, sha256 in await cursor.fetchall()}


async def _exists(conn: Connection, table: str) -> bool:
    cursor = await conn.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{SCHEMA}.{table}",))
    row = await cursor.fetchone()
    return row is not None and bool(row[0])


@asynccontextmanager
async def alone(conn: Connection) -> AsyncIterator[None]:
    """Hold the advisory lock. It is polled: a process that waits inside the server holds a snapshot, for
    which LangGraph's CREATE INDEX CONCURRENTLY, run by the process that has the lock, would wait in turn.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        cursor = await conn.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,))
        row = await cursor.fetchone()
        if row is not None and row[0]:
            break
        if time.monotonic() > deadline:
            raise DatabaseUnavailable(
                f"Another process has been migrating the database for {_PATIENCE:.0f} s. "
                "Look at it, end it, and start again."
            )
        await asyncio.sleep(0.05)
    try:
        yield
    finally:
        await conn.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
