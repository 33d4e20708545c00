"""Emergency access: two people, an hour at most, said aloud, and reviewed by a third."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from bot.database import Database
from connectors.sandbox import process
from connectors.sandbox.process import Running
from graphs import audit, delegations, reviews
from graphs.engine.machine import kind
from graphs.records import Answered, Finding, Review, RunStatus, Verdict
from graphs.sections import ClauseRef
from graphs.workflows import break_glass
from graphs.workflows.break_glass import BreakGlass
from graphs.workflows.break_glass import end as break_glass_end
from tests.scenario.desk import Office, open_office
from tests.scenario.duty import ADA, BEN, GRACE, INES, TOMAS, approval, ask, click, person

WANTED = {"group": "prod-logs", "minutes": "30", "reason": "the sensor cloud is down"}
WORKFLOWS = (
    kind(
        BreakGlass(
            break_glass.Rules(
                groups={
                    "prod-logs": break_glass.EmergencyGroup(approvers=("data-owners",)),
                    "billing-db": break_glass.EmergencyGroup(approvers=("data-owners",), max_minutes=15),
                },
                clause=ClauseRef(document="it-access.md", anchor="emergency-access"),
                channel="C0ACCESS",
                alarm_channel="C0ALARMS",
                review_channel="C0REVIEWS",
                reviewers="people-team",
            )
        )
    ),
    break_glass_end.workflow(),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """One directory for all: each emergency is over at the end of its test."""
    async with process.directory(tmp_path_factory.mktemp("directory")) as running:
        yield running


@pytest.fixture
async def office(database: Database, database_home: Path, server: Running) -> AsyncIterator[Office]:
    async with open_office(database, database_home, server, more=WORKFLOWS) as opened:
        yield opened


async def emergency(office: Office, who: str = ADA, **changes: str) -> str:
    """Ask for emergency access."""
    return await ask(office, who, workflow="break_glass", values={**WANTED, **changes})


async def granted(office: Office) -> str:
    """Ask for emergency access, and let two people approve it."""
    run = await emergency(office)
    card = office.desk.cards[-1]
    assert await click(office, card, GRACE) is Answered.RECORDED
    assert await click(office, card, BEN) is Answered.RECORDED
    assert (await office.runs.run(run)).status is RunStatus.DONE
    return run


async def over(office: Office) -> Review:
    """Have emergency access granted and ended, and return its review."""
    await granted(office)
    await office.later(timedelta(minutes=31))
    async with office.database.pool.connection() as conn:
        (waiting,) = await reviews.waiting(conn)
    return waiting


async def sign(
    office: Office, review: Review, who: str, finding: Finding = Finding.IN_ORDER, reason: str = ""
) -> Answered:
    """Click on a review's card."""
    answered = await office.runs.review(review.id, finding, by=await person(office, who), reason=reason)
    await office.work()
    return answered


async def kinds(office: Office) -> list[str]:
    """What the audit has, by kind."""
    async with office.database.pool.connection() as conn:
        return [event.kind async for event in audit.read(conn)]


async def test_two_people_approve_and_it_is_said_aloud_ended_and_reviewed(office: Office) -> None:
    run = await emergency(office)
    (card,) = office.desk.cards
    assert [key for _, key in office.desk.alarms] == ["asked"]
    assert (await approval(office, card)).quorum == 2
    assert await click(office, card, GRACE) is Answered.RECORDED
    assert "Ada Okafor" not in await office.members("prod-logs")
    assert await click(office, card, GRACE) is Answered.ALREADY_VOTED
    assert await click(office, card, BEN) is Answered.RECORDED
    assert "Ada Okafor" in await office.members("prod-logs")
    assert [key for _, key in office.desk.alarms] == ["asked", "granted"]
    await office.later(timedelta(minutes=29))
    assert "Ada Okafor" in await office.members("prod-logs")
    await office.later(timedelta(minutes=2))
    assert "Ada Okafor" not in await office.members("prod-logs")
    assert office.desk.alarms == [(run, "asked"), (run, "granted"), (run, "ended")]
    (review,) = office.desk.reviews
    assert await sign(office, await known(office, review), INES) is Answered.RECORDED
    async with office.database.pool.connection() as conn:
        assert await reviews.waiting(conn) == []
    told = await kinds(office)
    wanted = ["emergency.asked", "emergency.granted", "emergency.ended", "review.requested", "review.signed"]
    assert [kind for kind in told if kind.startswith(("emergency", "review"))] == wanted


async def known(office: Office, review: str) -> Review:
    found = await office.runs.review_of(review)
    assert found is not None
    return found


