"""A person is erased from every store after the office has been used; what belongs to others stays."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from bot.blocks import approval
from bot.database import Database, open_owner
from bot.privacy import export, people, stores
from bot.privacy.erase import Erasing, Report
from bot.privacy.files import Mentions, every, kind_of
from bot.privacy.working import Hands
from connectors.directory import Person
from connectors.sandbox import company
from connectors.sandbox.process import Running
from graphs import audit, delegations
from graphs.audit import Held, keeping
from tests.scenario.slack_office import (
    ADA,
    APPROVERS,
    ASK_POLICY,
    BEN,
    BOT,
    GRACE,
    INES,
    TOMAS,
    Office,
    open_office,
    texts,
)
from tests.scenario.test_slack_office import denial, fill
from tests.week import forms

Seen = TypeVar("Seen")
HARMLESS = frozenset({"group", "days", "minutes"})
WHY = "because my divorce lawyer Zebulon wants the figures"
DENIED = "that is what Mephisto said in the corridor"
WORDS = ("Castellanos", company.BEN.email, company.BEN.id, BEN, "Zebulon", "Mephisto", "Quetzal")


@pytest.fixture
async def office(
    database: Database, database_home: Path, slack_home: Path, server: Running
) -> AsyncIterator[Office]:
    async with open_office(database, database_home, slack_home, server) as opened:
        yield opened


async def test_every_table_and_column_is_declared(database: Database, database_home: Path) -> None:
    async with open_owner(database_home, None) as conn:
        cursor = await conn.execute(
            "SELECT relname, attname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid"
            " WHERE relnamespace = 'countersign'::regnamespace AND relkind IN ('r', 'p', 'm', 'v', 'f')"
            " AND attnum > 0 AND NOT attisdropped"
        )
        there = {(str(table), str(column)) for table, column in await cursor.fetchall()}
    declared = {(table.name, column) for table in stores.TABLES for column in table.columns}
    assert there - declared == set(), "declare them in graphs/stores.py or bot/privacy/stores.py"
    assert declared - there == set()
    assert len(stores.TABLES) == len({table.name for table in stores.TABLES})


def test_every_file_of_a_home_is_declared(prepared_home: Path) -> None:
    places = [place for _, place in every(prepared_home)]
    assert [place for place in places if kind_of(place) is None] == []
    assert {"editions", "the database", "secrets"} <= {kind_of(place).kind for place in places}  # type: ignore[union-attr]  # just looked
    assert kind_of("notes/whatever.txt") is None


async def until(look: Callable[[], Awaitable[Seen]], what: str) -> Seen:
    for _ in range(600):
        if seen := await look():
            return seen
        await asyncio.sleep(0.1)
    pytest.fail(f"{what} did not happen")


async def asked(office: Office, who: str, reason: str) -> dict[str, Any]:
    """Ask for access, and wait for the card that can be decided."""
    before = {one["ts"] for one in await office.people.messages(as_=GRACE, channel=APPROVERS)}
    await office.people.message(
        f"I need billing-db for 3 days {reason}", as_=who, channel=await office.dm(who)
    )

    async def look() -> dict[str, Any] | None:
        seen = await office.people.messages(as_=GRACE, channel=APPROVERS)
        return next((one for one in seen if one["ts"] not in before and approval.APPROVE in str(one)), None)

    found = await until(look, f"the card of {who}")
    assert found is not None
    return found


async def granted(office: Office, who: str, by: str, reason: str, name: str) -> dict[str, Any]:
    """Ask for access, have it approved, and wait until it is there and said."""
    card = await asked(office, who, reason)
    await office.people.action(approval.APPROVE, as_=by, channel=APPROVERS, message_ts=card["ts"])

    async def look() -> bool:
        return name in await office.members("billing-db") and await rows(office, _DONE) == []

    await until(look, f"the access of {who}")
    return card


_DONE = "SELECT 1 FROM run WHERE status NOT IN ('done', 'refused', 'scheduled')"


async def rows(office: Office, query: str) -> list[dict[str, Any]]:
    async with office.parts.pool.connection() as conn:
        return await (await conn.execute(query.encode())).fetchall()


async def person(office: Office, who: str) -> Person:
    return await office.parts.identity.person(who)


async def erase(office: Office, database: Database, name: str, files: Mentions | None = None) -> Report:
    """Erase somebody as the command does, while the bot runs."""
    found = await people.find(database.pool, name, person=None, harmless=HARMLESS)
    assert found is not None

    async def look(words: frozenset[str]) -> Mentions:
        return files or Mentions()

    async with open_owner(office.database_home, None) as owner:
        hands = Hands(queue=office.parts.jobs, notifier=office.parts.outbox)
        return await Erasing(
            database=database, owner=owner, hands=hands, files=look, by="dpo", harmless=HARMLESS
        ).erase(found)


async def left_of(office: Office, words: tuple[str, ...]) -> dict[str, set[str]]:
    """Dump every table as this test's tenant sees it; return which words stand in which."""
    left: dict[str, set[str]] = {}
    async with office.parts.pool.connection() as conn:
        cursor = await conn.execute("SELECT current_setting('countersign.tenant') AS tenant")
        tenant = (await cursor.fetchall())[0]["tenant"]
    async with open_owner(office.database_home, None) as owner:
        for table in stores.TABLES:
            where = f"WHERE tenant = '{tenant}'" if table.tenant else ""
            found = await owner.execute(
                f"SELECT to_jsonb(t)::text || t::text FROM {table.name} AS t {where}".encode()
            )
            for (said,) in await found.fetchall():
                for word in words:
                    if any(form in said.encode() for form in forms(word)):
                        left.setdefault(table.name, set()).add(word)
    return left


