"""A clock that was wrong and has been put right: no time that it wrote holds anything up.

Every column that holds a time is classified here. `PACES` hold back work, and are believed no farther ahead
than they can lie: each has a test below. `PROMISES` were said to somebody, and are kept to the moment. `PAST`
says when something happened, and nothing waits for it.
"""

import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.base import id as checkpoint_ids

from bot import events as bot_events
from bot.commands.effects import _SYSTEMS
from bot.database import Database, open_owner
from bot.events import Events
from bot.jobs import Jobs
from bot.messages import Messages
from bot.schedule import Schedule
from bot.sync import Sync
from bot.turns import Turns
from connectors.sandbox.process import Running
from graphs import audit, cases, drive, reviews
from graphs.audit import checkpoints
from graphs.records import Answered, ApprovalStatus, RunStatus
from tests.scenario.desk import Office, open_office
from tests.scenario.duty import GRACE, approval, ask, click
from tests.scenario.test_break_glass import WORKFLOWS, over
from tests.scenario.test_slack_jobs import EVENT, Bench, until, working

AHEAD = timedelta(hours=2)

PACES = {
    "channel_pace.free_at",
    "channel_turn.at",  # who was posted for last is next to last
    "event.next_at",
    "message.next_at",
    "message.queued_until",
    "outage.until",
    "procrastinate_jobs.scheduled_at",
    "procrastinate_workers.last_heartbeat",
    "review.remind_at",
    "sync.due_at",
    "timer.due_at",
}
PROMISES = {
    "approval.decide_by",
    "approval.escalate_at",  # on the way to decide_by, and said with it
    "approval.remind_at",
    "delegation.ends_at",
    "effect.ends_at",
    "run.due_at",  # when a grant ends
}
PAST = {
    "approval.created_at",
    "approval.decided_at",
    "approval.escalated_at",
    "approval.reminded_at",
    "bot_process.seen_at",  # a bot that is there says so again within seconds
    "bot_process.started_at",
    "delegation.ended_at",
    "delegation.starts_at",
    "doubt.answered_at",
    "doubt.opened_at",
    "edit.at",
    "edition_activation.at",
    "effect.intended_at",
    "effect.settled_at",
    "erasure.begun_at",
    "event.received_at",
    "event.taken_at",
    "key_in_use.since",
    "message.attempted_at",
    "message.created_at",
    "message.refused_at",
    "message.shown_at",
    "migration.applied_at",
    "outage.since",
    "procrastinate_events.at",
    "question.asked_at",
    "question.ended_at",
    "rating.rated_at",
    "review.created_at",
    "review.reviewed_at",
    "run.created_at",
    "run_step.at",
    "signature.seen_at",
    "slack_person.pinned_at",
    "sync.ended_at",
    "sync.wanted_at",
    "vote.at",
}

_TIMES = (
    "SELECT relname || '.' || attname AS name FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid"
    " WHERE relnamespace = current_schema::regnamespace AND relkind IN ('r', 'p') AND NOT attisdropped"
    " AND atttypid IN ('timestamptz'::regtype, 'timestamp'::regtype)"
)


