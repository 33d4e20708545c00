"""What approvals cost that wait: threads and memory of a process, and the time until it has started."""

import asyncio
import resource
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from bot.database import open_database, open_owner
from connectors.base import Mint
from connectors.directory import AddToGroup
from connectors.registry import Connectors, Registry
from tests.figures.cost import GROUPS, Bench, Instant, open_bench
from tests.figures.record import Figure
from tests.scenario import desk

SOON = 5.0  # seconds
LITTLE = 20.0  # MB more than with one approval


@dataclass(frozen=True, kw_only=True)
class Started:
    """What a process that has just started needs."""

    seconds: float  # from its beginning until it is ready and has swept
    threads: int
    memory: float  # MB


async def measure(*, quick: bool) -> AsyncIterator[Figure]:
    """Start a process while one approval waits, and while many do."""
    count = 2_000 if quick else 100_000
    with tempfile.TemporaryDirectory(prefix="waiting-") as name:
        folder = Path(name)
        async with open_bench(folder) as bench:
            run = await _asked(bench)
            alone = await asyncio.to_thread(_start, folder)
            began = time.monotonic()
            await _copy(folder, run, count)
            sys.stderr.write(f"waiting: {count:,} rows made in {time.monotonic() - began:.0f} s\n")
            many = await asyncio.to_thread(_start, folder)
    yield Figure(
        promise="cost",
        what=f"seconds until a process has started and swept while {count:,} approvals wait"
        f" ({many.threads} threads, {many.memory:.0f} MB; with one approval {alone.seconds:.1f} s,"
        f" {alone.threads} threads, {alone.memory:.0f} MB)",
        tried=count,
        wrong=0,
        value=round(many.seconds, 2),
        goal=f"at most {SOON:g}, with no thread more and {LITTLE:g} MB at most",
        holds=many.seconds <= SOON and many.threads <= alone.threads and many.memory - alone.memory <= LITTLE,
    )


async def _asked(bench: Bench) -> str:
    """Have somebody ask, up to where the approval waits."""
    run = await bench.office.runs.start(
        workflow="it_access",
        values={"group": GROUPS[0], "days": "3", "reason": "close the quarter"},
        requester=bench.ada,
        origin={},
        key=secrets.token_hex(8),
    )
    await bench.office.work()
    return run


def _start(folder: Path) -> Started:
    """Start a process that opens the database and the workflows, and sweeps."""
    began = time.time()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        return processes.submit(started, folder, began).result()


def started(folder: Path, began: float) -> Started:
    """Be that process."""
    return asyncio.run(_swept(folder, began))


async def _swept(folder: Path, began: float) -> Started:
    people, mint = Instant(), Mint()
    connectors = Connectors(directory=people, registry=Registry([AddToGroup(people)]))
    async with (
        open_database(folder, None) as database,
        desk.open_over(database, folder, connectors, mint) as office,
    ):
        await office.runs.sweep()
        return Started(
            seconds=time.time() - began,
            threads=threading.active_count(),
            memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        )


async def _copy(folder: Path, run: str, count: int) -> None:
    """Copy a waiting run, its approval, its timer and its checkpoints."""
    names = {
        "run": ("id", "key"),
        "approval": ("id", "run"),
        "timer": ("run",),
        "checkpoints": ("thread_id",),
    }
    async with open_owner(folder, None) as conn:
        for table, changed in names.items():
            cursor = await conn.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = %s"
                " AND table_schema = 'countersign' AND identity_generation IS NULL",
                (table,),
            )
            columns = [str(row[0]) for row in await cursor.fetchall()]
            values = ", ".join(f"{one} || '-' || n" if one in changed else f'"{one}"' for one in columns)
            quoted = ", ".join(f'"{one}"' for one in columns)
            own = {"run": "id", "checkpoints": "thread_id"}.get(table, "run")
            query = (
                f"INSERT INTO {table} ({quoted}) SELECT {values} FROM {table},"
                f" generate_series(1, {count}) AS n WHERE {own} = %s"
            )
            await conn.execute(query.encode(), (run,))
        await conn.execute("ANALYZE")
