"""What the workflows that lend a membership share: may it be asked for, what would be done, how it ends."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Literal, Protocol

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from connectors.directory import Membership, Person
from connectors.errors import Conflict, ConnectorError, NotFound
from graphs import acting, approvals, cases, effects, steps
from graphs.admission import Refused
from graphs.approvals import Plain, Proposal
from graphs.effects import Effect, Held
from graphs.groups import GroupUnclear
from graphs.kit import Case
from graphs.pools import reading
from graphs.ports import ClauseMissing, ClauseUnreadable, Connection
from graphs.records import Field, Run, Shown
from graphs.steps import Node, Propose, State

OPERATION = "directory.add_to_group"


@dataclass(frozen=True, kw_only=True, slots=True)
class Deadlines:
    """The times of an approval, each from the moment at which it is asked for but `execute_within`."""

    decide_within: timedelta = timedelta(hours=24)
    execute_within: timedelta = timedelta(minutes=15)  # from the decision
    remind_after: timedelta | None = timedelta(hours=12)
    escalate_after: timedelta = timedelta(hours=18)


@dataclass(frozen=True, kw_only=True, slots=True)
class Governed:
    """How requests for one group are decided: by whom, under which clause, in what time."""

    clause_document: str
    clause_anchor: str
    approvers: tuple[str, ...]
    quorum: int
    deadlines: Deadlines
    escalation: tuple[str, ...] = ()  # groups whose members may decide as well, late


async def may_request(case: Case, workflow: str, parameters: Mapping[str, Plain]) -> None:
    """Return if the requester may ask for this. Raises Refused."""
    run = (await case.row()).run
    await steps.may_request(case, workflow, await _person(case, run.requester.subject), parameters)


async def propose(
    case: Case, run: Run, governed: Governed, *, group: str, terms: Mapping[str, Plain], lasts: str
) -> Proposal:
    """Read the world and say exactly what would be done. Raises Refused where it cannot be."""
    kit = case.kit
    person = await _person(case, run.requester.subject)
    if not person.active:
        raise Refused("person_inactive")
    try:
        ids = await kit.groups.ids([group, *governed.approvers, *governed.escalation])
    except GroupUnclear as error:
        raise Refused(error.key, group=error.name) from error
    payload = Membership(group=group, group_id=ids[group], person=person.id)
    try:
        change = await kit.registry.operation(OPERATION).preview(payload)
    except NotFound as error:
        raise Refused("group_gone", group=group) from error
    if not change.needed:
        raise Refused("already_member", group=group)
    try:
        clause = await kit.evidence.clause(governed.clause_document, governed.clause_anchor)
    except ClauseUnreadable as error:
        raise Refused("clause_unreadable") from error
    except ClauseMissing as error:
        raise Refused("clause_missing") from error
    return Proposal(
        operation=OPERATION,
        payload=payload,
        terms=terms,
        change=change,
        clause=clause,
        beneficiary=approvals.actor(person),
        approvers={name: ids[name] for name in governed.approvers},
        quorum=governed.quorum,
        lines=(
            Shown(label="Person", value=f"{person.name} ({person.email})"),
            Shown(label="Access to", value=group),
            Shown(label="For", value=f"{lasts}, then it ends by itself"),
        ),
        reason=run.values["reason"],
        decide_within=governed.deadlines.decide_within,
        execute_within=governed.deadlines.execute_within,
        remind_after=governed.deadlines.remind_after,
        escalation={name: ids[name] for name in governed.escalation},
        escalate_after=governed.deadlines.escalate_after,
    )


def lending(
    fields: tuple[Field, ...], *, check: Node, propose: Propose, grant: Node, confirm: Node
) -> StateGraph[State, Case, State, State]:
    """Return the machine that lends a membership once it is approved: `check` is what it may be asked for."""
    graph = StateGraph(State, context_schema=Case)
    graph.add_node("collect", steps.collect(fields), destinations=("ask", "check"))
    graph.add_node("ask", steps.ask, destinations=("collect",))
    graph.add_node("check", check, destinations=("plan", "refused"))
    graph.add_node("plan", steps.plan(propose), destinations=("approve", "refused"))
    graph.add_node("approve", steps.approve, destinations=("decided",))
    graph.add_node("decided", steps.decided("grant"), destinations=("check", "grant", "refused"))
    graph.add_node("grant", grant, destinations=("confirm", "plan", "refused"))
    graph.add_node("confirm", confirm, destinations=(END,))
    graph.add_node("refused", acting.refused, destinations=("refused", END))
    graph.add_edge(START, "collect")
    return graph


Owed = Callable[[Case, Connection, Run, Mapping[str, str]], Awaitable[None]]
Left = Literal["revoked", "group_deleted", "in_new_group", "was_before", "still_there"]

TOLD = 3  # attempts at an end, a few seconds; after that its owner is told
ENDED: frozenset[Left] = frozenset({"revoked", "group_deleted", "was_before"})


async def schedule_end(
    conn: Connection,
    held: Held,
    effect: Effect,
    ending: tuple[str, int],
    values: Mapping[str, str],
    *,
    urgent: bool = False,
) -> Mapping[str, Any]:
    """Make the end of what was granted a run of its own, and return it for the record of the grant."""
    assert effect.ends_at is not None
    workflow, version = ending
    run, _ = await cases.create(
        conn,
        key=f"end {effect.id}",
        workflow=workflow,
        version=version,
        requester=held.run.requester,
        origin=held.run.origin,
        values=values,
        due_at=effect.ends_at,
        urgent=urgent,
    )
    await cases.note(conn, held.run.id, "granted", until=effect.ends_at.isoformat())
    return {
        "run": run,
        "workflow": workflow,
        "version": version,
        "requester": asdict(held.run.requester),
        "origin": dict(held.run.origin),
        "values": dict(values),
    }


class Revoke(Protocol):
    """A node that ends a membership."""

    async def __call__(self, state: State, runtime: Runtime[Case]) -> State:
        """Do it, or raise."""


def revoking(owed: Owed) -> Revoke:
    """Make the first node of what ends a membership: undo the grant, under the approval that covered both.

    It is tried until the outside system shows that it has ended. `owed` tells the owner when that does not
    come to pass, with `error`, the key of what is in the way.
    """

    async def revoke(state: State, runtime: Runtime[Case]) -> State:
        case = runtime.context
        held = await case.held()
        try:
            await case.kit.gate.reverse(held, held.run.values["approval"])
        except (ConnectorError, Refused) as error:
            if isinstance(error, Refused) or (await case.row()).attempts + 1 >= TOLD:
                facts = {"group": held.run.values["group"], "error": error.key}
                async with case.writing() as conn:
                    await owed(case, conn, held.run, facts)
            raise
        return {}

    return revoke


async def left(case: Case, undone: Effect, *, there: bool) -> Left:
    """Look what is left of a membership that was ended; `there` is whether it is still seen.

    A group that is deleted takes its memberships with it; another of the same name is another group. Somebody
    who was in a group before they were given it stays in it.
    """
    directory, held = case.kit.directory, undone.payload
    async with reading(case.kit.pool) as conn:
        done = await effects.find(conn, undone.approval, "apply")
    result = (done.result or {}) if done is not None else {}
    if there:
        return "was_before" if result.get("changed") is False else "still_there"
    try:
        await directory.named(str(held.get("group_id") or result.get("group")))
    except NotFound:
        try:
            anew = await directory.find_group(str(held["group"]))
        except (NotFound, Conflict):
            return "group_deleted"
        again = await directory.is_shown(anew.id, str(held["person"]))
        return "in_new_group" if again else "group_deleted"
    return "revoked"


async def _person(case: Case, subject: str) -> Person:
    try:
        return await case.kit.directory.person_of(subject)
    except NotFound as error:
        raise Refused("person_inactive", gone="yes") from error
