"""Whoever asked withdraws their request before its first effect; of two clicks at once one counts."""

import asyncio
import random
from pathlib import Path

import pytest

from bot.blocks import approval as card
from bot.blocks import progress
from bot.commands import audit as told
from graphs import audit, cases, effects
from graphs.effects import Fenced
from graphs.records import Answered, ApprovalStatus, Verdict
from tests.ledger import flow
from tests.ledger.system import Entry
from tests.scenario import test_unknown
from tests.scenario.test_unknown import House
from tests.unit.bot.slack_schemas import check_message, sayings

ledger, house = test_unknown.ledger, test_unknown.house  # the fixtures
RACES = 30


async def withdraw(house: House, run: str, who: str = "ada") -> Answered:
    return await house.runs.withdraw(run, by=house.people.known[f"ledger#{who}"])


async def approve(house: House) -> Answered:
    by = house.people.known["ledger#grace"]
    return await house.runs.decide(house.desk.cards[-1], Verdict.APPROVE, by=by)


async def is_withdrawn(house: House, run: str, ref: str = "a") -> None:
    """The request has ended so, its card counts no more, and nothing was done."""
    await house.work()
    found = await house.runs.run(run)
    assert (found.status.value, found.reason) == ("refused", "withdrawn")
    approval = await house.runs.approval(house.desk.cards[-1])
    assert approval is not None
    assert approval.status is ApprovalStatus.VOID
    assert await house.landed(ref) == []
    assert await house.states(run) == []


async def test_whoever_asked_withdraws_it_and_everybody_sees_so(house: House, shared_data: Path) -> None:
    run = await house.ask("keyed", "a")
    drawn = progress.progress(await house.runs.run(run))
    check_message(shared_data, drawn)
    (button,) = [one for block in drawn.blocks for one in block.get("elements", ()) if "confirm" in one]
    assert (button["action_id"], button["value"]) == (progress.WITHDRAW, run)
    assert await withdraw(house, run) is Answered.RECORDED
    await is_withdrawn(house, run)
    approval = await house.runs.approval(house.desk.cards[-1])
    assert approval is not None
    shown = card.card(approval, users={})
    check_message(shared_data, shown)
    assert "Withdrawn by its requester. Nothing was done." in sayings(shown)
    assert not any(block["type"] == "actions" for block in shown.blocks)
    said = sayings(progress.progress(await house.runs.run(run)))
    assert "whoever asked has withdrawn it" in said
    news = house.desk.told[-1][1]
    assert "You have withdrawn this request." in progress.notice(news, requester=None).text
    async with house.database.pool.connection() as conn:
        (event,) = await audit.every(conn, run, ("run.withdrawn",))
    assert told._sentence(event) == "Ada withdrew it"
    assert await approve(house) is Answered.WITHDRAWN
    assert await withdraw(house, run) is Answered.CLOSED


async def test_it_can_be_asked_for_again(house: House) -> None:
    run = await house.ask("keyed", "a")
    await withdraw(house, run)
    assert await house.runs.again(run, by=house.people.known["ledger#ada"]) is True
    await house.work()
    await house.decide()
    assert await house.landed("a") == ["apply"]


@pytest.mark.parametrize("who", ["grace", "tomas"])
async def test_nobody_else_withdraws_it(house: House, who: str) -> None:
    run = await house.ask("keyed", "a")
    assert await withdraw(house, run, who) is Answered.NOT_YOURS
    await house.decide()
    assert await house.landed("a") == ["apply"]


async def test_a_form_that_is_waited_for_can_be_withdrawn(house: House) -> None:
    run = await house.runs.start(
        workflow=flow.NAME,
        values={},
        requester=house.people.known["ledger#ada"],
        origin={},
        key=house.mark,
    )
    await house.work()
    assert await withdraw(house, run) is Answered.RECORDED
    problems = await house.runs.submit(run, {"refs": "a"}, by=house.people.known["ledger#ada"])
    assert set(problems.values()) == {"closed"}


