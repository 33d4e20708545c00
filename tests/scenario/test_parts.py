"""Whoever took part in a request, in whatever way and round, reviews it with no account of theirs."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from bot.database import Database
from connectors.sandbox import company
from connectors.sandbox.process import Running
from graphs import delegations, reviews
from graphs.records import Answered, Finding, RunStatus
from tests.scenario import town_hall
from tests.scenario.desk import Office, open_office
from tests.scenario.duty import BEN, GRACE, INES, TOMAS, approval, ask, click, person
from tests.scenario.test_identities import EMERGENCIES, URGENT

REVIEWERS = "people-team"
EMPLOYEES = {one.user_name: one for one in company.PEOPLE}
NOOR = company.NOOR.user_name
Way = Callable[[Office], Awaitable[str]]  # returns who took part


@pytest.fixture
async def office(database: Database, database_home: Path, server: Running) -> AsyncIterator[Office]:
    async with open_office(database, database_home, server, more=EMERGENCIES) as opened:
        yield opened


async def emergency(office: Office, who: str = "ada.okafor") -> str:
    """Ask for emergency access, and return its card."""
    await ask(office, who, workflow="break_glass", values=URGENT)
    return office.desk.cards[-1]


async def asks(office: Office) -> str:
    await emergency(office, INES)
    return INES


async def votes(office: Office) -> str:
    assert await click(office, await emergency(office), INES) is Answered.RECORDED
    return INES


async def votes_in_an_earlier_round(office: Office) -> str:
    who = await votes(office)
    office.desk.text, office.desk.serves = "Two people approve emergency access.", "e2"
    await office.runs.sweep()  # the clause has changed: the card is void, and a new one asks
    await office.work()
    assert (await approval(office, office.desk.cards[-1])).votes == ()
    return who


async def edits(office: Office) -> str:
    card, less = await emergency(office), {**URGENT, "minutes": "20"}
    answered, _ = await office.runs.edit(card, less, by=await person(office, INES))
    assert answered is Answered.RECORDED
    await office.work()
    return INES


async def stands_in(office: Office) -> str:
    await lend(office, GRACE, TOMAS)
    return TOMAS


async def lends_a_vote(office: Office) -> str:
    await lend(office, INES, TOMAS)
    return INES


async def lend(office: Office, holder: str, stand_in: str) -> None:
    """Have the one vote in the place of the other, who is back before it is reviewed."""
    card = await emergency(office)
    async with office.database.pool.connection() as conn:
        now = await office.runs._kit.clock.now(conn)
        made = await delegations.delegate(
            conn,
            holder=await person(office, holder),
            stand_in=await person(office, stand_in),
            last_day=(now + timedelta(days=2)).date(),
            by="a test",
        )
    assert await click(office, card, stand_in) is Answered.RECORDED
    assert (await approval(office, card)).votes[-1].stands_for is not None
    for who in (GRACE, BEN):
        await click(office, card, who)
    async with office.database.pool.connection() as conn:
        await delegations.end(conn, made.id, by="a test")


WAYS: tuple[Way, ...] = (asks, votes, votes_in_an_earlier_round, edits, stands_in, lends_a_vote)


async def review(office: Office, server: Running, way: Way, *, account: str) -> None:
    """Let somebody take part, and review with the `same` account, one `linked` since, or `another`."""
    part = await way(office)
    for who in (GRACE, BEN):
        await click(office, office.desk.cards[-1], who)
    run = (await approval(office, office.desk.cards[-1])).run
    assert (await office.runs.run(run)).status is RunStatus.DONE
    await office.later(timedelta(minutes=31))
    async with office.database.pool.connection() as conn:
        (waiting,) = await reviews.waiting(conn)
    reviewer = part if account == "same" else NOOR
    await town_hall.join(server, EMPLOYEES[reviewer], REVIEWERS)
    if account == "linked":
        await town_hall.link(server, EMPLOYEES[part], EMPLOYEES[NOOR])
    signed = await office.runs.review(waiting.id, Finding.IN_ORDER, by=await person(office, reviewer))
    assert signed is (Answered.RECORDED if account == "another" else Answered.TOOK_PART), (way, account)


@pytest.mark.parametrize("account", ["same", "linked", "another"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_whoever_took_part_reviews_nothing_and_others_do(
    office: Office, server: Running, way: Way, account: str
) -> None:
    await review(office, server, way, account=account)
