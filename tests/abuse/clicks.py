"""Clicks that come twice, late or forged; machines resumed by force; operations called directly."""

import asyncio
import secrets
from contextlib import suppress
from datetime import timedelta
from typing import Any
from unittest import mock

import cedarpy
from langgraph.types import Command

from bot.database import open_database
from connectors.base import Mint, parse
from connectors.directory import Person
from connectors.errors import NotPermitted
from graphs import approvals, audit, cases, drive
from graphs.admission import Refused
from graphs.effects import Fenced
from graphs.kit import Case
from graphs.records import Answered, Verdict
from tests.abuse.arena import BEN, GRACE, TOMAS, Abuse, Arena, Asked


async def two_clicks_of_one_person(arena: Arena) -> int:
    asked = await arena.ask()
    grace = await arena.person(GRACE)
    answers = await asyncio.gather(*(arena.click(asked.card, grace) for _ in range(2)))
    assert sorted(map(str, answers)) == ["already_decided", "recorded"]
    await arena.work()
    return 1


async def fifty_clicks_at_once(arena: Arena) -> int:
    asked = await arena.ask()
    people = [await arena.person(who) for who in (GRACE, BEN)]
    answers = await asyncio.gather(*(arena.click(asked.card, people[one % 2]) for one in range(50)))
    assert answers.count(Answered.RECORDED) == 1
    await arena.work()
    return 1


async def ten_workers_at_once(arena: Arena) -> int:
    asked = await arena.ask()
    await arena.click(asked.card, GRACE)
    arena.desk.waiting.clear()
    done = await asyncio.gather(*(arena.runs.advance(asked.run) for _ in range(10)), return_exceptions=True)
    arena.errors += [one for one in done if one is not None]
    return 1


async def a_decided_card_is_played_again(arena: Arena) -> int:
    asked = await arena.ask()
    await arena.click(asked.card, GRACE)
    await arena.work()
    assert await arena.click(asked.card, BEN) is Answered.ALREADY_DECIDED
    await arena.work()
    return 1


async def a_finished_run_is_advanced_again(arena: Arena) -> int:
    asked = await arena.ask()
    await arena.click(asked.card, GRACE)
    await arena.work()
    for _ in range(3):
        await arena.runs.advance(asked.run)
    return 1


async def a_finished_run_is_opened_again(arena: Arena) -> int:
    asked = await arena.ask()
    await arena.click(asked.card, GRACE)
    await arena.work()
    await arena.owner("UPDATE run SET status = 'executing' WHERE id = %s", asked.run)
    await arena.runs.advance(asked.run)
    return 1


async def a_card_that_does_not_exist(arena: Arena) -> int:
    await arena.ask()
    for forged in (secrets.token_urlsafe(16), "", "' OR true --", "x" * 10_000):
        assert await arena.click(forged, GRACE) is Answered.NO_SUCH_CARD
    await arena.work()
    return 0


async def the_card_of_another_tenant(arena: Arena) -> int:
    """Whoever is connected for another tenant finds no such card, and cannot decide on it."""
    asked = await arena.ask()
    async with (
        open_database(arena.home, None, tenant="another") as database,
        database.pool.connection() as conn,
    ):
        assert await approvals.load(conn, asked.card) is None
        await conn.execute("UPDATE approval SET status = 'approved', decided_at = moment()")
        assert not await cases.fill(conn, asked.run, {"days": "30"})
    await arena.work()
    return 0


async def a_click_a_millisecond_late(arena: Arena) -> int:
    asked = await arena.ask()
    approval = await arena.runs.approval(asked.card)
    assert approval is not None
    await arena.until(approval.decide_by)
    assert await arena.click(asked.card, GRACE) is Answered.EXPIRED
    await arena.work()
    return 0


async def an_execution_a_millisecond_late(arena: Arena) -> int:
    asked = await arena.ask()
    await arena.click(asked.card, GRACE)
    approval = await arena.runs.approval(asked.card)
    assert approval is not None
    assert approval.decided_at is not None
    await arena.until(approval.decided_at + timedelta(seconds=approval.execute_within))
    await arena.work()
    return 0


async def the_card_of_an_earlier_round(arena: Arena) -> int:
    asked = await arena.ask()
    arena.desk.text = "Two people decide."
    await arena.click(asked.card, GRACE)
    await arena.work()
    assert await arena.click(asked.card, BEN) in {Answered.ALREADY_DECIDED, Answered.REPLACED}
    await arena.work()
    return 0


