"""The end of a membership that was granted for some days: revoke, read back, tell."""

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from graphs import acting, cases, effects, memberships, steps
from graphs.kit import Case, Workflow
from graphs.records import Notice, RunStatus
from graphs.steps import State

NAME = "it_access_end"


def workflow() -> Workflow:
    """Return the workflow. Nobody asks for it: a grant schedules it."""
    return Workflow(name=NAME, title="End of access to data", version=1, fields=(), build=_machine)


def _machine() -> StateGraph[State, Case, State, State]:
    graph = StateGraph(State, context_schema=Case)
    graph.add_node("revoke", memberships.revoke)
    graph.add_node("confirm", confirm)
    graph.add_edge(START, "revoke")
    graph.add_edge("revoke", "confirm")
    graph.add_edge("confirm", END)
    return graph


async def confirm(state: State, runtime: Runtime[Case]) -> State:
    """Look whether it is gone, and say so in the thread of the run that had granted it."""
    case = runtime.context
    kit, values = case.kit, (await case.row()).run.values
    async with kit.pool.connection() as conn:
        undone = await effects.find(conn, values["approval"], "undo")
    assert undone is not None
    if await acting.is_there(case, undone, blind=False):
        await steps.end(case, RunStatus.FAILED, "read_back_failed", {})
        return {}
    assert undone.settled_at is not None
    facts = {"group": values["group"], "at": undone.settled_at.isoformat()}
    async with case.writing() as conn:
        await cases.note(conn, values["run"], "revoked", **facts)
        await kit.notifier.progress(conn, values["run"])
        await kit.notifier.tell(conn, values["run"], Notice(key="revoked", facts=facts))
    await steps.end(case, RunStatus.DONE, None, facts)
    return {}
