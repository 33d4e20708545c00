"""Rows that somebody writes with the database's password: they lend nothing, hide nothing and end nothing."""

import json
import logging
from dataclasses import asdict
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from psycopg.types.json import Jsonb

from bot.database import Database, open_database
from bot.events import Events
from connectors.sandbox.process import Running
from graphs import approvals, audit, delegations, ids, reviews
from graphs.audit.vault import Unopened
from graphs.records import Answered, RunStatus
from tests.scenario.desk import Office
from tests.scenario.town_hall import away

WANTED = {"group": "billing-db", "days": "3", "reason": "close the quarter"}
ADA, GRACE, TOMAS = "ada.okafor", "grace.lindqvist", "tomas.varga"


async def write(office: Office, statement: str, *values: Any) -> int:
    """Write with the application's role."""
    async with office.database.pool.connection() as conn:
        return (await conn.execute(statement.encode(), values)).rowcount


async def click(office: Office, card: str, who: str) -> Answered:
    """Click, again where a busy machine was too slow to read everybody within the time that a click has."""
    while (answered := await office.click(card, who)) is Answered.UNREACHABLE:
        pass
    return answered


async def kinds(office: Office) -> list[str]:
    async with office.database.pool.connection() as conn:
        return [event.kind async for event in audit.read(conn)]


async def granted(office: Office) -> str:
    run = await office.ask(WANTED)
    assert await click(office, office.desk.cards[0], GRACE) is Answered.RECORDED
    assert "Ada Okafor" in await office.members("billing-db")
    return run


