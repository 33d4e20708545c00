"""The end of emergency access: revoke, read back, say so aloud, and wait until somebody has reviewed it."""

from collections.abc import Mapping
from datetime import timedelta

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt

from graphs import alarms, audit, cases, effects, ending, reviews
from graphs.engine import nodes
from graphs.kit import Case, Kind
from graphs.plans import ONLY
from graphs.ports import Connection
from graphs.records import Alarm, Notice, Run, RunStatus

NAME = "break_glass_end"


class State(nodes.State, total=False):
    """What a checkpoint holds besides: the review that is waited for, and whether the access is gone."""

    review: str
    gone: bool
    how: str  # what is left of it: see `ending.left`


def workflow() -> Kind:
    """Return the workflow. Nobody asks for it: a grant schedules it, and says who reviews."""
    return Kind(name=NAME, title="End and review of emergency access", version=1, fields=(), build=_machine)


def _machine() -> StateGraph[State, Case, State, State]:
    graph = StateGraph(State, context_schema=Case)
    graph.add_node("revoke", ending.revoking(owed))
    graph.add_node("confirm", confirm)
    graph.add_node("review", review, destinations=("reviewed",))
    graph.add_node("reviewed", reviewed)
    graph.add_edge(START, "revoke")
    graph.add_edge("revoke", "confirm")
    graph.add_edge("confirm", "review")
    graph.add_edge("reviewed", END)
    return graph


async def owed(case: Case, conn: Connection, run: Run, facts: Mapping[str, str]) -> None:
    """Say aloud that the access has not ended."""
    await alarms.sound(conn, case.kit.notifier, run.values["run"], "not_ended", facts)


async def confirm(state: State, runtime: Runtime[Case]) -> State:
    """Look whether it is gone, say so in the thread and aloud, and ask for the review either way."""
    case = runtime.context
    kit, values = case.kit, (await case.row()).run.values
    async with kit.pool.connection() as conn:
        undone = await effects.find(conn, values["approval"], values.get("step", ONLY), "undo")
    assert undone is not None
    assert undone.settled_at is not None
    there = await nodes.is_there(case, undone, blind=False)
    how = await ending.left(case, undone, there=there)
    gone = how in ending.ENDED
    facts = {"group": values["group"], "at": undone.settled_at.isoformat()}
    async with case.writing() as conn:
        asked, fresh = await reviews.ask(
            conn,
            run=case.id,
            approval=values["approval"],
            reviewers=values["reviewers"],
            every=timedelta(seconds=int(values["every"])),
        )
        if fresh:
            await cases.move(conn, case.id, RunStatus.WAITING)
            await kit.notifier.review(conn, asked)
            if gone:
                await cases.note(conn, values["run"], "revoked", **facts)
                await kit.notifier.progress(conn, values["run"])
                await kit.notifier.tell(conn, values["run"], Notice(key=how, facts=facts))
            moment: Alarm = "ended" if gone else "not_ended"
            told = facts if gone else {**facts, "error": how}
            await alarms.sound(conn, kit.notifier, values["run"], moment, told)
            await audit.append(
                conn,
                "review.requested",
                run=values["run"],
                facts={"review": asked, "approval": values["approval"]},
                detail={"reviewers": values["reviewers"]},
            )
    return {"review": asked, "gone": gone, "how": how}


def review(state: State) -> Command[str]:
    """Wait until somebody has reviewed what was done."""
    interrupt({"review": state["review"]})
    return Command(goto="reviewed")


async def reviewed(state: State, runtime: Runtime[Case]) -> State:
    """End the run with what the reviewer found."""
    case = runtime.context
    async with case.kit.pool.connection() as conn:
        done = await reviews.load(conn, state["review"])
    assert done is not None
    assert done.finding is not None
    facts = {"finding": done.finding.value}
    if state["gone"]:
        await nodes.end(case, RunStatus.DONE, None, facts)
    else:
        await nodes.end(case, RunStatus.FAILED, state.get("how", "still_there"), facts)
    return {}