async def used(office: Office) -> None:
    """Have Ben be greeted, ask, decide, deny, be named, lend his right, and wait for answer and decision."""
    await office.people.home("messages", as_=BEN)
    await office.people.message(
        f"<@{BOT}> May I bring my parrot Quetzal into the laboratory?", as_=BEN, channel=ASK_POLICY
    )
    await granted(office, ADA, BEN, "as Ben Castellanos told me to", "Ada Okafor")
    refused = await asked(office, TOMAS, "to close the quarter")
    await office.people.action(approval.DENY, as_=BEN, channel=APPROVERS, message_ts=refused["ts"])
    view = await office.people.wait_for_view(as_=BEN, callback_id=approval.DENIAL)
    await office.people.submit(view["id"], denial(DENIED), as_=BEN)
    await granted(office, BEN, GRACE, WHY, "Ben Castellanos")
    holder, stand_in = await person(office, BEN), await person(office, INES)
    async with office.parts.pool.connection() as conn:
        cursor = await conn.execute("SELECT (moment() + interval '9 days')::date AS day")
        day = (await cursor.fetchall())[0]["day"]
        await delegations.delegate(conn, holder=holder, stand_in=stand_in, last_day=day, by="Ben")

    async def answered() -> bool:
        return bool(await rows(office, "SELECT 1 FROM question"))

    await until(answered, "the answer to Ben's question")


async def test_nothing_of_a_person_is_left_and_everything_of_others(
    office: Office, database: Database
) -> None:
    await used(office)
    before = await left_of(office, WORDS)
    assert {"run", "approval", "vote", "event", "message", "delegation", "slack_person"} <= before.keys()
    kept = await exported(office, database)
    assert WHY in kept
    assert DENIED in kept
    assert company.BEN.email in kept
    report = await erase(office, database, company.BEN.email)
    assert report.is_complete, report
    assert report.ended == 1
    assert report.delegations == 1
    assert await left_of(office, WORDS) == {}
    others = await left_of(office, ("Ada Okafor", company.TOMAS.email, "Grace Lindqvist", "Ines Moreau"))
    assert {"run", "approval", "vote", "delegation"} <= others.keys()
    assert "close the quarter" in json.dumps(await rows(office, "SELECT slots FROM run"))
    assert await office.members("billing-db") == {"Ada Okafor"}
    shown = json.dumps([texts(one) for one in await office.people.messages(as_=GRACE, channel=APPROVERS)])
    for word in (*WORDS, f"<@{BEN}>"):
        assert word not in shown.replace("as [erased] told", "")
    assert "a person who was erased" in shown
    async with office.parts.pool.connection() as conn:
        events = [event async for event in audit.read(conn)]  # each as it was written
    assert events[-1].kind == "person.erased"
    # what he approved ends in its time all the same
    await office.move_clock(timedelta(days=4))

    async def ended() -> bool:
        return await office.members("billing-db") == set()

    await until(ended, "the end of what he had approved")


async def exported(office: Office, database: Database) -> str:
    found = await people.find(database.pool, company.BEN.email, person=None, harmless=HARMLESS)
    assert found is not None
    async with open_owner(office.database_home, None) as owner:
        return json.dumps(await export.export(database, owner, found, Mentions()), ensure_ascii=False)


async def test_what_cannot_end_keeps_the_id_alone_and_sealed_until_it_has(
    office: Office, database: Database
) -> None:
    await granted(office, BEN, GRACE, WHY, "Ben Castellanos")
    subject = (await person(office, BEN)).subject
    await fault(office, "down", on="write", times=0)
    report = await erase(office, database, company.BEN.email)
    assert not report.is_complete
    assert "access to billing-db" in report.left[0].what
    assert await left_of(office, WORDS) == {}
    assert len(await rows(office, "SELECT 1 FROM erasure")) == 1
    assert await office.members("billing-db") == {"Ben Castellanos"}

    async def left_alone() -> bool:
        return await rows(office, "SELECT 1 FROM run WHERE status = 'retrying' AND attempts >= 5") != []

    await until(left_alone, "the fifth attempt at the end")
    async with office.parts.pool.connection() as conn:  # as after minutes of it: the next is a minute away
        await conn.execute("UPDATE run SET attempts = 9 WHERE status = 'retrying'")
    await fault(office, None)
    again = await erase(office, database, subject)
    assert again.person == report.person
    assert again.is_complete, again
    assert await office.members("billing-db") == set()
    assert await left_of(office, WORDS) == {}
    assert await rows(office, "SELECT 1 FROM erasure") == []
    assert await people.find(database.pool, subject, person=None, harmless=HARMLESS) is None


