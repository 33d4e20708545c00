"""What Slack shows of plans of several steps while they are carried out, stop, and are taken back."""

from pathlib import Path

from bot import courses
from bot.blocks import approval, doubt, progress
from bot.course import Course
from bot.messages import Messages
from bot.wanting import Wanting
from graphs.ports import Connection
from graphs.records import Resolution, Run
from tests.ledger import flow
from tests.scenario import test_unknown
from tests.scenario.test_unknown import House
from tests.unit.bot.slack_schemas import check_message, sayings

ledger, house = test_unknown.ledger, test_unknown.house  # the fixtures


async def stand(house: House, run: str) -> tuple[Run, Course]:
    """Return a run, and how far its plan has come by its own message and by its card alike."""
    found = await house.runs.run(run)
    card = await house.runs.approval(house.desk.cards[-1])
    assert card is not None
    async with house.database.pool.connection() as conn:
        course = await courses.of_run(conn, found)
        assert course == await courses.of_card(conn, card)
    assert course is not None
    return found, course


async def test_a_plan_that_is_done_says_so_of_every_step(house: House, shared_data: Path) -> None:
    run = await house.ask("keyed", "a", "b", "c")
    await house.decide()
    found, course = await stand(house, run)
    assert set(course.states.values()) == {"done"}
    message = progress.progress(found, course=course)
    check_message(shared_data, message)
    assert "1. an entry: done" in sayings(message)
    assert "3. ledger.post_keyed: done" in sayings(message)  # what it changes could not be seen before


async def test_a_plan_that_stopped_says_what_is_taken_back_and_what_stays(
    house: House, shared_data: Path
) -> None:
    run = await house.ask("keyed", "a", f"b{flow.KEPT}", "refused")
    await house.decide()
    found, course = await stand(house, run)
    assert list(course.states.values()) == ["undone", "done", "failed"]
    said = "I had done steps 1 and 2 of 3. Step 1 is taken back. Step 2 stays, as approved."
    drawn = progress.progress(found, course=course)
    card = approval.card(course.approval, users={}, course=course)
    for message in (drawn, card):
        check_message(shared_data, message)
        assert said in sayings(message)
    assert "This plan stopped." in sayings(card)
    news = next(one for _, one in house.desk.told if one.key == "refused")
    assert said in progress.notice(news, requester=None, course=course).text


async def test_while_nobody_can_tell_of_one_step_the_others_are_told(house: House, shared_data: Path) -> None:
    run = await house.ask("blind", "a", "b", "c")
    await house.fault("apply", "blind", "b", "error")
    await house.decide()
    found, course = await stand(house, run)
    assert list(course.states.values()) == ["done", "unknown", "waiting"]
    check_message(shared_data, progress.progress(found, course=course))
    said = sayings(doubt.card(await house.doubt(), users={}))
    assert "This is step 2 of 3." in said
    assert "“Undo” ends the plan: step 2 is taken back, and so is step 1" in said
    await house.say(Resolution.UNDO)
    _, course = await stand(house, run)
    assert list(course.states.values()) == ["undone", "undone", "waiting"]


async def test_of_a_plan_that_can_only_go_forward_the_requester_reads_so(house: House) -> None:
    run = await house.ask("keyed", f"a{flow.PIVOT}", "refused")
    await house.decide()
    found, course = await stand(house, run)
    assert found.status.value == "retrying"
    assert list(course.states.values()) == ["done", "begun"]
    said = sayings(progress.progress(found, course=course))
    assert "refuses my access; I keep trying" in said
    assert "reached" not in said


async def test_a_plan_of_one_step_or_one_not_begun_has_no_list_of_steps(house: House) -> None:
    one = await house.ask("keyed", "a")
    await house.decide()
    several = await house.ask("keyed", "b", "c")
    async with house.database.pool.connection() as conn:
        for run in (one, several):
            assert await courses.of_run(conn, await house.runs.run(run)) is None
            assert await courses.card_of(conn, run) is None


async def test_the_card_is_drawn_again_with_the_message_of_its_run(house: House) -> None:
    wanted: list[str] = []

    async def defer(_: Connection, name: str) -> None:
        wanted.append(name)

    wanting = Wanting(Messages(house.database.pool), defer)
    one = await house.ask("keyed", "a")
    await house.decide()
    several = await house.ask("keyed", "b", "c")
    await house.decide()
    async with house.database.pool.connection() as conn:
        await wanting.progress(conn, one)
        await wanting.progress(conn, several)
    assert wanted == [f"progress:{one}", f"progress:{several}", f"card:{house.desk.cards[-1]}"]
