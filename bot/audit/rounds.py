"""What every worker does for the record, again and again: sign its end, copy that, let go of what is old."""

import time
from datetime import timedelta
from pathlib import Path

from bot.audit.copies import Copies
from bot.database import Pool
from graphs.audit import checkpoints, head, keeping

_HOUR = 3600.0  # seconds between two looks at what is past its time


class Rounds:
    """The rounds of one process. Any number may make them."""

    def __init__(self, pool: Pool, folder: Path, keep: timedelta) -> None:
        self._pool = pool
        self._folder = folder
        self._keep = keep
        self._copies: Copies | None = None
        self._looked: float | None = None

    async def sweep(self) -> None:
        """Do what is due. Raises copies.Rewound, and OSError where the second place cannot be written."""
        async with self._pool.connection() as conn:
            await checkpoints.sweep(conn)
        async with self._pool.connection() as conn:
            if self._copies is None:
                self._copies = Copies(self._folder, await head.tenant(conn))
            await self._copies.sweep(conn)
        if self._looked is None or time.monotonic() - self._looked > _HOUR:
            await self.expire()
            self._looked = time.monotonic()

    async def expire(self) -> None:
        """Delete the values whose time is over, a portion in each transaction."""
        gone = 1
        while gone:
            async with self._pool.connection() as conn:
                gone = await keeping.expire(conn, self._keep)
        async with self._pool.connection() as conn:
            await keeping.forget(conn)
