"""Jobs: made with their transaction, taken over from the dead; what was not taken is given again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from procrastinate import utils

from bot.database import Database
from bot.events import Events
from bot.jobs import Jobs, Round


@dataclass
class Bench:
    """Work that writes down what it was given, and fails as often as the test says."""

    done: list[str] = field(default_factory=list)
    failures: int = 0
    looks: int = 0
    broken_looks: int = 0

    async def advance(self, run: str) -> None:
        await self._do(f"advance {run}")

    async def deliver(self, message: str) -> None:
        await self._do(f"deliver {message}")

    async def reply(self, event: str) -> None:
        await self._do(f"reply {event}")

    async def sync(self) -> None:
        await self._do("sync")

    def rounds(self) -> tuple[Round, ...]:
        return self.hang, self.look

    async def hang(self) -> None:
        await asyncio.Event().wait()

    async def look(self) -> None:
        self.looks += 1
        if self.looks <= self.broken_looks:
            raise ZeroDivisionError

    async def _do(self, what: str) -> None:
        if self.failures > 0:
            self.failures -= 1
            raise ZeroDivisionError
        self.done.append(what)


@pytest.fixture
async def jobs(database: Database) -> AsyncIterator[Jobs]:
    async with Jobs.open(database) as opened:
        yield opened


@asynccontextmanager
async def working(jobs: Jobs, bench: Bench) -> AsyncIterator[None]:
    task = asyncio.create_task(jobs.work(bench))
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(look: Callable[[], bool | Awaitable[bool]], *, seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while True:
            found = look()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.02)


async def test_a_job_runs_when_its_transaction_commits_and_not_otherwise(
    database: Database, jobs: Jobs
) -> None:
    async def fail() -> None:
        async with database.pool.connection() as conn:
            await jobs.advance(conn, "lost")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.pool.connection() as conn:
        await jobs.advance(conn, "r1")
        await jobs.advance(conn, "r1")
        await jobs.deliver(conn, "m1")
        await jobs.reply(conn, "e1")
    bench = Bench()
    async with working(jobs, bench):
        await until(lambda: len(bench.done) == 4)
    assert sorted(bench.done) == ["advance r1", "advance r1", "deliver m1", "reply e1"]


async def test_a_job_that_fails_is_tried_again(database: Database, jobs: Jobs) -> None:
    async with database.pool.connection() as conn:
        await jobs.reply(conn, "e1")
    bench = Bench(failures=2)
    async with working(jobs, bench):
        await until(lambda: bench.done == ["reply e1"])


async def test_a_machine_whose_clock_is_an_hour_ahead_tries_again_as_soon(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = utils.utcnow
    monkeypatch.setattr(utils, "utcnow", lambda: now() + timedelta(hours=1))
    bench = Bench(failures=1)
    async with Jobs.open(database) as jobs:
        async with database.pool.connection() as conn:
            await jobs.advance(conn, "r1")
        async with working(jobs, bench):
            await until(lambda: bench.done == ["advance r1"])


async def test_the_job_of_a_worker_that_died_is_taken_over(database: Database, jobs: Jobs) -> None:
    async with database.pool.connection() as conn:
        await jobs.advance(conn, "r1")
    async with database.pool.connection() as conn:  # as a worker leaves it that was killed a minute ago
        await conn.execute(
            "WITH dead AS (INSERT INTO procrastinate_workers (last_heartbeat)"
            " VALUES (now() - interval '1 minute') RETURNING id)"
            " UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM dead)"
            " WHERE queue_name = current_setting('countersign.tenant')"
        )
    bench = Bench()
    async with working(jobs, bench):
        await until(lambda: bench.done == ["advance r1"])


@pytest.mark.parametrize("status", ["todo", "doing"])
async def test_a_job_in_a_queue_that_nobody_works_on_holds_up_none_of_ours(
    database: Database, jobs: Jobs, status: str
) -> None:
    async with database.pool.connection() as conn:
        await conn.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, status)"
            " VALUES ('nobody', 'advance', 2147483647, 'run:r1', %s)",
            (status,),
        )
        await jobs.advance(conn, "r1")
    bench = Bench()
    async with working(jobs, bench):
        await until(lambda: bench.done == ["advance r1"])


async def test_what_begins_anew_waits_for_no_job_that_seems_to_be_at_work(
    database: Database, jobs: Jobs
) -> None:
    bench = Bench()
    async with working(jobs, bench):
        await until(lambda: bench.looks > 0)
        async with database.pool.connection() as conn:  # under the name of a worker that lives
            await conn.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, status, worker_id)"
                " SELECT current_setting('countersign.tenant'), 'advance', 'run:r1', 'doing', max(id)"
                " FROM procrastinate_workers"
            )
            await jobs.advance(conn, "r1")
            await jobs.advance(conn, "r1", anew=True)
        await until(lambda: bench.done == ["advance r1"])


async def test_a_round_goes_on_after_it_failed_and_while_another_hangs(
    jobs: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(broken_looks=1)
    async with working(jobs, bench):
        await until(lambda: bench.looks >= 2)
    assert "round Bench.look was interrupted" in caplog.text


async def test_a_worker_that_ends_is_followed_by_another(
    database: Database, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, ended = jobs._app.run_worker_async, []

    async def ends_once(**options: Any) -> None:
        """As procrastinate's worker does when its connections are cut."""
        if not ended:
            ended.append(True)
            return
        await run(**options)

    monkeypatch.setattr(jobs._app, "run_worker_async", ends_once)
    async with database.pool.connection() as conn:
        await jobs.reply(conn, "e1")
    bench = Bench()
    async with working(jobs, bench):
        await until(lambda: bench.done == ["reply e1"])
    assert ended


EVENT = {"type": "event_callback", "event_id": "Ev1", "event": {"type": "app_mention", "text": "hi"}}


async def test_an_event_is_kept_once_and_taken_once(database: Database) -> None:
    events = Events(database.pool)
    assert [await events.store(EVENT) for _ in range(2)] == [True, False]
    async with database.pool.connection() as conn:
        assert await events.take(conn, "Ev1")
    async with database.pool.connection() as conn:
        assert not await events.take(conn, "Ev1")
    assert await events.body("Ev1") == EVENT


async def test_an_event_that_nobody_took_is_given_again_three_times_at_most(database: Database) -> None:
    events = Events(database.pool)
    await events.store(EVENT)
    assert await events.untaken() == []  # its listener still has time
    given = []
    for _ in range(5):
        async with database.pool.connection() as conn:
            await conn.execute("UPDATE event SET next_at = clock_timestamp()")
        given += await events.untaken()
    assert given == [EVENT] * 3


async def test_events_are_forgotten_after_a_week_and_signatures_after_ten_minutes(
    database: Database,
) -> None:
    events = Events(database.pool)
    await events.store(EVENT)
    async with database.pool.connection() as conn:
        await conn.execute("INSERT INTO signature (signature) VALUES ('v0=1')")
    await events.forget()
    assert await events.body("Ev1") is not None
    async with database.pool.connection() as conn:
        await conn.execute("UPDATE event SET received_at = received_at - interval '8 days'")
        await conn.execute("UPDATE signature SET seen_at = seen_at - interval '11 minutes'")
    await events.forget()
    assert await events.body("Ev1") is None
    async with database.pool.connection() as conn:
        cursor = await conn.execute("SELECT count(*) AS kept FROM signature")
        assert await cursor.fetchone() == {"kept": 0}
