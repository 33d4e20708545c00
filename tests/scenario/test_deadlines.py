"""The times of an approval, to the millisecond: reminded, open to a second group, over, and carried out."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from bot.database import Database
from connectors.sandbox.process import Running
from graphs import audit
from graphs.records import Answered, ApprovalStatus, RunStatus
from tests.scenario.desk import Office, open_office
from tests.scenario.duty import GRACE, INES, TOMAS, approval, ask, click, decide, leave, person, ruled
from tests.scenario.stopped import StoppedClock, stopped

TICK = timedelta(milliseconds=1)


@dataclass(frozen=True, kw_only=True)
class Watch:
    """The office under a clock that stands where it is put."""

    office: Office
    server: Running
    clock: StoppedClock

    async def look(self) -> None:
        """Do what has become due at this moment."""
        await self.office.runs.sweep()
        await self.office.work()

    async def kinds(self) -> list[str]:
        """What the audit has, by kind."""
        async with self.office.database.pool.connection() as conn:
            return [event.kind async for event in audit.read(conn)]


@pytest.fixture
async def watch(database: Database, database_home: Path, server: Running) -> AsyncIterator[Watch]:
    rules = ruled(escalate_to="people-team")
    async with (
        open_office(database, database_home, server, rules=rules) as office,
        stopped(database_home) as clock,
    ):
        yield Watch(office=office, server=server, clock=clock)


async def test_the_time_to_decide_is_over_at_its_end_and_not_before(watch: Watch) -> None:
    office = watch.office
    runs = [await ask(office), await ask(office, TOMAS)]
    first, second = [await approval(office, card) for card in office.desk.cards]
    await watch.clock.stand(first.decide_by, off=-TICK)
    assert await decide(office, first.id, GRACE) is Answered.RECORDED
    await watch.clock.stand(second.decide_by)
    assert await click(office, second.id, GRACE) is Answered.EXPIRED
    ended = [await office.runs.run(run) for run in runs]
    assert (ended[0].status, ended[1].status, ended[1].reason) == (
        RunStatus.DONE,
        RunStatus.REFUSED,
        "expired",
    )
    expired = await approval(office, second.id)
    assert (expired.status, expired.votes) == (ApprovalStatus.EXPIRED, ()), "neither approved nor denied"
    assert office.desk.keys.count("expired") == 1, "the requester is told"


async def test_nobody_has_to_look_for_it_to_be_over(watch: Watch) -> None:
    run = await ask(watch.office)
    (card,) = watch.office.desk.cards
    waiting = await approval(watch.office, card)
    await watch.clock.stand(waiting.decide_by, off=-TICK)
    await watch.look()
    assert (await watch.office.runs.run(run)).status is RunStatus.WAITING
    await watch.clock.stand(waiting.decide_by)
    await watch.look()
    assert (await watch.office.runs.run(run)).reason == "expired"


@pytest.mark.parametrize(("late", "reason"), [(timedelta(), None), (TICK, "window_passed")])
async def test_what_is_approved_is_carried_out_within_its_window_or_not_at_all(
    watch: Watch, late: timedelta, reason: str | None
) -> None:
    office = watch.office
    run = await ask(office)
    (card,) = office.desk.cards
    assert await decide(office, card, GRACE) is Answered.RECORDED
    decided = await approval(office, card)
    assert decided.decided_at is not None
    await watch.clock.stand(decided.decided_at, off=timedelta(seconds=decided.execute_within) + late)
    await office.work()
    assert (await office.runs.run(run)).reason == reason
    assert ("Ada Okafor" in await office.members("billing-db")) is (reason is None)


async def test_half_of_the_time_is_over_and_a_reminder_is_posted_once(watch: Watch) -> None:
    office = watch.office
    await ask(office)
    (card,) = office.desk.cards
    waiting = await approval(office, card)
    half = waiting.decide_by - timedelta(hours=12)
    await watch.clock.stand(half, off=-TICK)
    await watch.look()
    assert office.desk.beside == []
    await watch.clock.stand(half)
    for _ in range(3):
        await watch.look()
        await office.runs.advance(waiting.run)
    assert office.desk.beside == [(card, "reminder")]
    assert (await watch.kinds()).count("approval.reminded") == 1


async def test_nothing_is_said_about_what_has_been_decided(watch: Watch) -> None:
    await ask(watch.office)
    (card,) = watch.office.desk.cards
    assert await click(watch.office, card, GRACE) is Answered.RECORDED
    await watch.office.later(timedelta(hours=23))
    assert watch.office.desk.beside == []


async def test_members_of_the_second_group_may_decide_from_the_moment_that_the_card_names(
    watch: Watch,
) -> None:
    office = watch.office
    run = await ask(office)
    (card,) = office.desk.cards
    waiting = await approval(office, card)
    assert waiting.escalation is not None
    assert list(waiting.escalation.groups) == ["people-team"]
    assert waiting.escalation.at == waiting.decide_by - timedelta(hours=6), "three quarters of the day"
    await watch.clock.stand(waiting.escalation.at, off=-TICK)
    assert await click(office, card, INES) is Answered.NOT_ALLOWED
    await watch.clock.stand(waiting.escalation.at)
    await watch.look()
    assert office.desk.beside == [(card, "escalated")], "it stands for the reminder that nobody gave"
    assert office.desk.cards.count(card) > 1, "the card is drawn again"
    assert (await watch.kinds()).count("approval.escalated") == 1
    assert await click(office, card, TOMAS) is Answered.NOT_ALLOWED
    assert await click(office, card, INES) is Answered.RECORDED
    assert (await office.runs.run(run)).status is RunStatus.DONE
    assert "Ada Okafor" in await office.members("billing-db")


async def test_the_first_group_may_still_decide_after_the_escalation(watch: Watch) -> None:
    run = await ask(watch.office)
    (card,) = watch.office.desk.cards
    waiting = await approval(watch.office, card)
    await watch.clock.stand(waiting.decide_by, off=-TICK)
    assert await click(watch.office, card, GRACE) is Answered.RECORDED
    assert (await watch.office.runs.run(run)).status is RunStatus.DONE


async def test_nobody_of_the_second_group_decides_on_their_own_request(watch: Watch) -> None:
    await ask(watch.office, INES)
    (card,) = watch.office.desk.cards
    waiting = await approval(watch.office, card)
    await watch.clock.stand(waiting.decide_by, off=-TICK)
    assert await click(watch.office, card, INES) is Answered.OWN_REQUEST


async def test_the_membership_of_the_second_group_is_read_again_before_anything_is_done(
    watch: Watch,
) -> None:
    office = watch.office
    await ask(office)
    (card,) = office.desk.cards
    waiting = await approval(office, card)
    await watch.clock.stand(waiting.decide_by, off=-TICK)
    assert await decide(office, card, INES) is Answered.RECORDED
    await leave(office, watch.server, await person(office, INES), "people-team")
    await office.work()
    assert "Ada Okafor" not in await office.members("billing-db")
