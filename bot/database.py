"""PostgreSQL: embedded by default, yours by URL; brought up to date, then pooled for the application role."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.rows import DictRow, TupleRow, dict_row
from psycopg_pool import AsyncConnectionPool

from bot.cluster import APPLICATION_ROLE, DatabaseUnavailable
from bot.migrations import SCHEMA, Plan, Source, sources
from bot.postgres import Embedded

__all__ = ["Database", "DatabaseUnavailable", "Pool", "open_database"]

Pool = AsyncConnectionPool[AsyncConnection[DictRow]]

_OPTIONS = f"-c search_path={SCHEMA} -c timezone=UTC"
_CONNECT_TIMEOUT = 10  # seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Database:
    """An open database that fits this release. Everything in it runs as the application role."""

    pool: Pool
    saver_pool: Pool  # as LangGraph's saver wants it: autocommit, and nothing prepared
    conninfo: str  # for procrastinate's own pool


@asynccontextmanager
async def open_database(
    home: Path,
    url: str | None,
    *,
    owner_url: str | None = None,
    tenant: str = "main",
    migrations: Sequence[Source] | None = None,
) -> AsyncIterator[Database]:
    """Open the database of a home: embedded, or at `url`. Raises DatabaseUnavailable."""
    async with AsyncExitStack() as stack:
        owner = await stack.enter_async_context(Embedded(home))
        application = make_conninfo(owner, user=APPLICATION_ROLE)
        await _migrate(owner, sources() if migrations is None else migrations)
        options = f"{_OPTIONS} -c countersign.tenant={tenant}"
        conninfo = make_conninfo(application, options=options, application_name="countersign")
        pool = await stack.enter_async_context(_pool(conninfo, "application", autocommit=False))
        saver_pool = await stack.enter_async_context(_pool(conninfo, "checkpoints", autocommit=True))
        yield Database(pool=pool, saver_pool=saver_pool, conninfo=conninfo)


async def _migrate(conninfo: str, migrations: Sequence[Source]) -> None:
    plan = Plan(migrations)
    options = make_conninfo(conninfo, options=_OPTIONS, application_name="countersign migration")
    async with await AsyncConnection[TupleRow].connect(options, autocommit=True) as conn:
        await conn.execute("CREATE SCHEMA IF NOT EXISTS countersign")
        if not await plan.is_done(conn):
            await plan.apply(conn)


def _pool(conninfo: str, name: str, *, autocommit: bool) -> Pool:
    kwargs: dict[str, object] = {"row_factory": dict_row, "autocommit": autocommit}
    if autocommit:
        kwargs["prepare_threshold"] = 0
    return AsyncConnectionPool(
        conninfo,
        connection_class=AsyncConnection[DictRow],
        kwargs=kwargs,
        min_size=1,
        max_size=10,
        name=name,
        open=False,
        check=AsyncConnectionPool.check_connection,
    )
