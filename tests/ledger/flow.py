"""The ledger's workflow: some entries, one approval each, in order; what a refusal leaves is taken back."""

from datetime import timedelta

from langgraph.graph import END, START, StateGraph
from langgraph.types import Command

from graphs import acting, approvals, effects, steps
from graphs.admission import Refused
from graphs.approvals import Proposal
from graphs.effects import Effect
from graphs.kit import Case, Workflow
from graphs.records import Approval, Field, Run, RunStatus, Shown
from graphs.steps import State
from tests.ledger.system import APPROVERS, Entry

NAME = "ledger"
TWICE = "ledger twice"  # two nodes that act, and one approval: what nobody should write
WITHIN = timedelta(minutes=15)


def workflow(execute_within: timedelta = WITHIN, *, name: str = NAME) -> Workflow:
    """Return the workflow, of either name. `refs` are the entries, with blanks between them."""
    fields = (
        Field(name="operation", label="How", kind="text"),
        Field(name="refs", label="What", kind="text"),
    )
    return Workflow(
        name=name,
        title="Entries",
        version=1,
        fields=fields,
        build=lambda: _machine(fields, execute_within, twice=name == TWICE),
    )


def _machine(
    fields: tuple[Field, ...], within: timedelta, *, twice: bool
) -> StateGraph[State, Case, State, State]:
    async def propose(case: Case, run: Run) -> Proposal:
        return await _propose(case, run, within)

    graph = StateGraph(State, context_schema=Case)
    graph.add_node("collect", steps.collect(fields), destinations=("ask", "check"))
    graph.add_node("ask", steps.ask, destinations=("collect",))
    graph.add_node("check", _check, destinations=("plan",))
    graph.add_node("plan", steps.plan(propose), destinations=("approve", "refused"))
    graph.add_node("approve", steps.approve, destinations=("decided",))
    graph.add_node("decided", steps.decided("post"), destinations=("check", "post", "refused"))
    first = acting.execute(propose, then="post again" if twice else "confirm")
    graph.add_node("post", first, destinations=("post again", "confirm", "plan", "refused"))
    graph.add_node("post again", acting.execute(propose), destinations=("confirm", "plan", "refused"))
    graph.add_node("confirm", acting.confirm(_posted), destinations=("plan", END))
    graph.add_node("refused", acting.refused, destinations=("refused", END))
    graph.add_edge(START, "collect")
    return graph


async def _check(state: State) -> Command[str]:
    return Command(goto="plan")


async def _propose(case: Case, run: Run, within: timedelta) -> Proposal:
    kit = case.kit
    async with kit.pool.connection() as conn:
        done = len(await effects.standing(conn, case.id))
    ref = run.values["refs"].split()[done]
    payload = Entry(ref=ref)
    change = await kit.registry.operation(run.values["operation"]).preview(payload)
    if not change.needed:
        raise Refused("already_member")
    return Proposal(
        operation=run.values["operation"],
        payload=payload,
        terms={},
        change=change,
        clause=await kit.evidence.clause("ledger.md", "entries"),
        beneficiary=approvals.actor(await kit.directory.person_of(run.requester.subject)),
        approvers={APPROVERS: (await kit.directory.group_by_name(APPROVERS)).id},
        quorum=1,
        lines=(Shown(label="Entry", value=ref),),
        reason="",
        decide_within=timedelta(hours=24),
        execute_within=within,
    )


async def _posted(case: Case, effect: Effect, approval: Approval) -> Command[str]:
    row = await case.row()
    async with case.kit.pool.connection() as conn:
        done = len(await effects.standing(conn, case.id))
        rounds = len(await approvals.of_run(conn, case.id))
    if done < len(row.run.values["refs"].split()):
        return Command(goto="plan", update={"round": rounds + 1})
    await steps.end(case, RunStatus.DONE, None, {"ref": effect.payload["ref"]})
    return Command(goto=END)
