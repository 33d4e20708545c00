"""The end of a membership that was granted for some days: revoke, read back, tell.

While it does not end, the approvers are told as well: a membership that should be over is theirs to know of.
"""

from collections.abc import Mapping

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from graphs import audit, cases, effects, ending
from graphs.engine import nodes
from graphs.engine.nodes import State
from graphs.kit import Case, Kind
from graphs.plans import ONLY
from graphs.ports import Connection
from graphs.records import Notice, Run, RunStatus

NAME = "it_access_end"


def workflow() -> Kind:
    """Return the workflow. Nobody asks for it: a grant schedules it."""
    return Kind(name=NAME, title="End of access to data", version=1, fields=(), build=_machine)


def _machine() -> StateGraph[State, Case, State, State]:
    graph = StateGraph(State, context_schema=Case)
    graph.add_node("revoke", ending.revoking(owed))
    graph.add_node("confirm", confirm)
    graph.add_edge(START, "revoke")
    graph.add_edge("revoke", "confirm")
    graph.add_edge("confirm", END)
    return graph


async def owed(case: Case, conn: Connection, run: Run, facts: Mapping[str, str]) -> None:
    """Tell the approvers, beside their card, that the access has not ended. The thread hears why."""
    await case.kit.notifier.beside_card(conn, run.values["approval"], "not_ended")
    await audit.append(
        conn,
        "membership.not_ended",
        run=run.values["run"],
        facts={"approval": run.values["approval"], "reason": facts["error"]},
        detail={"group": facts["group"]},
    )


async def confirm(state: State, runtime: Runtime[Case]) -> State:
    """Look whether it is gone, and say so in the thread of the run that had granted it."""
    case = runtime.context
    kit, run = case.kit, (await case.row()).run
    values = run.values
    async with kit.pool.connection() as conn:
        undone = await effects.find(conn, values["approval"], values.get("step", ONLY), "undo")
    assert undone is not None
    there = await nodes.is_there(case, undone, blind=False)
    how = await ending.left(case, undone, there=there)
    if how not in ending.ENDED:
        async with case.writing() as conn:
            await owed(case, conn, run, {"group": values["group"], "error": how})
        await nodes.end(case, RunStatus.FAILED, how, {"group": values["group"]})
        return {}
    assert undone.settled_at is not None
    facts = {"group": values["group"], "at": undone.settled_at.isoformat()}
    async with case.writing() as conn:
        await cases.note(conn, values["run"], "revoked", **facts)
        await kit.notifier.progress(conn, values["run"])
        await kit.notifier.tell(conn, values["run"], Notice(key=how, facts=facts))
    await nodes.end(case, RunStatus.DONE, None, facts)
    return {}
