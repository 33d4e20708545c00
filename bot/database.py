"""PostgreSQL: embedded by default, yours by URL; brought up to date, then pooled for the application role."""

import json
import select
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow, TupleRow, dict_row
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from bot.storage import external
from bot.storage.cluster import APPLICATION_ROLE, DatabaseUnavailable
from bot.storage.embedded import Embedded
from bot.storage.migrations import SCHEMA, Plan, Source, sources
from bot.storage.session import CONNECT_TIMEOUT, RECONNECT, SessionConnection, try_again
from graphs.audit import Book, Bookish

__all__ = ["Database", "DatabaseUnavailable", "Pool", "open_database", "open_owner"]

Pool = AsyncConnectionPool[AsyncConnection[DictRow]]

_OPTIONS = f"-c search_path={SCHEMA} -c timezone=UTC"
_IDLE = (
    "-c idle_in_transaction_session_timeout=20000"  # a process that was stopped lets go of the rows it holds
)
_SILENT = 10.0  # seconds after which a network may have forgotten a connection


@dataclass(frozen=True, kw_only=True, slots=True)
class Database:
    """An open database that fits this release. Everything in it runs as the application role."""

    pool: Pool
    saver_pool: Pool  # as LangGraph's saver wants it: autocommit, and nothing prepared
    conninfo: str  # for `bot.storage.session`; in your own database it may hold a password
    book: Book  # of the record; closed until its keys are given


@asynccontextmanager
async def open_database(
    home: Path,
    url: str | None,
    *,
    owner_url: str | None = None,
    tenant: str = "main",
    migrations: Sequence[Source] | None = None,
) -> AsyncIterator[Database]:
    """Open the database of a home, embedded or at `url`, and bring it up to date.

    `owner_url` is another login for migrating, where the application's own may not. Raises
    DatabaseUnavailable.
    """
    async with AsyncExitStack() as stack:
        application, owner = await _places(stack, home, url, owner_url)
        await _migrate(application, owner, sources() if migrations is None else migrations)
        conninfo = external.application(application, f"{_OPTIONS} {_IDLE} -c countersign.tenant={tenant}")
        if url is not None:  # a pool would hide why it cannot connect
            async with external.connection(conninfo, ""):
                pass
        book = Book()
        pool = await stack.enter_async_context(_open_pool(conninfo, "application", book, autocommit=False))
        saver_pool = await stack.enter_async_context(
            _open_pool(conninfo, "checkpoints", book, autocommit=True)
        )
        yield Database(pool=pool, saver_pool=saver_pool, conninfo=conninfo, book=book)


@asynccontextmanager
async def open_owner(
    home: Path, url: str | None, *, owner_url: str | None = None
) -> AsyncIterator[AsyncConnection[TupleRow]]:
    """A connection of the owner's role, for the little that the application may not do itself.

    It is in autocommit mode. Raises DatabaseUnavailable.
    """
    async with AsyncExitStack() as stack:
        application, owner = await _places(stack, home, url, owner_url)
        conn = await stack.enter_async_context(external.connection(owner, _OPTIONS))
        await external.prepare(conn, _user(application, conn))
        set_json_loads(_plain, conn)
        yield conn


async def _places(
    stack: AsyncExitStack, home: Path, url: str | None, owner_url: str | None
) -> tuple[str, str]:
    """How the application and the owner connect."""
    if url is None:
        owner = await stack.enter_async_context(Embedded(home))
        application = make_conninfo(owner, user=APPLICATION_ROLE)
    else:
        application = external.parse(url, "COUNTERSIGN_DATABASE_URL")
        owner = application if owner_url is None else external.parse(owner_url, "the owner's database URL")
        for place in {application, owner}:
            await external.require_sessions(place)
    named = {"application_name": "countersign"}
    return make_conninfo(application, **named), make_conninfo(owner, **named)


async def _migrate(application: str, owner: str, migrations: Sequence[Source]) -> None:
    plan = Plan(migrations)
    async with external.connection(owner, _OPTIONS) as conn:
        await external.prepare(conn, _user(application, conn))
        if not await plan.is_done(conn):
            await plan.apply(conn)


def _user(application: str, conn: AsyncConnection[TupleRow]) -> str:
    return str(conninfo_to_dict(application).get("user") or conn.info.user)


class _Pooled(SessionConnection[dict[str, Any]], Bookish):
    """A connection of our pools."""

    used_at = 0.0  # when it was last given out


async def _check(conn: AsyncConnection[DictRow]) -> None:
    """Raise if the server has gone, before anybody uses the connection: one that came back costs no error.

    It costs no round trip either while the connection is in use: a server that ends closes it, which makes
    the socket readable, and an idle connection has nothing else to say.
    """
    assert isinstance(conn, _Pooled)
    now = time.monotonic()
    if now - conn.used_at > _SILENT or _is_readable(conn.fileno()):
        await AsyncConnectionPool.check_connection(conn)
    conn.used_at = now


def _is_readable(socket: int) -> bool:
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))


def _plain(text: str | bytes) -> Any:
    """Return what JSON says; nothing where it says more than can be read, as only a stranger writes it."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


@asynccontextmanager
async def _open_pool(conninfo: str, name: str, book: Book, *, autocommit: bool) -> AsyncIterator[Pool]:
    async def know(conn: AsyncConnection[DictRow]) -> None:
        assert isinstance(conn, Bookish)
        conn.book = book
        set_json_loads(_plain, conn)

    kwargs: dict[str, object] = {"row_factory": dict_row, "autocommit": autocommit}
    if autocommit:
        kwargs["prepare_threshold"] = 0
    pool: Pool = AsyncConnectionPool(
        conninfo,
        connection_class=_Pooled,
        configure=know,
        kwargs=kwargs,
        min_size=1,
        max_size=10,
        name=name,
        open=False,
        check=_check,
        reconnect_timeout=RECONNECT,
        reconnect_failed=try_again,
    )
    try:
        await pool.open(wait=True, timeout=CONNECT_TIMEOUT)
    except PoolTimeout:
        await pool.close()
        raise DatabaseUnavailable(
            "The database gives us no connection. Are there too many? Raise its max_connections."
        ) from None
    async with pool:
        yield pool