async def an_approval_after_the_denial_at_once(arena: Arena) -> int:
    asked = await arena.ask()
    grace, ben = await arena.person(GRACE), await arena.person(BEN)
    await asyncio.gather(
        arena.click(asked.card, ben, Verdict.DENY, "no"),
        arena.click(asked.card, grace),
        return_exceptions=True,
    )
    approval = await arena.runs.approval(asked.card)
    await arena.work()
    return int(approval is not None and approval.status.value == "approved")


def _machine(arena: Arena) -> drive.Machine:
    return arena.runs._machines[arena.scene.workflow, 1]


async def _case(arena: Arena, run: str) -> Case:
    kit = arena.runs._kit
    async with kit.pool.connection() as conn:
        token, _ = await cases.take(conn, run, forgotten=timedelta(minutes=10))
    return Case(kit=kit, id=run, token=token)


async def _force(arena: Arena, run: str, given: Any) -> None:
    """Run the machine by hand, as somebody could who has the process's database."""
    case = await _case(arena, run)
    config: Any = {"configurable": {"thread_id": run}}
    try:
        await _machine(arena).ainvoke(given, config, context=case, durability="sync")
    except Exception as error:  # whatever it is, the server's log is what counts
        arena.errors.append(error)


def resumed_with(name: str, value: Any) -> Abuse:
    """Return the abuse in which the machine is resumed with a value that nobody's click has given."""

    async def abuse(arena: Arena) -> int:
        asked = await arena.ask()
        await _force(arena, asked.run, Command(resume=value))
        await arena.work()
        return 0

    abuse.__name__ = f"the_machine_is_resumed_with_{name}"
    return abuse


async def the_machine_is_sent_to_the_effect(arena: Arena) -> int:
    asked = await arena.ask()
    for node in ("grant", "act"):
        await _force(arena, asked.run, Command(goto=node))
    await arena.work()
    return 0


async def an_unknown_thread_is_resumed(arena: Arena) -> int:
    await arena.ask()
    run = secrets.token_urlsafe(16)
    with suppress(cases.NoSuchRun):
        await arena.runs.advance(run)
    case = Case(kit=arena.runs._kit, id=run, token=1)
    config: Any = {"configurable": {"thread_id": run}}
    try:
        await _machine(arena).ainvoke(Command(resume="approved"), config, context=case, durability="sync")
    except Exception as error:  # likewise
        arena.errors.append(error)
    return 0


async def the_checkpoint_names_the_approval_of_another_run(arena: Arena) -> int:
    """The same action for the same person, approved for one run, is taken by another."""
    asked = await arena.ask()
    other = await arena.ask()
    await arena.click(asked.card, GRACE)
    arena.desk.waiting.clear()
    case = await _case(arena, other.run)
    config: Any = {"configurable": {"thread_id": other.run}}
    try:
        await _machine(arena).aupdate_state(config, {"approval": asked.card})
        await _machine(arena).ainvoke(Command(resume="look"), config, context=case, durability="sync")
    except Exception as error:  # likewise
        arena.errors.append(error)
    return 0


async def the_operation_is_called_directly(arena: Arena) -> int:
    operation, data = await _operation(arena, await arena.ask())
    for call in (operation.apply(data, "key"), operation.undo(data, None, "key")):
        try:
            await call
        except (NotPermitted, AttributeError):
            continue
        raise AssertionError("an operation acted without a permit")
    return 0


async def a_permit_for_another_payload(arena: Arena) -> int:
    operation, data = await _operation(arena, await arena.ask())
    other = parse(operation, {name: f"{value}x" for name, value in data.model_dump().items()})
    for permit in (
        arena.mint.permit(operation.name, other, "key"),
        arena.mint.permit("another.operation", data, "key"),
        arena.mint.permit(operation.name, data, "another key"),
        arena.mint.permit(operation.name, data, "key", "undo"),
    ):
        with permit.open(), suppress(NotPermitted):
            await operation.apply(data, "key")
    return 0


async def a_second_mint(arena: Arena) -> int:
    operation, data = await _operation(arena, await arena.ask())
    with suppress(NotPermitted):
        with Mint().permit(operation.name, data, "key").open():
            await operation.apply(data, "key")
        raise AssertionError("a second mint was opened")
    return 0


async def _operation(arena: Arena, asked: Asked) -> tuple[Any, Any]:
    approval = await arena.runs.approval(asked.card)
    assert approval is not None
    operation = arena.connectors.registry.operation(approval.steps[0].operation)
    return operation, parse(operation, dict(approval.steps[0].sends))


