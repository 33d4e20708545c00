"""The one clock: the database's, moved only in a demo."""

from datetime import datetime

from graphs.ports import Connection


class DatabaseClock:
    """Tells the time in UTC, to the millisecond."""

    async def now(self, conn: Connection) -> datetime:
        """Return the time of this moment."""
        cursor = await conn.execute("SELECT moment() AS now")
        row = await cursor.fetchone()
        assert row is not None  # a SELECT without FROM has one row
        now: datetime = row["now"]
        return now