async def test_an_end_that_is_tried_in_the_middle_of_an_erasure_is_not_given_up(
    office: Office, database: Database
) -> None:
    await granted(office, BEN, GRACE, WHY, "Ben Castellanos")
    await fault(office, "down", on="write", times=0)
    found = await people.find(database.pool, company.BEN.email, person=None, harmless=HARMLESS)
    assert found is not None
    tried: list[str] = []

    async def files(words: frozenset[str]) -> Mentions:
        """The rows are changed by now, and the record is not."""
        (end,) = await rows(office, "SELECT id FROM run WHERE status = 'retrying'")
        await office.parts.runs.advance(end["id"])
        tried.append((await office.parts.runs.run(end["id"])).status)
        return Mentions()

    async with open_owner(office.database_home, None) as owner:
        hands = Hands(queue=office.parts.jobs, notifier=office.parts.outbox)
        erasing = Erasing(
            database=database, owner=owner, hands=hands, files=files, by="dpo", harmless=HARMLESS
        )
        await erasing.erase(found)
    assert tried == ["retrying"]


async def fault(office: Office, kind: str | None, **details: object) -> None:
    import httpx

    headers = {"Authorization": f"Bearer {office.directory.token}"}
    url = office.directory.url.rpartition("/v2")[0]
    async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, verify=False) as client:
        if kind is None:
            (await client.delete("/_sandbox/faults")).raise_for_status()
        else:
            said = {"kind": kind, **details}
            (await client.post("/_sandbox/faults", json=said)).raise_for_status()


async def test_what_somebody_changed_for_another_is_asked_again_and_granted(
    office: Office, database: Database
) -> None:
    card = await asked(office, ADA, "to close the quarter")
    await office.people.action(approval.EDIT, as_=BEN, channel=APPROVERS, message_ts=card["ts"])
    view = await office.people.wait_for_view(as_=BEN, callback_id=approval.CHANGE)
    await office.people.submit(view["id"], fill(group="billing-db", days="5"), as_=BEN)

    async def pending(besides: set[str]) -> dict[str, Any] | None:
        seen = await office.people.messages(as_=GRACE, channel=APPROVERS)
        fresh = (one for one in seen if one["ts"] not in besides and approval.APPROVE in str(one))
        return next(fresh, None)

    changed = await until(lambda: pending({card["ts"]}), "the changed card")
    assert changed is not None
    report = await erase(office, database, company.BEN.email)
    assert report.asked_again == 1
    assert report.is_complete, report
    again = await until(lambda: pending({card["ts"], changed["ts"]}), "the card after the erasure")
    assert again is not None
    await office.people.action(approval.APPROVE, as_=GRACE, channel=APPROVERS, message_ts=again["ts"])

    async def granted() -> bool:
        return await office.members("billing-db") == {"Ada Okafor"}

    await until(granted, "the access")
    assert await left_of(office, WORDS) == {}


async def test_open_requests_are_withdrawn_and_a_hold_beats_it(office: Office, database: Database) -> None:
    card = await asked(office, BEN, WHY)
    ((run,),) = [tuple(row.values()) for row in await rows(office, "SELECT id FROM run")]
    async with office.parts.pool.connection() as conn:
        await keeping.hold(conn, run, by="legal", reason="a dispute")
    before = await left_of(office, WORDS)
    with pytest.raises(Held, match=run):
        await erase(office, database, company.BEN.email)
    assert await left_of(office, WORDS) == before
    async with office.parts.pool.connection() as conn:
        await keeping.release(conn, run, by="legal")
    report = await erase(office, database, company.BEN.email)
    assert report.withdrawn == 1
    assert report.is_complete, report
    assert await left_of(office, WORDS) == {}
    seen = await office.people.messages(as_=GRACE, channel=APPROVERS)
    (shown,) = [one for one in seen if one["ts"] == card["ts"]]
    assert "Withdrawn" in texts(shown)
    assert approval.APPROVE not in str(shown)
    dm = await office.people.messages(as_=BEN, channel=await office.dm(BEN))
    threads = [
        texts(one)
        for top in dm
        for one in await office.people.messages(as_=BEN, channel=await office.dm(BEN), thread_ts=top["ts"])
    ]
    assert any("withdrawn" in one for one in threads)
