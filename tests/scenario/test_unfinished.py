"""A plan that ended in the middle: who is told, and whose it is until somebody has looked after it."""

from pathlib import Path

import pytest

from bot import courses
from bot.blocks import approval as card
from bot.blocks import beside, progress
from bot.commands import audit as told
from graphs import audit, unfinished
from graphs.drive import MOST
from graphs.records import Answered
from tests.ledger import flow
from tests.ledger.system import Entry, Posted, PostKeyed
from tests.scenario import test_unknown
from tests.scenario.test_unknown import House
from tests.unit.bot.slack_schemas import check_message, sayings

ledger, house = test_unknown.ledger, test_unknown.house  # the fixtures


@pytest.fixture
def second_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries that end in "b" are made, and cannot be seen afterwards."""
    find = PostKeyed.find

    async def blind(self: PostKeyed, data: Entry, key: str) -> Posted | None:
        return None if data.ref.endswith("-b") else await find(self, data, key)

    monkeypatch.setattr(PostKeyed, "find", blind)


async def look_after(house: House, who: str) -> Answered:
    by = house.people.known[f"ledger#{who}"]
    return await house.runs.look_after(house.desk.cards[-1], by=by)


async def test_whoever_approved_hears_which_step_stopped_it_and_what_was_taken_back(
    house: House, shared_data: Path
) -> None:
    run = await house.ask("keyed", "a", f"b{flow.KEPT}", "refused")
    await house.decide()
    approval = await house.runs.approval(house.desk.cards[-1])
    assert approval is not None
    assert house.desk.beside == [(approval.id, "stopped")]
    async with house.database.pool.connection() as conn:
        course = await courses.of_card(conn, approval)
        assert await audit.every(conn, run, ("plan.unfinished",)) == []
    assert course is not None
    said = "Step 3 of 3 stopped it. I had done steps 1 and 2 of 3. Step 1 is taken back."
    message = beside.stopped(approval, "stopped", ["U0GRACE"], stand=course.stand, why=None)
    check_message(shared_data, message)
    for one in (message, card.card(approval, users={}, course=course)):
        assert said in sayings(one)
    assert not course.owned
    assert await look_after(house, "grace") is Answered.NO_SUCH_CARD


@pytest.mark.usefixtures("second_unseen")
async def test_what_is_left_belongs_to_the_approvers_until_one_has_looked_after_it(
    house: House, shared_data: Path
) -> None:
    run = await house.ask("keyed", "a", "b", "c")
    await house.decide()
    assert [await house.landed(name) for name in ("a", "b", "c")] == [["apply", "undo"], ["apply"], []]
    approval = await house.runs.approval(house.desk.cards[-1])
    assert approval is not None
    assert house.desk.beside == [(approval.id, "unfinished")]
    async with house.database.pool.connection() as conn:
        (event,) = await audit.every(conn, run, ("plan.unfinished",))
        course = await courses.of_card(conn, approval)
        assert [one.run for one in await unfinished.waiting(conn)] == [run]
    assert event.facts["steps"] == "e1"
    assert course is not None
    assert (course.owned, course.unfinished, course.at) == (True, True, "e1")
    drawn = card.card(approval, users={}, course=course)
    check_message(shared_data, drawn)
    assert card.LOOKED_AFTER in str(drawn.blocks)
    assert "Please ask the approvers" in sayings(progress.progress(await house.runs.run(run), course=course))
    assert await look_after(house, "ada") is Answered.OWN_REQUEST
    assert await look_after(house, "tomas") is Answered.NOT_ALLOWED
    assert await look_after(house, "ben") is Answered.RECORDED
    assert await look_after(house, "grace") is Answered.ALREADY_DECIDED
    async with house.database.pool.connection() as conn:
        assert await unfinished.waiting(conn) == []
        (closed,) = await audit.every(conn, run, ("plan.looked_after",))
        course = await courses.of_card(conn, approval)
    assert told._sentence(closed) == "Ben looked after what was not taken back"
    assert course is not None
    after = card.card(approval, users={}, course=course)
    assert "Looked after by Ben" in sayings(after)
    assert card.LOOKED_AFTER not in str(after.blocks)
    assert "Please" not in sayings(progress.progress(await house.runs.run(run), course=course))


async def test_what_holds_up_a_plan_that_can_only_go_forward_is_told_when_it_is_given_up(
    house: House, shared_data: Path
) -> None:
    run = await house.ask("keyed", f"a{flow.PIVOT}", "refused")
    await house.decide()
    for _ in range(MOST - 1):
        await house.runs.advance(run)
    assert await house.status(run) == "dead"
    approval = await house.runs.approval(house.desk.cards[-1])
    assert approval is not None
    assert house.desk.beside == [(approval.id, "held")]
    async with house.database.pool.connection() as conn:
        course = await courses.of_card(conn, approval)
    assert course is not None
    message = beside.stopped(approval, "held", [], stand=course.stand, why=None)
    check_message(shared_data, message)
    assert "I have stopped trying" in sayings(message)


async def test_what_no_longer_holds_past_the_pivot_is_written_down_once(house: House) -> None:
    run = await house.ask("findable", f"a{flow.PIVOT}", "b")
    await house.fault("apply", "findable", "b", "down")
    await house.decide()
    grace = house.people.known["ledger#grace"]
    house.people.known["ledger#grace"] = grace.model_copy(update={"active": False})
    for _ in range(2):
        await house.runs.advance(run)
    async with house.database.pool.connection() as conn:
        held = await audit.every(conn, run, ("plan.held",))
    assert [(one.facts["step"], one.facts["reason"]) for one in held] == [("e1", "voter_lost")]
