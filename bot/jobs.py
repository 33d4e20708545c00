"""The job queue: advance a run, deliver a message, reply to an event; and what a worker does beside jobs.

A job carries an id and nothing else: whoever takes it reads the record. Doing one twice does nothing twice.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import procrastinate
from procrastinate import utils
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from procrastinate.tasks import Task

from bot.database import Database, Pool
from bot.storage.session import RECONNECT, SessionConnection, try_again
from graphs import cases
from graphs.cases import Rank
from graphs.ports import Connection

logger = logging.getLogger(__name__)

CONCURRENCY = 8
ANSWERING = 3  # of jobs that answer or fetch: those that act and post wait behind none of them
WORKERS = 2  # of a process: one for each kind of job
LONGEST_PAUSE = 60  # seconds between two attempts of a job, whatever its task
HEARTBEAT = 2.0  # seconds
STALLED = 8.0  # seconds without a heartbeat, after which another worker takes over
POLL = 1.0  # seconds after which a job is found that nobody was notified of: it waited behind another's lock
PAUSE = 1.0  # seconds before a worker that lost the database is followed by another
_TAKEOVER = 7_203_114  # of the advisory lock: one worker at a time takes jobs over

# The higher, the sooner. Within one rank, first come, first served.
_ADVANCE = {Rank.EMERGENCY: 100, Rank.DECIDED: 80, Rank.ORDINARY: 40}
_DELIVER = {"alarm": 90, "card": 60, "doubt": 60, "review": 60, "reply": 20}
_DELIVER_OTHERS = 50
_BACKGROUND = -1000  # after every answer

Round = Callable[[], Awaitable[object]]


class Work(Protocol):
    """What the jobs do."""

    async def advance(self, run: str) -> None:
        """Work on a run until it pauses or ends."""

    async def deliver(self, message: str) -> None:
        """Post or update one message."""

    async def reply(self, event: str) -> None:
        """Answer what somebody said."""

    async def sync(self) -> None:
        """Fetch the sources that are due, and read them."""

    def rounds(self) -> Sequence[Round]:
        """Return what is done every second, beside jobs. One that fails or hangs holds back no other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GivenUp:
    """A job that was tried as often as it may be. `of`: the id that it carried, or ""."""

    id: int
    task: str
    of: str

    @property
    def name(self) -> str:
        """What the job was to do, for the log."""
        return f"{self.task} {self.of}".rstrip()


@dataclass(frozen=True, kw_only=True)
class _BackOff(BaseRetryStrategy):
    """Tries again soon, then less soon, then leaves it. A job that waits blocks others under its lock."""

    attempts: int
    longest: int
    now: Callable[[], datetime]

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """Return when to try again, or None."""
        if job.attempts >= self.attempts:
            return None
        wait = timedelta(seconds=min(self.longest, 2**job.attempts))
        return RetryDecision(retry_at=self.now() + wait)


