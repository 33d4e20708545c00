"""The bots that share this database, and the sockets to Slack that each of them holds."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.database import Pool
from graphs.ports import Connection

BEAT = 5.0  # seconds between two signs of life
SILENT = 600  # seconds after which a bot that gave none is counted no more: it may only have been stopped


@dataclass(frozen=True, kw_only=True, slots=True)
class Bot:
    """A bot that has shown itself within ten minutes. `refused`: why Slack opens it no socket."""

    id: str
    sockets: int
    refused: str | None
    started_at: datetime
    seen_at: datetime


class Bots:
    """This bot's own entry among them. `app`: Slack's id of the app."""

    def __init__(self, pool: Pool, app: str) -> None:
        self._pool = pool
        self._app = app
        self._id = secrets.token_hex(8)

    async def hold(self, sockets: int, refused: str | None = None) -> None:
        """Write down how many sockets this bot holds or is about to open, and that it is there."""
        async with self._pool.connection() as conn:
            await conn.execute(
                "INSERT INTO bot_process (id, app, sockets, refused) VALUES (%s, %s, %s, %s)"
                " ON CONFLICT (tenant, id) DO UPDATE SET sockets = excluded.sockets,"
                " refused = excluded.refused, seen_at = excluded.seen_at",
                (self._id, self._app, sockets, refused),
            )
            await conn.execute("DELETE FROM bot_process WHERE seen_at < clock_timestamp() - interval '1 day'")

    async def sockets(self) -> int:
        """Return how many sockets all of them hold at most."""
        async with self._pool.connection() as conn:
            return sum(bot.sockets for bot in await bots(conn, self._app))

    async def leave(self) -> None:
        """Take this bot out of the list: it has closed its sockets."""
        async with self._pool.connection() as conn:
            await conn.execute("DELETE FROM bot_process WHERE id = %s", (self._id,))


async def bots(conn: Connection, app: str | None = None) -> Sequence[Bot]:
    """Return the bots that have shown themselves lately, those of one Slack app where it is named."""
    cursor = await conn.execute(
        "SELECT id, sockets, refused, started_at, seen_at FROM bot_process"
        " WHERE seen_at > clock_timestamp() - make_interval(secs => %s)"
        " AND seen_at < clock_timestamp() + make_interval(secs => %s)"
        " AND (%s::text IS NULL OR app = %s) ORDER BY started_at",
        (SILENT, SILENT, app, app),
    )
    return [Bot(**row) for row in await cursor.fetchall()]