async def test_every_time_that_is_stored_is_a_pace_a_promise_or_past(database: Database) -> None:
    async with database.pool.connection() as conn:
        found = {row["name"] for row in await (await conn.execute(_TIMES)).fetchall()}
    unknown = found - PACES - PROMISES - PAST
    assert not unknown, (
        f"{sorted(unknown)}: does anything wait until then? Then no code may believe it farther ahead than it"
        " can lie: add it to PACES with a test. Was it said to somebody? PROMISES. Did it happen? PAST."
    )
    assert found == PACES | PROMISES | PAST
    assert len(PACES) + len(PROMISES) + len(PAST) == len(found)
    assert set(SCENES) == PACES - {"review.remind_at", "timer.due_at"}  # which have tests of their own


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Something is put off, and `goes_on` once it may. What it wrote is moved ahead in between."""

    database: Database

    async def sql(self, query: str, **values: object) -> list[dict[str, Any]]:
        async with self.database.pool.connection() as conn:
            cursor = await conn.execute(query.encode(), values)
            return await cursor.fetchall() if cursor.description else []

    async def jump(self, column: str, by: timedelta) -> None:
        """Leave what a clock that was so far ahead would have written."""
        table, name = column.split(".")
        where = " WHERE queue_name = current_setting('countersign.tenant')" if "_jobs" in table else ""
        await self.sql(f"UPDATE {table} SET {name} = {name} + %(by)s{where}", by=by)


Look = Callable[[], Awaitable[bool]]


async def _a_channel(scene: Scene) -> Look:
    messages = Messages(scene.database.pool)
    await messages.reserve("C1")

    async def goes_on() -> bool:
        return await messages.reserve("C1") <= 1

    return goes_on


async def _a_message(scene: Scene) -> Look:
    messages = Messages(scene.database.pool)
    async with scene.database.pool.connection() as conn:
        await messages.want(conn, name="card:a1", kind="card", ref="a1")
    await messages.later("card:a1", error="ratelimited", seconds=7200)

    async def goes_on() -> bool:
        async with scene.database.pool.connection() as conn:
            return await messages.claim(conn) == ["card:a1"]

    return goes_on


async def _two_cards(scene: Scene) -> None:
    messages = Messages(scene.database.pool)
    async with scene.database.pool.connection() as conn:
        for name in ("a", "b"):
            await messages.want(conn, name=name, kind="card", ref=name)


async def _a_turn(scene: Scene) -> Look:
    turns = Turns(Messages(scene.database.pool))
    await _two_cards(scene)
    await scene.sql("INSERT INTO channel_turn (channel, share) VALUES ('C1', 'a')")

    async def goes_on() -> bool:
        await scene.sql("INSERT INTO channel_turn (channel, share) VALUES ('C1', 'b')")
        await scene.sql(
            "UPDATE message SET queued_in = 'C1', share = id,"
            " queued_until = clock_timestamp() + interval '1 minute'"
        )
        async with scene.database.pool.connection() as conn:
            return await turns.first(conn, "C1") == "a"

    return goes_on


async def _a_queue(scene: Scene) -> Look:
    messages = Messages(scene.database.pool)
    turns = Turns(messages)
    await _two_cards(scene)
    await messages.reserve("C1")
    assert not (await turns.take("a", "C1", share="a", urgent=True)).is_taken

    async def goes_on() -> bool:
        await scene.sql("UPDATE channel_pace SET free_at = clock_timestamp()")
        return (await turns.take("b", "C1", share="b", urgent=False)).is_taken

    return goes_on


async def _an_event(scene: Scene) -> Look:
    events = Events(scene.database.pool)
    await events.store(EVENT)

    async def goes_on() -> bool:
        return await events.untaken() == [EVENT]

    return goes_on


async def _a_system(scene: Scene) -> Look:
    async with scene.database.pool.connection() as conn:
        await cases.outage(conn, "directory", due_in=9, reason="unavailable")
    assert await scene.sql(_SYSTEMS)

    async def goes_on() -> bool:
        return await scene.sql(_SYSTEMS) == []

    return goes_on


async def _a_job(scene: Scene) -> Look:
    async with Jobs.open(scene.database) as jobs, scene.database.pool.connection() as conn:
        await jobs.reply(conn, "e1")
    await scene.sql(
        "UPDATE procrastinate_jobs SET scheduled_at = clock_timestamp() + interval '1 second', attempts = 1"
        " WHERE queue_name = current_setting('countersign.tenant')"
    )
    return _does_the_job(scene)


async def _a_dead_worker(scene: Scene) -> Look:
    async with Jobs.open(scene.database) as jobs, scene.database.pool.connection() as conn:
        await jobs.reply(conn, "e1")
    await scene.sql(
        "WITH dead AS (INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now()) RETURNING id)"
        " UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM dead)"
        " WHERE queue_name = current_setting('countersign.tenant')"
    )
    return _does_the_job(scene)


def _does_the_job(scene: Scene) -> Look:
    async def goes_on() -> bool:
        bench = Bench()
        async with Jobs.open(scene.database) as jobs, working(jobs, bench):
            await until(lambda: bench.done == ["reply e1"], seconds=60)
        return True

    return goes_on


async def _a_source(scene: Scene) -> Look:
    async def read(names: Any) -> dict[str, str]:
        return {}

    async def nothing(conn: Any) -> None:
        """No job is needed: `run` does it."""

    sync = Sync(scene.database.pool, {"handbook": "30m", "wiki": "daily 03:00 UTC"}, read)
    async with scene.database.pool.connection() as conn:
        await sync.sweep(conn, nothing)
    await sync.run()

    async def goes_on() -> bool:
        async with scene.database.pool.connection() as conn:
            await sync.sweep(conn, nothing)
        rows = await scene.sql("SELECT schedule, due_at, clock_timestamp() AS now FROM sync")
        return all(row["due_at"] <= Schedule.parse(row["schedule"]).after(row["now"]) for row in rows)

    return goes_on


SCENES: dict[str, Callable[[Scene], Awaitable[Look]]] = {
    "channel_pace.free_at": _a_channel,
    "channel_turn.at": _a_turn,
    "event.next_at": _an_event,
    "message.next_at": _a_message,
    "message.queued_until": _a_queue,
    "outage.until": _a_system,
    "procrastinate_jobs.scheduled_at": _a_job,
    "procrastinate_workers.last_heartbeat": _a_dead_worker,
    "sync.due_at": _a_source,
}


@pytest.mark.parametrize("column", SCENES)
async def test_what_a_wrong_clock_put_off_goes_on(database: Database, column: str) -> None:
    scene = Scene(database=database)
    goes_on = await SCENES[column](scene)
    await scene.jump(column, AHEAD)
    assert await goes_on()


async def test_what_is_put_off_by_a_right_clock_waits(database: Database) -> None:
    """The other way round: to be held for a time, and to be tried later, mean something."""
    messages, events = Messages(database.pool), Events(database.pool)
    await events.store(EVENT)
    assert await events.untaken() == []
    await messages.hold("C1", 40)
    assert 30 < await messages.reserve("C1") <= 40
    await messages.hold("C1", 5)
    assert 30 < await messages.reserve("C1") <= 40  # the longer of the two
    await Scene(database=database).jump("channel_pace.free_at", AHEAD)
    await messages.hold("C1", 5)
    assert 0 < await messages.reserve("C1") <= 5


@asynccontextmanager
async def ahead(office: Office) -> Any:
    """The clock is two hours ahead for as long as the block lasts."""
    async with open_owner(office.home, None) as conn:
        await conn.execute("UPDATE clock SET shift = shift + %s", (AHEAD,))
    yield
    async with open_owner(office.home, None) as conn:
        await conn.execute("UPDATE clock SET shift = shift - %s", (AHEAD,))


async def sweep(office: Office) -> None:
    await office.runs.sweep()
    await office.work()


async def test_a_retry_and_a_lease_set_by_a_wrong_clock_hold_up_no_run(
    database: Database, database_home: Path, server: Running
) -> None:
    async with open_office(database, database_home, server) as office:
        run = await ask(office)
        async with ahead(office), database.pool.connection() as conn:
            cursor = await conn.execute("SELECT moment() + interval '30 seconds' AS due_at")
            row = await cursor.fetchone()
            assert row is not None
            await cases.retry(conn, run, row["due_at"], attempts=1, facts={}, pace=timedelta(seconds=30))
            await cases.take(conn, run, forgotten=drive.FORGOTTEN)  # and its worker is killed
        assert await office.runs.sweep() == 2  # both, and no promise
        assert run in office.desk.waiting


async def test_a_promise_is_kept_to_the_moment_whatever_rang_too_early(
    database: Database, database_home: Path, server: Running
) -> None:
    """Timers that rang while the clock was ahead, and whose jobs ran when it had been put right."""
    async with open_office(database, database_home, server) as office:
        run = await ask(office)
        (card,) = office.desk.cards
        async with open_owner(office.home, None) as conn:
            await conn.execute("UPDATE clock SET shift = shift + interval '30 hours'")
        await office.runs.sweep()
        async with open_owner(office.home, None) as conn:
            await conn.execute("UPDATE clock SET shift = shift - interval '30 hours'")
        await office.work()
        assert (await approval(office, card)).status is ApprovalStatus.PENDING
        await office.later(timedelta(hours=23))
        assert (card, "reminder") in office.desk.beside
        await office.later(timedelta(hours=2))
        assert (await approval(office, card)).status is ApprovalStatus.EXPIRED
        assert not (await office.runs.run(run)).status.is_open


async def test_the_end_of_a_grant_that_rang_too_early_comes_all_the_same(
    database: Database, database_home: Path, server: Running
) -> None:
    async with open_office(database, database_home, server) as office:
        await ask(office)
        assert await click(office, office.desk.cards[-1], GRACE) is Answered.RECORDED
        assert "Ada Okafor" in await office.members("billing-db")
        async with open_owner(office.home, None) as conn:
            await conn.execute("UPDATE clock SET shift = shift + interval '4 days'")
        await office.runs.sweep()
        async with open_owner(office.home, None) as conn:
            await conn.execute("UPDATE clock SET shift = shift - interval '4 days'")
        await office.work()
        assert "Ada Okafor" in await office.members("billing-db")
        await office.later(timedelta(days=3, hours=1))
        assert "Ada Okafor" not in await office.members("billing-db")


async def test_a_review_is_reminded_of_whose_reminder_a_wrong_clock_set(
    database: Database, database_home: Path, server: Running
) -> None:
    async with open_office(database, database_home, server, more=WORKFLOWS) as office:
        async with ahead(office):
            waiting = await over(office)
        await sweep(office)
        async with database.pool.connection() as conn:
            cursor = await conn.execute(
                "SELECT remind_at <= moment() + every AS soon FROM review WHERE id = %s", (waiting.id,)
            )
            assert await cursor.fetchone() == {"soon": True}
            assert await reviews.load(conn, waiting.id) is not None


async def test_the_record_is_signed_though_its_last_event_is_of_a_time_to_come(
    database: Database, database_home: Path, server: Running
) -> None:
    async with open_office(database, database_home, server) as office:
        async with database.pool.connection() as conn:
            await checkpoints.sign(conn)
        async with ahead(office), database.pool.connection() as conn:
            await audit.append(conn, "run.noted", run=None, facts={}, detail={})
        async with database.pool.connection() as conn:
            await checkpoints.sweep(conn)
            last = await checkpoints.latest(conn)
            cursor = await conn.execute("SELECT max(seq) AS seq FROM audit_event")
            row = await cursor.fetchone()
        assert last is not None
        assert row == {"seq": last.seq}


async def test_a_run_goes_on_from_a_checkpoint_that_was_saved_by_a_clock_ahead(
    database: Database, database_home: Path, server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = time.time_ns
    async with open_office(database, database_home, server) as office:
        with monkeypatch.context() as wrong:
            wrong.setattr(time, "time_ns", lambda: right() + int(AHEAD.total_seconds() * 1e9))
            run = await ask(office)
        monkeypatch.setitem(vars(checkpoint_ids), "_last_v6_timestamp", None)  # another process goes on
        assert await click(office, office.desk.cards[-1], GRACE) is Answered.RECORDED
        assert (await office.runs.run(run)).status is RunStatus.DONE
        assert "Ada Okafor" in await office.members("billing-db")


async def test_a_signature_is_remembered_for_as_long_as_its_request_counts_as_recent(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database's clock is hours ahead; whether a request is recent is judged by this machine's."""

    class Behind(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(UTC) - AHEAD

    monkeypatch.setattr(bot_events, "datetime", Behind)
    async with database.pool.connection() as conn:
        await conn.execute(
            "INSERT INTO signature (signature, seen_at)"
            " VALUES ('v0=1', clock_timestamp() - interval '1 hour')"
        )
    await Events(database.pool).forget()
    async with database.pool.connection() as conn:
        assert await (await conn.execute("SELECT signature FROM signature")).fetchall()
