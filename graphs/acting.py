"""The nodes in which workflows act: carry out one approved operation, look whether it is so, take it back.

A workflow that is made of these has the gate's guarantees without doing anything for them, whatever kind of
operation it uses. One approval covers one effect and its reversal. A workflow with several effects asks for
each; if a later one is refused, `refused` undoes the earlier ones in reverse order, one each time it runs.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from langgraph.config import get_config
from langgraph.graph import END
from langgraph.runtime import Runtime
from langgraph.types import Command

from connectors.base import Result, Sight, parse
from graphs import approvals, audit, cases, effects, recorded, steps
from graphs.admission import Changed, Refused
from graphs.effects import Effect, Held
from graphs.gate import Withdrawn
from graphs.kit import Case
from graphs.pools import reading
from graphs.ports import Connection
from graphs.records import Approval, RunStatus
from graphs.steps import Node, Propose, State

Lasts = Callable[[Held], timedelta]
Also = Callable[[Connection, Held, Effect], Awaitable[Mapping[str, Any] | None]]
Finish = Callable[[Case, Effect, Approval], Awaitable[Command[str]]]


def execute(
    propose: Propose, *, then: str = "confirm", lasts: Lasts | None = None, also: Also | None = None
) -> Node:
    """Make the node that carries out what was approved, and goes on to `then`, to "plan" or to "refused".

    `lasts` is how long what is done stays; `also` runs in the transaction that records the effect, and
    returns how it ends.
    """

    async def node(state: State, runtime: Runtime[Case]) -> Command[str]:
        case = runtime.context
        held = await case.held()

        async def ending(conn: Connection, effect: Effect) -> Mapping[str, Any] | None:
            return None if also is None else await also(conn, held, effect)

        try:
            await case.kit.gate.execute(
                held,
                state["approval"],
                again=lambda: propose(case, held.run),
                lasts=None if lasts is None else lasts(held),
                also=ending,
                step=get_config()["metadata"]["langgraph_node"],
            )
        except Changed as change:
            return await steps.changed(case, state, change)
        except Withdrawn:
            return steps.refuse(Refused("taken_back"))
        except Refused as refusal:
            return steps.refuse(refusal)
        return Command(goto=then)

    return node


def confirm(finish: Finish) -> Node:
    """Make the node that looks whether the outside system has it, and then goes where `finish` says.

    A blind operation cannot be looked for: its own answer, or a person's word, is all there is.
    """

    async def node(state: State, runtime: Runtime[Case]) -> Command[str]:
        case = runtime.context
        async with reading(case.kit.pool) as conn:
            effect, _ = await recorded.effect(conn, state["approval"], "apply")
            approval = await approvals.load(conn, state["approval"])
        assert effect is not None
        assert approval is not None
        if not await is_there(case, effect, blind=True):
            system = effect.operation.partition(".")[0]
            await steps.end(case, RunStatus.FAILED, "read_back_failed", {"system": system})
            return Command(goto=END)
        return await finish(case, effect, approval)

    return node


async def is_there(case: Case, effect: Effect, *, blind: bool) -> bool:
    """Say whether the outside system has what an effect did, and record it; `blind` where none can see.

    What was undone had been seen to be gone by the operation itself, so it is there only if it is seen.
    """
    operation = case.kit.registry.operation(effect.operation)
    if operation.repeat == "blind":
        await _record(case, effect, "not_visible", None)
        return blind
    if effect.act == "undo":
        seen = await operation.sight(parse(operation, effect.payload), effect.key, await _left(case, effect))
        await _record(case, effect, _UNDONE[seen], None)
        return seen is Sight.THERE
    found = await operation.find(parse(operation, effect.payload), effect.key)
    await _record(case, effect, "differs" if found is None else "matches", found)
    return found is not None


_UNDONE = {Sight.GONE: "matches", Sight.THERE: "differs", Sight.NOT_SEEN: "not_visible"}


async def _left(case: Case, undone: Effect) -> Result | None:
    """Return what the effect had left behind that was undone."""
    async with reading(case.kit.pool) as conn:
        done = await effects.find(conn, undone.approval, "apply")
    if done is None or not done.result:
        return None
    return case.kit.registry.operation(done.operation).result.model_validate(done.result)


async def _record(case: Case, effect: Effect, status: str, found: Result | None) -> None:
    """Write down what was seen when an effect was looked at again."""
    facts = {"effect": effect.id, "approval": effect.approval, "act": effect.act, "status": status}
    detail = {
        "operation": effect.operation,
        "payload": dict(effect.payload),
        "found": found.model_dump(mode="json") if found is not None else None,
    }
    async with case.writing() as conn:
        await audit.append(conn, "effect.read_back", run=case.id, facts=facts, detail=detail)


async def refused(state: State, runtime: Runtime[Case]) -> Command[str]:
    """Undo the latest of what still stands and come back; when nothing does, end the run with its reason."""
    case = runtime.context
    refusal = state["refusal"]
    kept: list[str] = refusal.get("kept", [])
    async with reading(case.kit.pool) as conn:
        for one in await effects.of_run(conn, case.id):
            await recorded.effect(conn, one.approval, one.act)
        standing = [one for one in await effects.standing(conn, case.id) if one.id not in kept]
    if not standing:
        facts = {**refusal["facts"], **({"kept": str(len(kept))} if kept else {})}
        await steps.end(case, RunStatus.REFUSED, refusal["key"], facts)
        return Command(goto=END)
    if not await _taken_back(case, standing[0]):
        kept = [*kept, standing[0].id]
    return Command(goto="refused", update={"refusal": {**refusal, "kept": kept}})


async def _taken_back(case: Case, effect: Effect) -> bool:
    """Undo one effect and look whether it is gone. False when it cannot be, so that it stays."""
    try:
        undone = await case.kit.gate.reverse(await case.held(), effect.approval)
    except Refused:
        gone = False
    else:
        gone = not await is_there(case, undone, blind=False)
    key = "undone" if gone else "kept"
    async with case.writing() as conn:
        await cases.note(conn, case.id, key, mark=f"{key} {effect.id}", operation=effect.operation)
    return gone