async def test_one_refusal_ends_it(office: Office) -> None:
    run = await emergency(office)
    (card,) = office.desk.cards
    assert await click(office, card, GRACE) is Answered.RECORDED
    assert await click(office, card, BEN, Verdict.DENY, "use the dashboard") is Answered.RECORDED
    assert (await office.runs.run(run)).reason == "denied"
    assert "Ada Okafor" not in await office.members("prod-logs")


async def test_a_person_and_their_stand_in_are_not_two_people(office: Office) -> None:
    await emergency(office)
    (card,) = office.desk.cards
    async with office.database.pool.connection() as conn:
        today = (await person(office, GRACE), await person(office, TOMAS))
        cursor = await conn.execute("SELECT (moment() AT TIME ZONE 'UTC')::date AS day")
        row = await cursor.fetchone()
        assert row is not None
        await delegations.delegate(
            conn, holder=today[0], stand_in=today[1], last_day=row["day"] + timedelta(days=1), by="a test"
        )
    assert await click(office, card, TOMAS) is Answered.RECORDED
    assert await click(office, card, GRACE) is Answered.ALREADY_VOTED
    assert "Ada Okafor" not in await office.members("prod-logs")


async def test_a_group_that_lacks_two_who_may_approve_is_refused_at_once(office: Office) -> None:
    run = await emergency(office, GRACE)
    assert (await office.runs.run(run)).reason == "too_few_may_approve"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"group": "billing-db", "minutes": "16"}, "too_many_minutes"), ({"minutes": "61"}, None)],
)
async def test_nobody_gets_more_than_the_limit(
    office: Office, changes: dict[str, str], reason: str | None
) -> None:
    run = await office.runs.run(await emergency(office, **changes))
    assert run.reason == reason
    if reason is None:
        assert run.problems == {"minutes": "too_large"}
    assert office.desk.cards == []
    assert office.desk.alarms == []


@pytest.mark.parametrize("minutes", [0, 61])
def test_no_setting_makes_it_longer_than_an_hour(minutes: int) -> None:
    with pytest.raises(ValueError, match="max_minutes"):
        break_glass.EmergencyGroup(approvers=("data-owners",), max_minutes=minutes)


@pytest.mark.parametrize(
    ("who", "answer"),
    [
        (ADA, Answered.TOOK_PART),
        (GRACE, Answered.TOOK_PART),
        (BEN, Answered.TOOK_PART),
        (TOMAS, Answered.NOT_ALLOWED),
    ],
)
async def test_whoever_took_part_does_not_review(office: Office, who: str, answer: Answered) -> None:
    review = await over(office)
    assert await sign(office, review, who) is answer
    async with office.database.pool.connection() as conn:
        assert len(await reviews.waiting(conn)) == 1
    assert (await kinds(office))[-1] == "review.refused_click"


async def test_what_is_not_in_order_needs_a_reason_and_is_said_aloud(office: Office) -> None:
    review = await over(office)
    assert await sign(office, review, INES, Finding.NOT_IN_ORDER) is Answered.REASON_MISSING
    assert await sign(office, review, INES, Finding.NOT_IN_ORDER, "nothing was down") is Answered.RECORDED
    signed = await known(office, review.id)
    assert signed.by is not None
    assert (signed.finding, signed.by.name, signed.reason) == (
        Finding.NOT_IN_ORDER,
        "Ines Moreau",
        "nothing was down",
    )
    assert [key for _, key in office.desk.alarms][-1] == "not_in_order"
    assert await sign(office, review, INES) is Answered.ALREADY_DECIDED


async def test_an_open_review_reminds_until_it_is_done(office: Office) -> None:
    review = await over(office)
    for day in range(1, 4):
        await office.later(timedelta(hours=24))
        await office.runs.sweep()
        await office.work()
        assert len(office.desk.beside) == day
    assert office.desk.beside[0] == (review.id, "1")
    assert await sign(office, review, INES) is Answered.RECORDED
    await office.later(timedelta(hours=72))
    assert len(office.desk.beside) == 3


async def test_access_that_the_directory_still_shows_is_said_aloud_and_reviewed(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await granted(office)

    async def shown(*_: object, **__: object) -> bool:
        return True

    monkeypatch.setattr(break_glass_end.nodes, "is_there", shown)
    await office.later(timedelta(minutes=31))
    assert [key for _, key in office.desk.alarms][-1] == "not_ended"
    async with office.database.pool.connection() as conn:
        (review,) = await reviews.waiting(conn)
    assert await sign(office, review, INES) is Answered.RECORDED
    assert (await office.runs.run(review.run)).status is RunStatus.FAILED