class Jobs:
    """Puts jobs into the queue (`graphs.ports.Queue`), and runs them. Make it with `Jobs.open`."""

    def __init__(self, app: procrastinate.App, pool: Pool, queue: str, now: datetime) -> None:
        self._app = app
        self._pool = pool
        self._queue = queue
        self._answers = f"{queue}:answers"
        self._work: Work | None = None
        self._tell_time(now)
        self._advance = self._task(
            "advance", self._do_advance, _BackOff(attempts=6, longest=8, now=self._now)
        )
        self._deliver = self._task("deliver", self._do_deliver, None)  # its row says when it is tried again
        self._reply = self._task(
            "reply", self._do_reply, _BackOff(attempts=6, longest=30, now=self._now), queue=self._answers
        )
        self._sync = self._task(
            "sync",
            self._do_sync,
            _BackOff(attempts=6, longest=LONGEST_PAUSE, now=self._now),
            queue=self._answers,
        )
        # procrastinate watches its own listener and heartbeat only for as long as its deferrer of periodic
        # tasks runs, and that ends at once where there are none: so there is one, every four years.
        app.periodic(cron="0 0 29 2 *")(self._task("leap_day", _nothing, None))

    @classmethod
    @asynccontextmanager
    async def open(cls, database: Database) -> AsyncIterator["Jobs"]:
        """Open the queue of the database's tenant."""
        async with database.pool.connection() as conn:
            cursor = await conn.execute(
                "SELECT current_setting('countersign.tenant') AS tenant, clock_timestamp() AS now"
            )
            row = await cursor.fetchone()
        assert row is not None
        connector = procrastinate.PsycopgConnector(
            conninfo=database.conninfo,
            connection_class=SessionConnection,
            min_size=1,
            max_size=4 + WORKERS,
            reconnect_timeout=RECONNECT,
            reconnect_failed=try_again,
        )
        app = procrastinate.App(connector=connector)
        async with app.open_async():
            yield cls(app, database.pool, str(row["tenant"]), row["now"])

    async def advance(self, conn: Connection, run: str, *, anew: bool = False) -> None:
        """Have `run` advanced soon, if the caller's transaction commits: emergencies, then what is decided.

        Without a queueing lock: a job that is waiting now may be taken before this transaction commits, and
        would not see what it wrote.
        """
        lock = f"run:{run}"
        if anew:
            await conn.execute("DELETE FROM procrastinate_jobs WHERE lock = %s", (lock,))
        priority = _ADVANCE[await cases.rank(conn, run)]
        task = self._advance.configure(lock=lock, connection=conn, priority=priority)
        await task.defer_async(run=run)

    async def waits(self, conn: Connection, run: str) -> bool:
        """Whether a job about the run is in the queue, or somebody is at work on one."""
        cursor = await conn.execute(
            "SELECT 1 FROM procrastinate_jobs WHERE lock = %s AND status IN ('todo', 'doing')"
            " AND coalesce(scheduled_at <= clock_timestamp(), true) LIMIT 1",
            (f"run:{run}",),
        )
        return await cursor.fetchone() is not None

    async def deliver(self, conn: Connection, message: str) -> None:
        """Have the message delivered, if the caller's transaction commits."""
        priority = _DELIVER.get(message.partition(":")[0], _DELIVER_OTHERS)
        task = self._deliver.configure(lock=f"message:{message}", connection=conn, priority=priority)
        await task.defer_async(message=message)

    async def reply(self, conn: Connection, event: str, *, after: int = 0) -> None:
        """Have the event answered, if the caller's transaction commits.

        `after`: how much else the same person has just said. Whoever says much waits for whoever says little.
        """
        task = self._reply.configure(lock=f"event:{event}", connection=conn, priority=-after)
        await task.defer_async(event=event)

    async def sync(self, conn: Connection) -> None:
        """Have due sources fetched, one worker at a time, if the caller's transaction commits."""
        task = self._sync.configure(lock=f"sync:{self._queue}", connection=conn, priority=_BACKGROUND)
        await task.defer_async()

    async def given_up(self) -> list[GivenUp]:
        """Return some of the jobs that were tried too often, until they are forgotten."""
        async with self._pool.connection() as conn:
            cursor = await conn.execute(
                "SELECT id, task_name, args FROM procrastinate_jobs"
                " WHERE queue_name = ANY(%s) AND status = 'failed' ORDER BY id LIMIT 20",
                ([self._queue, self._answers],),
            )
            rows = await cursor.fetchall()
        return [
            GivenUp(id=row["id"], task=row["task_name"], of=str(next(iter(row["args"].values()), "")))
            for row in rows
        ]

    async def forget(self, job: GivenUp) -> None:
        """Drop a job that was given up, once everybody knows."""
        async with self._pool.connection() as conn:
            await conn.execute(
                "DELETE FROM procrastinate_jobs WHERE id = %s AND status = 'failed'", (job.id,)
            )

    async def work(self, work: Work) -> None:
        """Run jobs, and what is beside jobs, until cancelled. If any of it ends, all of it fails."""
        _end_if_cancelled()
        self._work = work
        async with asyncio.TaskGroup() as group:
            group.create_task(self._run(self._queue, CONCURRENCY), name="worker")
            group.create_task(self._run(self._answers, ANSWERING), name="answering worker")
            for act in work.rounds():
                group.create_task(_every(1.0, act), name=act.__qualname__)
            group.create_task(_every(STALLED / 4, self._take_over), name="takeover")

    async def _run(self, queue: str, concurrency: int) -> None:
        """Run the worker of a queue, and another one when it ends: its connections were cut."""
        while True:
            try:
                await self._app.run_worker_async(
                    queues=[queue],
                    concurrency=concurrency,
                    install_signal_handlers=False,
                    fetch_job_polling_interval=POLL,
                    update_heartbeat_interval=HEARTBEAT,
                    stalled_worker_timeout=STALLED,
                    delete_jobs="successful",
                    shutdown_graceful_timeout=10,
                )
            except ConnectorException as error:
                logger.warning("The worker cannot reach the database: %s", error.__cause__ or error)
            _end_if_cancelled()
            logger.warning("The worker ended by itself; another one is started")
            await asyncio.sleep(PAUSE)

    async def _take_over(self) -> None:
        """Give the jobs of dead workers back to the queue.

        Under a lock: a second worker with an older list would put a job back that somebody is at work on.
        """
        async with self._pool.connection() as conn:
            cursor = await conn.execute(
                "SELECT pg_try_advisory_xact_lock(%s) AS alone, clock_timestamp() AS now", (_TAKEOVER,)
            )
            row = await cursor.fetchone()
            assert row is not None
            self._tell_time(row["now"])
            if not row["alone"]:
                return
            await self._mend_times(conn)
            await self._open_locks(conn)
            manager = self._app.job_manager
            stalled = [
                job
                for queue in (self._queue, self._answers)
                for job in await manager.get_stalled_jobs(queue=queue, seconds_since_heartbeat=STALLED)
            ]
            for job in stalled:
                logger.warning("A worker died; %s is taken over", job.call_string)
                try:
                    await manager.retry_job(job, retry_at=row["now"])  # not by this machine's clock
                except ConnectorException:
                    logger.info("%s has ended after all", job.call_string)

    async def _mend_times(self, conn: Connection) -> None:
        """Take back what a clock that was wrong has written, and that would hold up jobs now.

        A job that is put off for longer than any can be is due, and a heartbeat that is still to come is
        counted from now on: otherwise a dead worker would be believed alive, and keep its jobs, until then.
        """
        await conn.execute(
            "UPDATE procrastinate_jobs SET scheduled_at = clock_timestamp()"
            " WHERE queue_name = ANY(%s) AND status = 'todo'"
            " AND scheduled_at > clock_timestamp() + make_interval(secs => %s)",
            ([self._queue, self._answers], LONGEST_PAUSE),
        )
        await conn.execute(
            "UPDATE procrastinate_workers SET last_heartbeat = clock_timestamp()"
            " WHERE last_heartbeat > clock_timestamp()"
        )

    async def _open_locks(self, conn: Connection) -> None:
        """Delete what somebody else has put before jobs of ours, in a queue that nobody works on."""
        cursor = await conn.execute(
            "DELETE FROM procrastinate_jobs WHERE queue_name <> ALL(%(ours)s) AND lock IN"
            " (SELECT lock FROM procrastinate_jobs WHERE queue_name = ANY(%(ours)s) AND status = 'todo')"
            " RETURNING lock",
            {"ours": [self._queue, self._answers]},
        )
        for row in await cursor.fetchall():
            logger.error(
                "A job that is not ours held up %s, and was deleted. Somebody who has the database's password"
                " has written there: see who does, and change it.",
                row["lock"],
            )

    def _tell_time(self, now: datetime) -> None:
        """Take the time from the database, by whose clock jobs are due: this machine's own may be wrong."""
        self._ahead = utils.utcnow() - now

    def _now(self) -> datetime:
        return utils.utcnow() - self._ahead

    def _task(
        self,
        name: str,
        do: Callable[..., Awaitable[None]],
        retry: BaseRetryStrategy | None,
        *,
        queue: str | None = None,
    ) -> "Task[..., Awaitable[None], ...]":
        return self._app.task(name=name, queue=queue or self._queue, retry=retry or False)(do)

    async def _do_advance(self, run: str) -> None:
        await self._working.advance(run)

    async def _do_deliver(self, message: str) -> None:
        await self._working.deliver(message)

    async def _do_reply(self, event: str) -> None:
        await self._working.reply(event)

    async def _do_sync(self) -> None:
        await self._working.sync()

    @property
    def _working(self) -> Work:
        assert self._work is not None  # jobs run inside `work`
        return self._work


async def _nothing(timestamp: int) -> None:
    """Do nothing; see `Jobs`."""


async def _every(seconds: float, act: Round) -> None:
    """Act again and again. What goes wrong once is logged, and may go right the next time."""
    while True:
        try:
            await act()
        except Exception:
            logger.exception("The worker's round %s was interrupted", act.__qualname__)
        _end_if_cancelled()
        await asyncio.sleep(seconds)


def _end_if_cancelled() -> None:
    """Be cancelled after all.

    A cancellation that arrives while a connection is opened can be lost (`asyncio.wait_for` of Python 3.11
    returns what has just arrived instead), and a loop that goes on would never end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