async def test_a_row_of_a_delegation_lends_nothing(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    run = await office.ask(WANTED)
    (card,) = office.desk.cards
    grace, tomas = await office.person(GRACE), await office.person(TOMAS)
    people = [
        json.dumps({"subject": p.subject, "name": p.name, "email": p.email, "human": p.human})
        for p in (grace, tomas)
    ]
    await write(
        office,
        "INSERT INTO delegation (id, holder, stand_in, holder_person, stand_in_person, starts_at, ends_at)"
        " VALUES (%s, %s, %s, %s, %s, moment(), moment() + interval '1 day')",
        *(ids.fresh(), grace.human, tomas.human, *people),
    )
    assert await click(office, card, TOMAS) is Answered.NOT_ALLOWED
    assert (await office.runs.run(run)).status is RunStatus.WAITING
    assert "delegation" in caplog.text
    async with office.database.pool.connection() as conn:
        assert await delegations.in_force(conn) == []


async def lent(office: Office) -> str:
    async with office.database.pool.connection() as conn:
        cursor = await conn.execute("SELECT (moment() + interval '1 day')::date AS day")
        row = await cursor.fetchone()
        assert row is not None
        made = await delegations.delegate(
            conn,
            holder=await office.person(GRACE),
            stand_in=await office.person(TOMAS),
            last_day=row["day"],
            by="a test",
        )
    return made.id


async def test_a_process_without_the_keys_of_the_record_judges_no_row(
    office: Office, database_home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await office.ask(WANTED)
    (card,) = office.desk.cards
    await lent(office)
    async with office.database.pool.connection() as conn:
        cursor = await conn.execute("SELECT current_setting('countersign.tenant') AS tenant")
        tenant = (await cursor.fetchone() or {})["tenant"]
    async with (
        open_database(database_home, None, tenant=tenant) as closed,
        closed.pool.connection() as conn,
    ):
        for judged in (delegations.in_force(conn), approvals.load(conn, card)):
            with pytest.raises(Unopened):
                await judged
    assert "not as the record has it" not in caplog.text


async def test_a_delegation_lasts_no_longer_than_it_was_made_for(office: Office) -> None:
    made = await lent(office)
    await write(
        office, "UPDATE delegation SET ends_at = 'infinity'::timestamptz - interval '1 day' WHERE false"
    )
    await write(office, "UPDATE delegation SET ends_at = moment() + interval '9 years' WHERE id = %s", made)
    await office.ask(WANTED)
    await office.later(timedelta(days=3))
    async with office.database.pool.connection() as conn:
        assert await delegations.in_force(conn) == []


@pytest.mark.parametrize(
    "change", ["ended_at = NULL", "ended_at = NULL, ends_at = moment() + interval '1 day'"]
)
async def test_a_delegation_that_was_ended_stays_ended(office: Office, change: str) -> None:
    made = await lent(office)
    async with office.database.pool.connection() as conn:
        assert await delegations.end(conn, made, by="a test")
    await office.ask(WANTED)
    await write(office, f"UPDATE delegation SET {change}")
    assert await click(office, office.desk.cards[0], TOMAS) is Answered.NOT_ALLOWED


GONE = (
    "DELETE FROM timer",
    "WITH gone AS (DELETE FROM timer RETURNING run) INSERT INTO timer (run, due_at)"
    " SELECT DISTINCT run, moment() + interval '9 years' FROM gone",
    "UPDATE run SET due_at = moment() + interval '9 years' WHERE key LIKE 'end %'",
    "UPDATE run SET status = 'done' WHERE key LIKE 'end %'",
    "UPDATE run SET slots = '{}' WHERE key LIKE 'end %'",
    "UPDATE run SET slots = slots || '{\"approval\": \"x\"}' WHERE key LIKE 'end %'",
    "UPDATE effect SET ends_at = moment() + interval '9 years'",
    "UPDATE effect SET state = 'failed'",
    "UPDATE effect SET run = (SELECT id FROM run WHERE key LIKE 'end %')",
    "INSERT INTO effect (id, approval, run, step, act, operation, key, payload, state, result, token)"
    " SELECT 'forged', approval, run, step, 'undo', operation, 'forged', payload, 'done', '{}', 0"
    " FROM effect",
)


@pytest.mark.parametrize("change", GONE)
async def test_what_was_granted_ends_whatever_becomes_of_its_rows(
    office: Office, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    await granted(office)
    assert await write(office, change.replace("%", "%%")) > 0
    if "run SET" in change:
        await write(office, "DELETE FROM timer")
    await office.later(timedelta(days=30))
    await office.later(timedelta(hours=2))
    assert "Ada Okafor" not in await office.members("billing-db")
    assert (await kinds(office)).count("effect.done") == 2
    assert [one for one in caplog.records if one.levelno >= logging.ERROR]


async def test_a_deleted_timer_is_raised_as_an_alarm(office: Office) -> None:
    run = await granted(office)
    await write(office, "DELETE FROM timer")
    await office.later(timedelta(days=30))
    assert "Ada Okafor" not in await office.members("billing-db")
    assert (run, "overdue") in office.desk.alarms
    assert (await kinds(office)).count("effect.overdue") == 1
    assert "revoked" in office.desk.keys


async def test_an_end_that_gets_nowhere_is_raised_as_an_alarm_once(office: Office, server: Running) -> None:
    run = await granted(office)
    await away(server, True)
    await office.later(timedelta(hours=74))
    assert office.desk.alarms == []
    await office.later(timedelta(hours=2))
    assert office.desk.alarms == [(run, "late")]
    await away(server, False)
    await office.later(timedelta(hours=2))
    assert office.desk.alarms == [(run, "late")]
    assert "Ada Okafor" not in await office.members("billing-db")


async def test_a_row_of_a_vote_makes_nobody_an_approver_in_the_record(office: Office) -> None:
    run = await office.ask(WANTED)
    (card,) = office.desk.cards
    person = Jsonb(asdict(approvals.actor(await office.person(TOMAS))))
    await write(
        office,
        "INSERT INTO vote (approval, subject, human, holder, person, verdict) VALUES"
        " (%s, %s ->> 'subject', %s ->> 'human', %s ->> 'human', %s, 'approve')",
        *(card, person, person, person, person),
    )
    assert await click(office, card, GRACE) is Answered.RECORDED
    async with office.database.pool.connection() as conn:
        events = {event.kind: event async for event in audit.read(conn, run)}
    approver = events["approval.decided"].actor
    assert approver is not None
    for kind in ("approval.decided", "effect.intended", "effect.done"):
        assert events[kind].approvers == (approver,)


async def test_nothing_ends_before_its_time(office: Office) -> None:
    await granted(office)
    await write(office, "UPDATE run SET due_at = moment() WHERE key LIKE 'end %%'")
    await write(
        office, "INSERT INTO timer (run, due_at) SELECT id, moment() FROM run WHERE key LIKE 'end %%'"
    )
    await office.later(timedelta(hours=1))
    assert "Ada Okafor" in await office.members("billing-db")
    await office.later(timedelta(days=3, hours=1))
    assert "Ada Okafor" not in await office.members("billing-db")


async def test_a_stored_event_that_slack_did_not_send_is_passed_over(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    events = Events(database.pool)
    sent = {"event_id": "E1", "type": "event_callback", "event": {"type": "app_mention", "n": 1, "f": 1.5e3}}
    assert await events.store(sent)
    forged = json.dumps({**sent, "event_id": "E2"})
    async with database.pool.connection() as conn:
        await conn.execute(
            "INSERT INTO event (event_id, body, next_at) VALUES (%s, %s, clock_timestamp())", ("E2", forged)
        )
        await conn.execute("UPDATE event SET next_at = clock_timestamp()")
    assert [body["event_id"] for body in await events.untaken()] == ["E1"]
    assert await events.body("E2") is None
    assert await events.body("E1") == sent
    async with database.pool.connection() as conn:
        await conn.execute("UPDATE event SET body = body || '{\"event\": {}}' WHERE event_id = 'E1'")
    assert await events.body("E1") is None
    assert "did not come from Slack" in caplog.text


async def test_a_row_of_a_review_signs_nothing_off(office: Office) -> None:
    await granted(office)
    (card,) = office.desk.cards[:1]
    run = (await office.approval(card)).run
    async with office.database.pool.connection() as conn:
        review, _ = await reviews.ask(conn, run=run, approval=card, reviewers="a", every=timedelta(days=1))
        facts = {"review": review, "approval": card}
        await audit.append(conn, "review.requested", run=run, facts=facts, detail={"reviewers": "a"})
    await write(
        office,
        "UPDATE review SET status = 'in_order', reviewer = %s, reviewed_at = moment(), reviewers = 'b'",
        json.dumps({"subject": "x#1", "name": "x", "email": ""}),
    )
    found = await office.runs.review_of(review)
    assert found is not None
    assert (found.finding, found.by, found.reviewers) == (None, None, "a")


ZONES = ("Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Amsterdam", "Asia/Kathmandu", "UTC")


@pytest.mark.parametrize("zone", ZONES)
async def test_a_delegation_ends_at_midnight_of_the_holders_day(office: Office, zone: str) -> None:
    async with office.database.pool.connection() as conn:
        cursor = await conn.execute("SELECT moment() AS now")
        row = await cursor.fetchone()
        assert row is not None
        day = row["now"].astimezone(ZoneInfo(zone)).date() + timedelta(days=3)
        made = await delegations.delegate(
            conn,
            holder=await office.person(GRACE),
            stand_in=await office.person(TOMAS),
            last_day=day,
            by="a test",
            zone=ZoneInfo(zone),
        )
        await conn.rollback()
    there = made.ends_at.astimezone(ZoneInfo(zone))
    assert (there.date(), there.time()) == (day + timedelta(days=1), time())


@pytest.mark.parametrize(
    ("day", "key"),
    [(date.max, "too_long"), (date(9999, 1, 1), "too_long"), (date.min, "past"), (date(2001, 1, 1), "past")],
)
async def test_a_day_that_no_delegation_can_last_until_is_refused(
    office: Office, day: date, key: str
) -> None:
    grace, tomas = await office.person(GRACE), await office.person(TOMAS)
    async with office.database.pool.connection() as conn:
        with pytest.raises(delegations.NotDelegable) as refused:
            await delegations.delegate(
                conn, holder=grace, stand_in=tomas, last_day=day, by="a test", zone=ZoneInfo(ZONES[0])
            )
    assert refused.value.key == key