async def test_what_is_approved_and_not_begun_can_be_withdrawn(house: House) -> None:
    run = await house.ask("keyed", "a")
    assert await approve(house) is Answered.RECORDED
    assert await withdraw(house, run) is Answered.RECORDED
    await is_withdrawn(house, run)


async def test_what_has_begun_cannot_be_withdrawn(house: House) -> None:
    run = await house.ask("keyed", "a")
    await house.fault("apply", "keyed", "a", "down")
    await house.decide()
    found = await house.runs.run(run)
    assert (found.status.value, found.can_be_withdrawn) == ("retrying", False)
    assert await withdraw(house, run) is Answered.BEGUN


async def test_a_deleted_row_does_not_unsay_that_it_has_begun(house: House) -> None:
    run = await house.ask("keyed", "a", "b")
    await house.fault("apply", "keyed", "b", "down")
    await house.decide()
    async with test_unknown.open_owner(house.home, None) as conn:
        await conn.execute("DELETE FROM effect WHERE run = %s", (run,))
    assert await withdraw(house, run) is Answered.BEGUN


async def _waits(house: House) -> None:
    """Return when somebody waits for a row."""
    async with test_unknown.open_owner(house.home, None) as conn:
        while True:
            cursor = await conn.execute("SELECT FROM pg_locks WHERE NOT granted")
            if cursor.rowcount:
                return
            await asyncio.sleep(0.01)


async def test_a_click_that_waits_for_the_first_intent_finds_that_it_has_begun(house: House) -> None:
    """The row of the run is held by the intent: what the click read before it was held is old."""
    run = await house.ask("keyed", "a")
    approval = house.desk.cards[-1]
    async with house.database.pool.connection() as conn:
        token = await cases.fence_off(conn, run)
    async with house.database.pool.connection() as conn:
        await effects.intend(
            conn,
            approval=approval,
            run=run,
            token=token,
            act="apply",
            operation="ledger.post_keyed",
            payload=Entry(ref=house.ref("a")).model_dump(mode="json"),
            lasts=None,
            step="grant",
        )
        click = asyncio.create_task(withdraw(house, run))
        await asyncio.wait_for(_waits(house), 10)
        assert not click.done()
    assert await click is Answered.BEGUN


async def test_an_intent_after_a_withdrawal_is_fenced_off(house: House) -> None:
    run = await house.ask("keyed", "a")
    async with house.database.pool.connection() as conn:
        token = await cases.fence_off(conn, run)
    assert await withdraw(house, run) is Answered.RECORDED
    async with house.database.pool.connection() as conn:
        with pytest.raises(Fenced):
            await effects.fence(conn, run, token)


async def test_of_a_withdrawal_and_a_worker_at_once_one_wins(house: House) -> None:
    """However they meet: withdrawn and nothing done, or done and told that it has begun."""
    chance = random.Random(7)
    won = []
    for number in range(RACES):
        ref = f"race{number}"
        run = await house.ask("keyed", ref)
        assert await approve(house) is Answered.RECORDED
        house.desk.waiting.clear()

        async def click(run: str = run) -> Answered:
            await asyncio.sleep(chance.random() * 0.12)
            return await withdraw(house, run)

        answered, _ = await asyncio.gather(click(), house.runs.advance(run))
        won.append(answered)
        if answered is Answered.RECORDED:
            await is_withdrawn(house, run, ref)
        else:
            assert answered in {Answered.BEGUN, Answered.CLOSED}
            await house.work()
            assert await house.landed(ref) == ["apply"]
            assert await house.status(run) == "done"
    assert len({*won}) > 1, "the races were none"


async def test_of_a_withdrawal_and_an_approval_at_once_nothing_is_done(house: House) -> None:
    for number in range(RACES):
        ref = f"vote{number}"
        run = await house.ask("keyed", ref)
        ended, voted = await asyncio.gather(withdraw(house, run), approve(house))
        assert ended is Answered.RECORDED
        assert voted in {Answered.RECORDED, Answered.WITHDRAWN}
        await is_withdrawn(house, run, ref)
