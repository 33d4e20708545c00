"""Scheduled sources: seen to be due by every worker, fetched and read by one at a time, in a process apart.

Reading and embedding a handbook takes seconds of both cores and hundreds of megabytes; a process of its own
leaves the event loop and the memory of the one that answers alone.
"""

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bot.database import Pool
from bot.schedule import Schedule
from graphs.ports import Connection

logger = logging.getLogger(__name__)

_AGAIN = timedelta(minutes=15)  # after a failure, if the schedule is not sooner

Ingest = Callable[[Sequence[str]], Awaitable[Mapping[str, str]]]  # names -> what went wrong with which


class IngestFailed(Exception):
    """The ingest as a whole did not come about. The message says why."""


class Sync:
    """The scheduled sources of this installation. `schedules` are by source."""

    def __init__(self, pool: Pool, schedules: Mapping[str, str], ingest: Ingest) -> None:
        self._pool = pool
        self._schedules = {name: Schedule.parse(text) for name, text in schedules.items()}
        self._texts = dict(schedules)
        self._ingest = ingest
        self._known = False

    async def sweep(self, conn: Connection, defer: Callable[[Connection], Awaitable[None]]) -> None:
        """Have what is due fetched, in the caller's transaction."""
        if not self._known:
            await self._tell(conn)
            self._known = True
        if not self._texts:
            return
        await self._mend_times(conn)
        cursor = await conn.execute(
            "UPDATE sync SET wanted_at = clock_timestamp()"
            " WHERE due_at <= clock_timestamp() AND wanted_at IS NULL AND source = ANY(%s) RETURNING source",
            (list(self._texts),),
        )
        if await cursor.fetchall():
            await defer(conn)

    async def run(self) -> None:
        """Fetch and read what is wanted. Doing it twice does nothing twice. Never raises for a source."""
        async with self._pool.connection() as conn:
            cursor = await conn.execute(
                "SELECT source FROM sync WHERE wanted_at IS NOT NULL AND source = ANY(%s) ORDER BY source",
                (list(self._texts),),
            )
            names = [str(row["source"]) for row in await cursor.fetchall()]
        if not names:
            return
        try:
            problems = dict(await self._ingest(names))
        except IngestFailed as error:
            logger.warning("The sources %s were not read: %s", ", ".join(names), error)
            problems = dict.fromkeys(names, str(error))
        async with self._pool.connection() as conn:
            for name in names:
                await self._ended(conn, name, problems.get(name, ""))

    async def _tell(self, conn: Connection) -> None:
        """Make the rows fit the settings. A source that is new or has another schedule is due at once."""
        await conn.execute("DELETE FROM sync WHERE NOT source = ANY(%s)", (list(self._texts),))
        for name, text in self._texts.items():
            await conn.execute(
                "INSERT INTO sync (source, schedule, due_at) VALUES (%s, %s, clock_timestamp())"
                " ON CONFLICT (tenant, source) DO UPDATE SET schedule = excluded.schedule,"
                " due_at = excluded.due_at WHERE sync.schedule <> excluded.schedule",
                (name, text),
            )

    async def _mend_times(self, conn: Connection) -> None:
        """Let no source wait for longer than its schedule: a clock that was wrong may have set its time."""
        cursor = await conn.execute(
            "SELECT source, due_at, clock_timestamp() AS now FROM sync"
            " WHERE wanted_at IS NULL AND source = ANY(%s)",
            (list(self._texts),),
        )
        for row in await cursor.fetchall():
            latest = self._schedules[row["source"]].after(row["now"])
            if row["due_at"] > latest:
                await conn.execute("UPDATE sync SET due_at = %s WHERE source = %s", (latest, row["source"]))

    async def _ended(self, conn: Connection, name: str, problem: str) -> None:
        cursor = await conn.execute("SELECT clock_timestamp() AS now")
        row = await cursor.fetchone()
        assert row is not None
        now: datetime = row["now"]
        due = self._schedules[name].after(now)
        await conn.execute(
            "UPDATE sync SET due_at = %s, wanted_at = NULL, ended_at = %s, outcome = %s, detail = %s"
            " WHERE source = %s",
            (min(due, now + _AGAIN) if problem else due, now, "failed" if problem else "done", problem, name),
        )


def ingesting(home: Path, config: Path | None) -> Ingest:
    """Return what reads sources in a process of its own."""

    async def ingest(names: Sequence[str]) -> Mapping[str, str]:
        settings = ["--config", str(config)] if config else []
        command = [
            sys.executable,
            "-m",
            "bot",
            "ingest",
            "--scheduled",
            "--json",
            "--home",
            str(home),
            *settings,
        ]
        process = await asyncio.create_subprocess_exec(
            *("nice", "-n", "10"),
            *command,
            *(word for name in names for word in ("--only", name)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            said, complaint = await process.communicate()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
            raise
        if process.returncode:
            lines = complaint.decode("utf-8", "replace").strip().splitlines()
            raise IngestFailed(" ".join(lines)[-500:] or f"it ended with code {process.returncode}")
        return _problems(json.loads(said))

    return ingest


def _problems(report: dict[str, Any]) -> dict[str, str]:
    return {str(one["name"]): str(one["problem"]) for one in report["sources"] if one["problem"]}
