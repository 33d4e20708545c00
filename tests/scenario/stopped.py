"""The database's clock, stopped: what happens a millisecond before a deadline, and at it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

from psycopg import sql

from bot.database import open_owner


class StoppedClock:
    """Stands where it is put."""

    def __init__(self, home: Path) -> None:
        self._home = home

    async def stand(self, at: datetime, *, off: timedelta = timedelta()) -> None:
        """Stand at a time, `off` it by a little."""
        moment = sql.Literal((at + off).isoformat())
        async with open_owner(self._home, None) as conn:
            await conn.execute(
                sql.SQL(
                    "CREATE OR REPLACE FUNCTION moment() RETURNS timestamptz LANGUAGE sql VOLATILE"
                    " AS $$ SELECT {}::timestamptz $$"
                ).format(moment)
            )


@asynccontextmanager
async def stopped(home: Path) -> AsyncIterator[StoppedClock]:
    """Hand out the clock; it goes on afterwards."""
    async with open_owner(home, None) as conn:
        cursor = await conn.execute("SELECT pg_get_functiondef('moment()'::regprocedure)")
        row = await cursor.fetchone()
    assert row is not None
    try:
        yield StoppedClock(home)
    finally:
        async with open_owner(home, None) as conn:
            await conn.execute(row[0].encode())
