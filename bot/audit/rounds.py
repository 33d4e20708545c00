"""What every worker does for the record, again and again: sign its end, copy that, let go of what is old."""

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from bot.audit.copies import Copies
from bot.blocks import beside
from bot.blocks.parts import Message
from bot.database import Pool
from graphs import audit
from graphs.audit import checkpoints, foreign, head, keeping

Tell = Callable[[str, Message], Awaitable[None]]

_HOUR = 3600.0  # seconds between two looks at what is past its time


class Rounds:
    """The rounds of one process. Any number may make them."""

    def __init__(self, pool: Pool, folder: Path, keep: timedelta, tell: Tell | None = None) -> None:
        """`tell` tells those who run the bot of something, once for each name."""
        self._pool = pool
        self._tell = tell
        self._told = 0  # the last event of which that is done
        self._folder = folder
        self._keep = keep
        self._copies: Copies | None = None
        self._looked: float | None = None

    async def sweep(self) -> None:
        """Do what is due. Raises copies.Rewound, and OSError where the second place cannot be written."""
        async with self._pool.connection() as conn:
            await checkpoints.sweep(conn)
        await self._tell_of_foreign()
        async with self._pool.connection() as conn:
            if self._copies is None:
                self._copies = Copies(self._folder, await head.tenant(conn))
            await self._copies.sweep(conn)
        if self._looked is None or time.monotonic() - self._looked > _HOUR:
            await self.expire()
            self._looked = time.monotonic()

    async def _tell_of_foreign(self) -> None:
        """Tell those who run the bot what somebody else has written into the record."""
        if self._tell is None:
            return
        async with self._pool.connection() as conn:
            events = await audit.standing(conn, (foreign.KIND,))
        for event in events:
            if event.seq > self._told:
                await self._tell(f"foreign:{event.seq}", beside.foreign(str(event.facts.get("events", ""))))
                self._told = event.seq

    async def expire(self) -> None:
        """Delete the values whose time is over, a portion in each transaction."""
        gone = 1
        while gone:
            async with self._pool.connection() as conn:
                gone = await keeping.expire(conn, self._keep)
        async with self._pool.connection() as conn:
            await keeping.forget(conn)
