"""Advancing a run: LangGraph says what happens next, the records say whether it may.

A checkpoint is an aid to resume and never an authority: a node that is resumed reads its record again.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, StateSnapshot

from connectors.errors import Ambiguous, ConnectorError, Resting, Unavailable
from graphs import approvals, audit, cases, doubts, effects, reminders, reviews
from graphs.admission import Refused
from graphs.effects import Fenced, Late, Unknown
from graphs.engine import nodes
from graphs.kit import Case, Kit
from graphs.pools import reading
from graphs.ports import Connection
from graphs.records import ApprovalStatus, Notice, RunStatus
from graphs.sealed import FENCE

log = logging.getLogger(__name__)

Graph = CompiledStateGraph[Any, Case, Any, Any]
LONGEST_WAIT = timedelta(minutes=1)
MOST = 12  # attempts, in about seven minutes; after that the run rests
HOURLY = timedelta(hours=1)  # how often what must end is tried all the same
FORGOTTEN = timedelta(
    minutes=10
)  # after which a run is looked at again whose worker failed in an unknown way


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """A workflow's machine, and what stands for its nodes."""

    graph: Graph
    shape: str


async def advance(kit: Kit, machines: Mapping[tuple[str, int], Machine], run: str) -> None:
    """Work on a run until it pauses or ends. What cannot be reached is tried again later, by itself."""
    async with kit.pool.connection() as conn:
        row = await cases.load(conn, run, kit.titles)
        if not row.run.status.is_open:
            if not await cases.waits(conn, run):  # the last of its timers was for its checkpoints
                await kit.saver.forget(conn, run)
            return
        if await _too_early(conn, kit, row):
            await cases.renew(conn, run)
            return
        token, look_again = await cases.take(conn, run, forgotten=FORGOTTEN)
    machine = machines[row.run.workflow, row.version]
    case, snapshot = await _found(Case(kit=kit, id=run, token=token), machine)
    await _attend(case, machine, snapshot)
    async with kit.pool.connection() as conn:
        await cases.release(conn, run, look_again=look_again)


async def _found(case: Case, machine: Machine) -> tuple[Case, StateSnapshot]:
    """Return what the checkpoint has. One of another shape is forgotten: the rows say where the run is."""
    snapshot = await machine.graph.aget_state(_config(case))
    if snapshot.created_at is None or snapshot.values.get("shape", "") == machine.shape:
        return case, snapshot
    async with case.kit.pool.connection() as conn:
        case = replace(case, token=await case.kit.saver.forget(conn, case.id))
    return case, await machine.graph.aget_state(_config(case))


def _config(case: Case) -> RunnableConfig:
    return {"configurable": {"thread_id": case.id, FENCE: case.token}}


async def _attend(case: Case, machine: Machine, snapshot: StateSnapshot) -> None:
    """Work, and answer for whatever can be foreseen to go wrong."""
    try:
        await _answered(case, machine, snapshot)
    except Late as late:
        await _raise(case, late)
    except Fenced:
        log.warning("run %s has been taken by another worker", case.id)


async def _answered(case: Case, machine: Machine, snapshot: StateSnapshot) -> None:
    try:
        await _work(case, machine, snapshot)
    except Unknown as unknown:
        await _ask(case, unknown.effect)
    except Refused as refusal:
        log.warning("run %s is refused: %s", case.id, refusal.key)
        await nodes.end(case, RunStatus.FAILED, refusal.key, refusal.facts)
    except ConnectorError as error:
        await _retry(case, error)


async def _work(case: Case, machine: Machine, snapshot: StateSnapshot) -> None:
    graph, start = machine.graph, {"run": case.id, "shape": machine.shape}
    while True:
        go, given = await _next(case, snapshot, start)
        if not go:
            return
        await graph.ainvoke(given, _config(case), context=case, durability="sync")
        snapshot = await graph.aget_state(_config(case))


async def _next(case: Case, snapshot: StateSnapshot, start: Mapping[str, str]) -> tuple[bool, Any]:
    """Return whether there is anything to do, and what the machine is given to do it."""
    if snapshot.created_at is None:
        return (await case.row()).run.status.is_open, start
    for waiting in snapshot.interrupts:
        if await _ready(case, waiting.value):
            return True, Command(resume={waiting.id: "look"})
    if snapshot.interrupts:
        return False, None
    # A node that was cut off begins again. One that ended, and whose result the next checkpoint lacks still,
    # is not in `next`: only `tasks` says that there is something to do.
    return bool(snapshot.tasks), None


