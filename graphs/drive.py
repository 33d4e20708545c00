"""Advancing a run: LangGraph says what happens next, the records say whether it may.

A checkpoint is an aid to resume and never an authority: a node that is resumed reads its record again.
"""

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, StateSnapshot

from connectors.errors import Ambiguous, ConnectorError, Unavailable
from graphs import approvals, audit, cases, steps
from graphs.effects import Fenced
from graphs.gate import Refused, Unknown
from graphs.kit import Case, Kit
from graphs.ports import Connection
from graphs.records import ApprovalStatus, Notice, RunStatus
from graphs.sealed import FENCE

log = logging.getLogger(__name__)

Machine = CompiledStateGraph[Any, Case, Any, Any]
LONGEST_WAIT = timedelta(minutes=1)
FORGOTTEN = timedelta(
    minutes=10
)  # after which a run is looked at again whose worker failed in an unknown way


async def advance(kit: Kit, machines: Mapping[tuple[str, int], Machine], run: str) -> None:
    """Work on a run until it pauses or ends. What cannot be reached is tried again later, by itself."""
    async with kit.pool.connection() as conn:
        row = await cases.load(conn, run, kit.titles)
        if not row.run.status.is_open:
            if not await cases.waits(conn, run):  # the last of its timers was for its checkpoints
                await kit.saver.forget(conn, run)
            return
        if await _too_early(conn, kit, row):
            return
        look_again = await kit.clock.now(conn) + FORGOTTEN
        token = await cases.take(conn, run, look_again=look_again)
    case = Case(kit=kit, id=run, token=token)
    await _attend(case, machines[row.run.workflow, row.version])
    async with kit.pool.connection() as conn:
        await cases.release(conn, run, look_again=look_again)


async def _attend(case: Case, machine: Machine) -> None:
    """Work, and answer for whatever can be foreseen to go wrong."""
    try:
        await _work(case, machine)
    except Fenced:
        log.warning("run %s has been taken by another worker", case.id)
    except Unknown:
        await steps.end(case, RunStatus.UNKNOWN, "unknown_effect", {})
    except Refused as refusal:
        await steps.end(case, RunStatus.FAILED, refusal.key, refusal.facts)
    except ConnectorError as error:
        log.warning("run %s is tried again: %s", case.id, error)
        await _retry(case, error)


async def _work(case: Case, machine: Machine) -> None:
    config: RunnableConfig = {"configurable": {"thread_id": case.id, FENCE: case.token}}
    while True:
        snapshot = await machine.aget_state(config)
        go, given = await _next(case, snapshot)
        if not go:
            return
        await machine.ainvoke(given, config, context=case, durability="sync")


async def _next(case: Case, snapshot: StateSnapshot) -> tuple[bool, Any]:
    """Return whether there is anything to do, and what the machine is given to do it."""
    if snapshot.created_at is None:
        return (await case.row()).run.status.is_open, {"run": case.id}
    for waiting in snapshot.interrupts:
        if await _ready(case, waiting.value):
            return True, Command(resume={waiting.id: "look"})
    if snapshot.interrupts:
        return False, None
    return bool(snapshot.next), None  # a node that was cut off begins again


async def _ready(case: Case, waited_for: Mapping[str, Any]) -> bool:
    if "form" in waited_for:
        return (await case.row()).submissions >= int(waited_for["form"])
    card = waited_for["approval"]
    async with case.kit.pool.connection() as conn:
        if await approvals.expire(conn, card):
            await case.kit.notifier.card(conn, card)
            await audit.append(conn, "approval.expired", run=case.id, facts={"approval": card}, detail={})
        approval = await approvals.load(conn, card)
    return approval is not None and approval.status is not ApprovalStatus.PENDING


async def _too_early(conn: Connection, kit: Kit, row: cases.Row) -> bool:
    if row.run.status is not RunStatus.SCHEDULED or row.run.due_at is None:
        return False
    return await kit.clock.now(conn) < row.run.due_at


async def _retry(case: Case, error: ConnectorError) -> None:
    """Wait twice as long each time, a minute at most, or as long as the other side asked for."""
    row = await case.row()
    wait = min(timedelta(seconds=2**row.attempts), LONGEST_WAIT)
    if isinstance(error, Unavailable) and error.retry_after is not None:
        wait = max(wait, timedelta(seconds=error.retry_after))
    async with case.kit.pool.connection() as conn:
        due_at = await case.kit.clock.now(conn) + wait
        await cases.retry(conn, case.id, due_at, attempts=min(row.attempts + 1, 10))
        await case.kit.notifier.progress(conn, case.id)
        if row.attempts == 2:
            facts = {"sent": "maybe" if isinstance(error, Ambiguous) else "no"}
            await case.kit.notifier.tell(conn, case.id, Notice(key="retrying", facts=facts))
