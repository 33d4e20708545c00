"""How the pool of connections is used where nothing is written."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg_pool import AsyncConnectionPool

from graphs.ports import Connection


@asynccontextmanager
async def reading(pool: AsyncConnectionPool[Connection]) -> AsyncIterator[Connection]:
    """Lend a connection for reads, without a transaction around them: each sees what is committed by then."""
    async with pool.connection() as conn:
        await conn.set_autocommit(True)
        try:
            yield conn
        finally:
            await conn.set_autocommit(False)