async def _ready(case: Case, waited_for: Mapping[str, Any]) -> bool:
    if "form" in waited_for:
        return (await case.row()).submissions >= int(waited_for["form"])
    if "review" in waited_for:
        async with case.kit.pool.connection() as conn:
            return await _reviewed(conn, case, waited_for["review"])
    card = waited_for["approval"]
    async with reading(case.kit.pool) as conn:
        if await approvals.status(conn, card) is not ApprovalStatus.PENDING:
            return True
    async with case.kit.pool.connection() as conn:
        await reminders.due(conn, case.kit.notifier, card)
        if await approvals.expire(conn, card):
            await case.kit.notifier.card(conn, card)
            await audit.append(conn, "approval.expired", run=case.id, facts={"approval": card}, detail={})
        return await approvals.status(conn, card) is not ApprovalStatus.PENDING


async def _reviewed(conn: Connection, case: Case, review: str) -> bool:
    await reviews.remind(conn, case.kit.notifier, review)
    found = await reviews.load(conn, review)
    return found is not None and found.finding is not None


async def _too_early(conn: Connection, kit: Kit, row: cases.Row) -> bool:
    if row.run.status is not RunStatus.SCHEDULED or row.run.due_at is None:
        return False
    return await kit.clock.now(conn) < row.run.due_at


async def _ask(case: Case, effect: str) -> None:
    """Have a person say whether the effect landed. The run waits for that as it waits for an approval."""
    async with case.writing() as conn:
        doubt = await doubts.of_effect(conn, effect)
        if doubt is None:  # answered meanwhile; the answer has put the run into the queue
            return
        await cases.move(conn, case.id, RunStatus.UNKNOWN, reason="unknown_effect")
        await cases.note(conn, case.id, "unknown", mark=f"unknown {doubt}")
        await case.kit.notifier.doubt(conn, doubt)
        await case.kit.notifier.progress(conn, case.id)
        asked = await doubts.load(case.kit, conn, doubt)
        alone = {"confirmed": "yes"} if asked and asked.approval.confirmed else {}
        await case.kit.notifier.tell(conn, case.id, Notice(key=f"unknown:{doubt}", facts=alone))


async def _raise(case: Case, late: Late) -> None:
    """Say aloud that a call was answered after another worker had taken the run: look for a second effect.

    Written without the fence, because this worker has lost the run and still has to say this.
    """
    log.error("run %s: the call of effect %s was answered after another worker took it", case.id, late.effect)
    async with case.kit.pool.connection() as conn:
        await case.kit.notifier.tell(conn, case.id, Notice(key=f"late:{late.effect}"))
        await audit.append(conn, "effect.late", run=case.id, facts={"effect": late.effect}, detail={})


async def _retry(case: Case, error: ConnectorError) -> None:
    """Have the run tried again later, or let it rest when it was tried too often.

    What has to end is tried every hour even then.
    """
    row = await case.row()
    attempts = row.attempts + 1
    dead = attempts >= MOST
    log.warning("run %s is %s: %s", case.id, "given up for now" if dead else "tried again", error)
    async with case.writing() as conn:
        ends = row.run.due_at is not None
        facts = {
            "error": error.key,
            "system": error.system,
            "sent": "maybe" if isinstance(error, Ambiguous) else "no",
            "stands": await effects.stands(conn, row.run),
            "group": row.run.values.get("group", ""),
            "ends": "yes" if ends else "",
        }
        if isinstance(error, Resting):
            await cases.outage(conn, error.system, due_in=error.retry_after or 0, reason=error.key)
        if dead:
            await _bury(conn, case, facts)
        if not dead or ends:
            wait = HOURLY if dead else _wait(case.id, row.attempts, error)
            due_at = await case.kit.clock.now(conn) + wait
            await (
                cases.wake(conn, case.id, due_at, pace=wait)
                if dead
                else cases.retry(conn, case.id, due_at, attempts=attempts, pace=wait, facts=facts)
            )
        await case.kit.notifier.progress(conn, case.id)
        if attempts == 3:
            await case.kit.notifier.tell(conn, case.id, Notice(key="retrying", facts=facts))
        if dead:
            await audit.append(
                conn, "run.dead", run=case.id, facts={"error": error.key, "attempts": attempts}, detail={}
            )


async def _bury(conn: Connection, case: Case, facts: Mapping[str, str]) -> None:
    await cases.bury(conn, case.id, facts)
    await cases.note(conn, case.id, "dead", **facts)
    await case.kit.notifier.tell(conn, case.id, Notice(key="dead", facts=facts))


def _wait(run: str, attempts: int, error: ConnectorError) -> timedelta:
    """Return twice as long each time, a minute at most, or as long as the other side asked for.

    Runs that failed together come back apart: each waits between half of that and all of it.
    """
    whole = min(timedelta(seconds=2**attempts), LONGEST_WAIT)
    drawn = hashlib.sha256(f"{run} {attempts}".encode()).digest()
    wait = whole * (0.5 + int.from_bytes(drawn[:4]) / 2**33)
    if isinstance(error, Unavailable) and error.retry_after is not None:
        wait = max(wait, timedelta(seconds=error.retry_after))
    return wait
