"""Any registered operation through the nodes that workflows share: collect, plan, approve, act.

So that an operation is tried under abuse before a workflow of the product uses it.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from connectors.base import Payload
from connectors.directory import Person
from connectors.errors import NotFound
from graphs import acting, approvals, steps
from graphs.admission import Refused
from graphs.approvals import Proposal
from graphs.effects import Effect
from graphs.kit import Case, Workflow
from graphs.records import Approval, Field, Run, RunStatus, Shown
from graphs.steps import State

APPROVERS = "data-owners"
DOCUMENT, ANCHOR = "it-access.md", "temporary-access-to-data"
DECIDE_WITHIN, EXECUTE_WITHIN = timedelta(hours=24), timedelta(minutes=15)
FIELDS = (
    Field(name="target", label="What", kind="text", most=100),
    Field(name="person", label="For whom", kind="text", most=100),  # their e-mail address
    Field(name="days", label="Days", kind="number", least=1, most=30, narrows="less"),
)

Payloads = Callable[[Mapping[str, str], Person], Payload]


def workflow(name: str, operation: str, payload: Payloads) -> Workflow:
    """Return a workflow that carries out one operation on what its fields name."""
    anything = _Anything(operation, payload)
    return Workflow(name=name, title=operation, version=1, fields=FIELDS, build=lambda: _machine(anything))


def _machine(anything: "_Anything") -> StateGraph[State, Case, State, State]:
    graph = StateGraph(State, context_schema=Case)
    graph.add_node("collect", steps.collect(FIELDS), destinations=("ask", "check"))
    graph.add_node("ask", steps.ask, destinations=("collect",))
    graph.add_node("check", anything.check, destinations=("plan", "refused"))
    graph.add_node("plan", steps.plan(anything.propose), destinations=("approve", "refused"))
    graph.add_node("approve", steps.approve, destinations=("decided",))
    graph.add_node("decided", steps.decided("act"), destinations=("act", "refused"))
    graph.add_node("act", acting.execute(anything.propose), destinations=("confirm", "plan", "refused"))
    graph.add_node("confirm", acting.confirm(_done), destinations=(END,))
    graph.add_node("refused", acting.refused, destinations=("refused", END))
    graph.add_edge(START, "collect")
    return graph


class _Anything:
    def __init__(self, operation: str, payload: Payloads) -> None:
        self._operation = operation
        self._payload = payload

    async def check(self, state: State, runtime: Runtime[Case]) -> Command[str]:
        case = runtime.context
        run = (await case.row()).run
        try:
            person = await case.kit.directory.person_of(run.requester.subject)
            await steps.may_request(case, run.workflow, person, {"days": int(run.values["days"])})
        except NotFound:
            return steps.refuse(Refused("person_inactive"))
        except Refused as refusal:
            return steps.refuse(refusal)
        return Command(goto="plan")

    async def propose(self, case: Case, run: Run) -> Proposal:
        kit = case.kit
        try:
            await kit.directory.person_of(run.requester.subject)
            person = await kit.directory.person_by_email(run.values["person"])
            ids = await kit.groups.ids([APPROVERS, run.values["target"]])
            payload = self._payload({**run.values, "target_id": ids[run.values["target"]]}, person)
            change = await kit.registry.operation(self._operation).preview(payload)
        except NotFound as error:
            raise Refused("person_inactive") from error
        if not change.needed:
            raise Refused("already_member")
        return Proposal(
            operation=self._operation,
            payload=payload,
            terms={"days": int(run.values["days"])},
            change=change,
            clause=await kit.evidence.clause(DOCUMENT, ANCHOR),
            beneficiary=approvals.actor(person),
            approvers={APPROVERS: ids[APPROVERS]},
            quorum=1,
            lines=(Shown(label="What", value=change.after),),
            reason="",
            decide_within=DECIDE_WITHIN,
            execute_within=EXECUTE_WITHIN,
        )


async def _done(case: Case, effect: Effect, approval: Approval) -> Command[str]:
    await steps.end(case, RunStatus.DONE, None, {}, notice="done")
    return Command(goto=END)
