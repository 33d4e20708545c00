"""Stand-ins: whose right they use, what they may not do with it, and when it is over."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from bot.database import Database, open_owner
from connectors.sandbox.process import Running
from graphs import audit, delegations
from graphs.delegations import NotDelegable
from graphs.records import Answered, ApprovalStatus, Delegation, RunStatus, Verdict
from tests.scenario.desk import Office, open_office
from tests.scenario.duty import (
    ADA,
    BEN,
    GRACE,
    INES,
    JUN,
    TOMAS,
    approval,
    ask,
    click,
    deactivate,
    decide,
    leave,
    person,
    ruled,
)
from tests.scenario.stopped import stopped


@dataclass(frozen=True, kw_only=True)
class Away:
    """The office, its directory server, and the day until which things are lent."""

    office: Office
    server: Running
    day: date

    async def lend(self, holder: str, stand_in: str, *, days: int = 0) -> Delegation:
        """Let somebody stand in until the end of the day, some days on."""
        async with self.office.database.pool.connection() as conn:
            return await delegations.delegate(
                conn,
                holder=await person(self.office, holder),
                stand_in=await person(self.office, stand_in),
                last_day=self.day + timedelta(days=days),
                by="a test",
            )

    async def end(self, made: Delegation) -> None:
        """End it before its time."""
        async with self.office.database.pool.connection() as conn:
            assert await delegations.end(conn, made.id, by="a test")


@pytest.fixture
async def away(
    database: Database, database_home: Path, server: Running, request: pytest.FixtureRequest
) -> AsyncIterator[Away]:
    quorum = getattr(request, "param", 1)
    async with open_office(database, database_home, server, rules=ruled(quorum=quorum)) as office:
        yield Away(office=office, server=server, day=datetime.now(UTC).date() + timedelta(days=1))


two_needed = pytest.mark.parametrize("away", [2], indirect=True)


async def test_a_stand_in_decides_with_the_right_of_the_holder(away: Away) -> None:
    office = away.office
    run = await ask(office)
    (card,) = office.desk.cards
    assert await click(office, card, TOMAS) is Answered.NOT_ALLOWED
    await away.lend(GRACE, TOMAS)
    assert await click(office, card, TOMAS) is Answered.RECORDED
    assert (await office.runs.run(run)).status is RunStatus.DONE
    assert "Ada Okafor" in await office.members("billing-db")
    (vote,) = (await approval(office, card)).votes
    assert vote.stands_for is not None
    assert (vote.by.name, vote.stands_for.name) == ("Tomas Varga", "Grace Lindqvist")
    async with office.database.pool.connection() as conn:
        events = [event async for event in audit.read(conn)]
    assert [event.kind for event in events].count("delegation.made") == 1
    (decided,) = [event for event in events if event.kind == "approval.decided"]
    assert decided.detail is not None
    assert decided.detail["by"]["name"] == "Tomas Varga"
    assert decided.detail["stands_for"]["name"] == "Grace Lindqvist"


async def test_a_stand_in_denies_with_the_right_of_the_holder(away: Away) -> None:
    run = await ask(away.office)
    (card,) = away.office.desk.cards
    await away.lend(GRACE, TOMAS)
    assert await click(away.office, card, TOMAS, Verdict.DENY, "not now") is Answered.RECORDED
    assert (await away.office.runs.run(run)).reason == "denied"


@two_needed
@pytest.mark.parametrize("order", [(GRACE, TOMAS), (TOMAS, GRACE)])
async def test_a_holder_and_their_stand_in_count_once(away: Away, order: tuple[str, str]) -> None:
    office = away.office
    run = await ask(office)
    (card,) = office.desk.cards
    await away.lend(GRACE, TOMAS)
    assert await click(office, card, order[0]) is Answered.RECORDED
    assert await click(office, card, order[1]) is Answered.ALREADY_VOTED
    assert (await office.runs.run(run)).status is RunStatus.WAITING
    assert await click(office, card, BEN) is Answered.RECORDED
    assert (await office.runs.run(run)).status is RunStatus.DONE


@two_needed
async def test_one_person_counts_once_whoever_they_stand_in_for(away: Away) -> None:
    """Tomas for Grace and Tomas for Ben is one person, and Ben for Grace and for himself is one, too."""
    office = away.office
    await ask(office)
    (card,) = office.desk.cards
    await away.lend(GRACE, TOMAS)
    await away.lend(BEN, TOMAS)
    assert await click(office, card, TOMAS) is Answered.RECORDED
    assert await click(office, card, TOMAS) is Answered.ALREADY_VOTED
    assert (await approval(office, card)).status is ApprovalStatus.PENDING


@two_needed
async def test_who_may_decide_themselves_uses_their_own_right(away: Away) -> None:
    office = away.office
    run = await ask(office)
    (card,) = office.desk.cards
    await away.lend(GRACE, BEN)
    assert await click(office, card, BEN) is Answered.RECORDED
    assert (await approval(office, card)).votes[0].stands_for is None
    assert await click(office, card, BEN) is Answered.ALREADY_VOTED
    assert await click(office, card, GRACE) is Answered.RECORDED
    assert (await office.runs.run(run)).status is RunStatus.DONE


async def test_a_stand_in_whose_first_holder_has_voted_uses_the_right_of_the_other(away: Away) -> None:
    office = away.office
    await away.lend(GRACE, TOMAS)
    await away.lend(BEN, TOMAS)
    await ask(office)
    (card,) = office.desk.cards
    assert await decide(office, card, TOMAS) is Answered.RECORDED
    (vote,) = (await approval(office, card)).votes
    assert vote.stands_for is not None
    assert vote.stands_for.name == "Grace Lindqvist", "the one who was away first"


@pytest.mark.parametrize(("asks", "answer"), [(GRACE, Answered.FOR_REQUESTER), (TOMAS, Answered.OWN_REQUEST)])
async def test_nobody_decides_through_a_stand_in_on_what_either_of_them_asked_for(
    away: Away, asks: str, answer: Answered
) -> None:
    await away.lend(GRACE, TOMAS)
    await ask(away.office, asks)
    (card,) = away.office.desk.cards
    assert await click(away.office, card, TOMAS) is answer
    assert (await approval(away.office, card)).votes == ()


async def test_a_right_that_is_lent_cannot_be_lent_on(away: Away) -> None:
    await away.lend(TOMAS, INES)
    with pytest.raises(NotDelegable, match="away"):
        await away.lend(GRACE, TOMAS)
    await away.lend(GRACE, BEN)
    await away.lend(BEN, ADA)  # Ada has Ben's right, and not that of whom Ben stands in for
    office = away.office
    await leave(office, away.server, await person(office, BEN), "data-owners")
    await ask(office, INES)
    (card,) = office.desk.cards
    assert await click(office, card, ADA) is Answered.NOT_ALLOWED
    assert await click(office, card, BEN) is Answered.RECORDED


async def test_it_ends_by_itself_at_the_end_of_its_day(away: Away) -> None:
    office = away.office
    made = await away.lend(GRACE, TOMAS)
    assert made.ends_at == datetime.combine(away.day + timedelta(days=1), datetime.min.time(), UTC)
    await ask(office)
    (card,) = office.desk.cards
    async with stopped(office.home) as clock:
        async with open_owner(office.home, None) as owner:
            await owner.execute("UPDATE approval SET decide_by = %s", (made.ends_at + timedelta(days=1),))
        await clock.stand(made.ends_at)
        assert await decide(office, card, TOMAS) is Answered.NOT_ALLOWED
        await clock.stand(made.ends_at, off=-timedelta(milliseconds=1))
        assert await decide(office, card, TOMAS) is Answered.RECORDED


async def lose_role(away: Away) -> None:
    await leave(away.office, away.server, await person(away.office, GRACE), "data-owners")


async def leave_company(away: Away) -> None:
    await deactivate(away.server, await person(away.office, GRACE))


async def stand_in_leaves(away: Away) -> None:
    await deactivate(away.server, await person(away.office, TOMAS))


@pytest.mark.parametrize("change", [lose_role, leave_company])
async def test_what_the_holder_no_longer_has_the_stand_in_does_not_have(away: Away, change: object) -> None:
    await away.lend(GRACE, TOMAS)
    await ask(away.office)
    (card,) = away.office.desk.cards
    await change(away)  # type: ignore[operator]  # one of the functions above
    assert await click(away.office, card, TOMAS) is Answered.NOT_ALLOWED


@pytest.mark.parametrize("change", [lose_role, leave_company, stand_in_leaves])
async def test_it_is_read_again_before_anything_is_done(away: Away, change: object) -> None:
    office = away.office
    await away.lend(GRACE, TOMAS)
    await ask(office)
    (card,) = office.desk.cards
    assert await decide(office, card, TOMAS) is Answered.RECORDED
    await change(away)  # type: ignore[operator]  # one of the functions above
    await office.work()
    assert "Ada Okafor" not in await office.members("billing-db")
    assert (await approval(office, card)).status is ApprovalStatus.VOID


async def test_what_was_decided_under_a_delegation_that_was_ended_is_not_carried_out(away: Away) -> None:
    office = away.office
    made = await away.lend(GRACE, TOMAS)
    await ask(office)
    (card,) = office.desk.cards
    assert await decide(office, card, TOMAS) is Answered.RECORDED
    await away.end(made)
    await office.work()
    assert "Ada Okafor" not in await office.members("billing-db")
    assert (await approval(office, card)).status is ApprovalStatus.VOID


async def test_a_longer_time_for_the_same_stand_in_leaves_what_they_decided(away: Away) -> None:
    office = away.office
    await away.lend(GRACE, TOMAS)
    run = await ask(office)
    (card,) = office.desk.cards
    assert await decide(office, card, TOMAS) is Answered.RECORDED
    await away.lend(GRACE, TOMAS, days=5)
    await office.work()
    assert (await office.runs.run(run)).status is RunStatus.DONE
    async with office.database.pool.connection() as conn:
        assert len(await delegations.in_force(conn)) == 1


async def test_another_stand_in_ends_the_first(away: Away) -> None:
    await away.lend(GRACE, TOMAS)
    await away.lend(GRACE, INES)
    await ask(away.office)
    (card,) = away.office.desk.cards
    assert await click(away.office, card, TOMAS) is Answered.NOT_ALLOWED
    assert await click(away.office, card, INES) is Answered.RECORDED


@pytest.mark.parametrize(
    ("holder", "stand_in", "days", "problem"),
    [
        (GRACE, GRACE, 0, "self"),
        (GRACE, JUN, 0, "inactive"),
        (JUN, TOMAS, 0, "inactive"),
        (GRACE, TOMAS, -2, "past"),
        (GRACE, TOMAS, 61, "too_long"),
    ],
)
async def test_what_cannot_be_lent(away: Away, holder: str, stand_in: str, days: int, problem: str) -> None:
    with pytest.raises(NotDelegable, match=problem):
        await away.lend(holder, stand_in, days=days)
