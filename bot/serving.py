"""Which edition serves, in PostgreSQL: a row for every activation, the newest of which decides.

A home has a database when the embedded one has data, or when a URL is configured. From then on
`editions/current` says so, and the edition that the file named until then is taken over into the row.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar

import psycopg
from psycopg.rows import TupleRow

from bot.settings import Settings, load
from bot.storage.session import connect
from knowledge import serving
from knowledge.errors import DamagedEdition, KnowledgeError, ServesElsewhere
from knowledge.serving import Activation, CurrentFile, Serving, Why

Connection: TypeAlias = psycopg.Connection[TupleRow]
Answered = TypeVar("Answered")

_NEWEST = "SELECT edition FROM edition_activation ORDER BY seq DESC LIMIT 1"
_ALL = "SELECT edition, at, by, why FROM edition_activation ORDER BY seq"
_INSERT = "INSERT INTO edition_activation (edition, by, why) VALUES (%s, %s, %s)"
_TAKE_OVER = "INSERT INTO edition_activation (edition, at, by, why) VALUES (%s, %s, %s, %s)"


class DatabaseSilent(KnowledgeError):
    """The database does not say which edition serves."""


class Rows:
    """What serves in a home with a database. `connect` gives a connection of the application role."""

    def __init__(self, home: Path, connect: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._home = home
        self._editions = home / serving.EDITIONS
        self._connect = connect

    def current(self) -> str | None:
        """Return the edition in the newest row. Raises DatabaseSilent."""
        with self._opened() as conn:
            return _newest(conn)

    def activate(self, edition: str, *, by: str, why: Why) -> None:
        """Write a row: readers see the old edition or the new one, never neither."""
        with self._opened() as conn, serving.swapping(self._editions):
            if _newest(conn) != edition:
                conn.execute(_INSERT, (edition, by, why))
            serving.write(self._editions, serving.DATABASE)

    def history(self) -> Sequence[Activation]:
        """Return every activation, oldest first."""
        with self._opened() as conn:
            return [
                Activation(edition=edition, at=at, by=by, why=why)
                for edition, at, by, why in conn.execute(_ALL).fetchall()
            ]

    @contextmanager
    def _opened(self) -> Iterator[Connection]:
        try:
            with self._connect() as conn:
                self._take_over(conn)
                yield conn
        except psycopg.Error as error:
            raise DatabaseSilent(f"The database does not say which edition serves: {error}.") from error

    def _take_over(self, conn: Connection) -> None:
        """Move what the file says into the database, where the file still decides. Doing it twice is safe."""
        if self._named() in {None, serving.DATABASE}:
            return
        with serving.swapping(self._editions):
            named = self._named()
            if named in {None, serving.DATABASE}:
                return
            if _newest(conn) != named:
                rows = CurrentFile(self._home).history()
                with conn.transaction():
                    for row in rows:
                        conn.execute(_TAKE_OVER, (row.edition, row.at, row.by, row.why))
                    if not rows:
                        conn.execute(_INSERT, (named, "", "ingest"))
            serving.write(self._editions, serving.DATABASE)

    def _named(self) -> str | None:
        """Return what the file says; None also where it says nothing that anybody could use."""
        with suppress(DamagedEdition):
            return serving.read(self._editions)
        return None


def _newest(conn: Connection) -> str | None:
    row = conn.execute(_NEWEST).fetchone()
    return None if row is None else str(row[0])


@contextmanager
def in_bot(home: Path, conninfo: str) -> Iterator[Serving]:
    """Yield what says which edition serves, for a process that keeps the database open.

    It has one connection of its own, made again when it was lost.
    """
    kept = _Kept(conninfo)
    try:
        yield Rows(home, kept.connection)
    finally:
        kept.close()


class OfHome:
    """What serves in a home, for a command: the home's database, else its file.

    Which of them is asked anew each time: a bot that starts while the command runs makes a database.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def current(self) -> str | None:
        """Return the edition that serves."""
        return self._asked(lambda where: where.current())

    def activate(self, edition: str, *, by: str, why: Why) -> None:
        """Let an edition serve."""
        self._asked(lambda where: where.activate(edition, by=by, why=why))

    def history(self) -> Sequence[Activation]:
        """Return every activation, oldest first."""
        return self._asked(lambda where: where.history())

    def _asked(self, ask: Callable[[Serving], Answered]) -> Answered:
        try:
            return ask(self._where())
        except ServesElsewhere:
            if not has_database(self._settings):
                raise
            return ask(self._where())  # it was made a moment ago

    def _where(self) -> Serving:
        if has_database(self._settings):
            return Rows(self._settings.home, partial(_momentary, self._settings))
        return CurrentFile(self._settings.home)


def of_home(home: Path, config: Path | None = None) -> Serving:
    """Return what says which edition serves, for a command.

    `config` is the settings' file, where it is not the home's. The embedded server is started for the moment
    where it does not run. Raises SettingsError.
    """
    return OfHome(load(home, config))


def has_database(settings: Settings) -> bool:
    """Whether the home has a database: the embedded one has data, or a URL is configured."""
    return settings.database_url is not None or (settings.home / "postgres" / "data").exists()


class _Kept:
    """One connection for a whole process, for one thread at a time."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._lock = threading.Lock()
        self._conn: Connection | None = None
        self._closed = False

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        with self._lock:
            if self._closed:  # a thread that comes late would leave a connection open
                raise psycopg.OperationalError("this process is ending")
            yield self._alive() or self._connected()

    def _alive(self) -> Connection | None:
        """Return the connection, unless it was lost since it was last used."""
        if self._conn is not None:
            with suppress(psycopg.Error):
                self._conn.execute("SELECT 1")
                return self._conn
            self._conn.close()
        return None

    def _connected(self) -> Connection:
        self._conn = connect(self._conninfo)
        return self._conn

    def close(self) -> None:
        """Let go of it."""
        with self._lock:
            self._closed = True
            if self._conn is not None:
                self._conn.close()


@contextmanager
def _momentary(settings: Settings) -> Iterator[Connection]:
    """Open the database as it would be for the bot, and close it again. Raises DatabaseUnavailable."""
    from bot.database import open_database  # noqa: PLC0415 - only a home with a database needs it

    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        database = runner.run(
            stack.enter_async_context(
                open_database(settings.home, settings.database_url, owner_url=settings.database_owner_url)
            )
        )
        try:
            with connect(database.conninfo) as conn:
                yield conn
        finally:
            runner.run(stack.aclose())