async def a_worker_that_was_overtaken_goes_on(arena: Arena) -> int:
    """It holds an old token when it comes to the gate; the other does it, once."""
    asked = await arena.ask()
    await arena.click(asked.card, GRACE)
    stale = await _case(arena, asked.run)
    await arena.work()
    held = await stale.held()

    async def again(*_: Any) -> Any:
        raise AssertionError("a worker that was overtaken has read the world")

    ((step,),) = await arena.rows("SELECT step FROM effect WHERE approval = %s", asked.card)
    for node in (step, "another_node"):
        with suppress(Fenced, Refused):
            await arena.runs._kit.gate.execute(held, asked.card, str(node), again=again, now=again)
    return 1


def the_audit_cannot_be_written(*, clicked: bool) -> Abuse:
    """Return the abuse in which the record takes nothing, at the click or at the execution."""

    async def abuse(arena: Arena) -> int:
        asked = await arena.ask()
        if clicked:
            await arena.click(asked.card, GRACE)
        with mock.patch.object(audit, "append", side_effect=OSError("the disk is full")):
            if not clicked:
                assert await arena.click(asked.card, GRACE) is None
            await arena.work()
            assert await arena.landed() == 0
        return int(clicked)  # the approval stands, and is carried out when the record takes it again

    abuse.__name__ = f"the_audit_cannot_be_written_{'after' if clicked else 'at'}_the_click"
    return abuse


def the_policy_engine(how: str, *, clicked: bool) -> Abuse:
    """Return the abuse in which the engine fails, at the click or at the execution."""

    async def abuse(arena: Arena) -> int:
        asked = await arena.ask()
        if clicked:
            await arena.click(asked.card, GRACE)
        error = {"is_missing": ImportError("gone"), "panics": BaseException("a panic")}[how]
        with mock.patch.object(cedarpy, "is_authorized", side_effect=error):
            if not clicked:
                assert await arena.click(asked.card, GRACE) is Answered.NOT_CHECKED
            await arena.work()
        return 0

    abuse.__name__ = f"the_policy_engine_{how}_{'after' if clicked else 'at'}_the_click"
    return abuse


def the_directory(kind: str, *, on: str, clicked: bool) -> Abuse:
    """Return the abuse in which the directory has a bad day, while it is planned or executed."""

    async def abuse(arena: Arena) -> int:
        fault = {"kind": kind, "on": on, "times": 0}
        if clicked:
            asked = await arena.ask()
            await arena.click(asked.card, GRACE)
            await arena.faults(fault)
        else:
            target = await arena.target(GRACE)
            await arena.start(GRACE, arena.scene.values(target, GRACE))
            await arena.faults(fault)
        await arena.work()
        assert await arena.landed() == 0
        await arena.faults()
        return int(clicked)  # the approval stands, and is carried out when the directory is itself again

    moment = "after_the_click" if clicked else "before_the_card"
    abuse.__name__ = f"the_directory_answers_with_{kind}_to_{on}_{moment}"
    return abuse


async def a_stale_directory_hides_who_has_left(arena: Arena) -> int:
    """The search shows a newer record than the one that is read: whoever clicks is nobody."""
    asked = await arena.ask()
    await arena.faults({"kind": "stale", "on": "read", "resource": "Users", "times": 0})
    await arena.activate(TOMAS, False)
    with suppress(Exception):
        person: Person = await arena.person(TOMAS)
        await arena.click(asked.card, person)
    await arena.faults()
    await arena.activate(TOMAS, True)
    await arena.work()
    return 0


ABUSES: tuple[Abuse, ...] = (
    two_clicks_of_one_person,
    fifty_clicks_at_once,
    ten_workers_at_once,
    a_decided_card_is_played_again,
    a_finished_run_is_advanced_again,
    a_finished_run_is_opened_again,
    a_card_that_does_not_exist,
    the_card_of_another_tenant,
    a_click_a_millisecond_late,
    an_execution_a_millisecond_late,
    the_card_of_an_earlier_round,
    an_approval_after_the_denial_at_once,
    resumed_with("a_word", "approved"),
    resumed_with("a_verdict", {"status": "approved", "verdict": "approve", "by": "grace"}),
    resumed_with("true", True),
    the_machine_is_sent_to_the_effect,
    an_unknown_thread_is_resumed,
    the_checkpoint_names_the_approval_of_another_run,
    the_operation_is_called_directly,
    a_permit_for_another_payload,
    a_second_mint,
    a_worker_that_was_overtaken_goes_on,
    the_audit_cannot_be_written(clicked=False),
    the_audit_cannot_be_written(clicked=True),
    *(
        the_policy_engine(how, clicked=clicked)
        for how in ("is_missing", "panics")
        for clicked in (False, True)
    ),
    *(
        the_directory(kind, on=on, clicked=clicked)
        for kind, on in (("everybody", "search"), ("another", "read"), ("garbage", "any"), ("down", "any"))
        for clicked in (False, True)
    ),
    a_stale_directory_hides_who_has_left,
)
