"""The nodes that workflows share: collect what is missing, wait for the form or the approval, refuse.

What acts, looks whether it did, and takes back what was done is in `graphs.acting`.

`interrupt()` stands alone in its node, because a resume runs the node again from its top. What resumes it
carries no authority: the records are read again.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypedDict

from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt

from connectors.directory import Person
from graphs import approvals, audit, authority, cards, cases, edits, effects, forms, quorum, rights, votes
from graphs.admission import Changed, Refused, require
from graphs.approvals import Proposal
from graphs.edits import Edit
from graphs.kit import Case
from graphs.policy import views
from graphs.policy.engine import INACTIVE, Resource
from graphs.ports import Connection
from graphs.records import (
    Approval,
    ApprovalStatus,
    Delegation,
    Field,
    Notice,
    Run,
    RunStatus,
    Verdict,
)

Facts = dict[str, str]


class State(TypedDict, total=False):
    """What a checkpoint holds: plain JSON, and ids instead of what they name."""

    run: str
    form: int  # the submission of the form that is waited for
    round: int  # how often the run has asked for approval
    approval: str
    refusal: dict[str, Any]


class Node(Protocol):
    """A node of a workflow. Where it goes from there is in the Command."""

    async def __call__(self, state: State, runtime: Runtime[Case]) -> Command[str]:
        """Do one step."""


Propose = Callable[[Case, Run], Awaitable[Proposal]]  # of the run as it stands


def refuse(refusal: Refused) -> Command[str]:
    """Go to the end that says no."""
    return Command(goto="refused", update={"refusal": {"key": refusal.key, "facts": dict(refusal.facts)}})


def collect(fields: tuple[Field, ...]) -> Node:
    """Make the node that looks whether all is there; what is missing or does not fit is asked for."""

    async def node(state: State, runtime: Runtime[Case]) -> Command[str]:
        case = runtime.context
        row = await case.row()
        problems = forms.examine(fields, row.run.values)
        async with case.writing() as conn:
            if problems:
                missing = [field for field in fields if field.name in problems]
                told = {name: problem for name, problem in problems.items() if row.run.values.get(name)}
                await cases.await_form(conn, case.id, missing, told)
            else:
                await cases.move(conn, case.id, RunStatus.CHECKING)
                await cases.note(conn, case.id, "collected", **row.run.values)
            await case.kit.notifier.progress(conn, case.id)
        if problems:
            return Command(goto="ask", update={"form": row.submissions + 1})
        return Command(goto="check")

    return node


def ask(state: State) -> Command[str]:
    """Wait until the requester has filled in the form."""
    interrupt({"form": state["form"]})
    return Command(goto="collect")


async def may_request(case: Case, workflow: str, person: Person, parameters: Mapping[str, str | int]) -> None:
    """Ask the policies whether the person may request this, and write down what they said. Raises Refused."""
    resource: Resource = ("Workflow", workflow, {"name": workflow})
    ruling = case.kit.policy.rule("request", person, resource, {"parameters": parameters})
    async with case.kit.pool.connection() as conn:
        await audit.append(
            conn, "run.checked", run=case.id, facts={"allowed": ruling.allowed, **ruling.facts}, detail={}
        )
    if INACTIVE in ruling.policies:
        raise Refused("person_inactive")
    require(ruling)


def plan(propose: Propose) -> Node:
    """Make the node that reads the world and asks for approval of exactly what it would do."""

    async def node(state: State, runtime: Runtime[Case]) -> Command[str]:
        case = runtime.context
        row = await case.recorded()
        try:
            proposal = await propose(case, row.run)
        except Refused as refusal:
            return refuse(refusal)
        async with case.kit.pool.connection() as conn:
            level = await authority.level(conn, proposal.operation)
            edit, lent = await edits.narrowed(conn, case.id)
        people = await rights.read(case.kit.directory, _concerned(row.run, proposal, edit, lent))
        try:
            await quorum.require(
                case.kit.directory,
                case.kit.policy,
                views.proposed(proposal, row.run, people, level=level),
                groups=proposal.approvers.values(),
                quorum=proposal.quorum,
            )
        except Refused as refusal:
            return refuse(refusal)
        author = people.get(edit.author.subject) if edit else None
        async with case.writing() as conn:
            card = await approvals.propose(
                conn, row.run, proposal, round_=state.get("round", 1), version=row.version, level=level
            )
            approval = await approvals.load(conn, card)
            assert approval is not None
            await _ask_for(conn, case, approval)
            if edit and author and edits.carries(edit, approval):
                held = rights.held(author, lent, people)
                await votes.cast(case.kit, conn, approval, Verdict.APPROVE, held=held, people=people)
        return Command(goto="approve", update={"approval": card})

    return node


def _concerned(run: Run, proposal: Proposal, edit: Edit | None, lent: Sequence[Delegation]) -> Iterator[str]:
    """Yield the subjects of everybody on whom it depends who may decide on what is proposed."""
    actors = (run.requester, proposal.beneficiary, *run.authors, *([edit.author] if edit else ()))
    yield from (actor.subject for actor in actors)
    yield from (delegation.holder.subject for delegation in lent)


async def _ask_for(conn: Connection, case: Case, approval: Approval) -> None:
    notifier = case.kit.notifier
    await cases.move(conn, case.id, RunStatus.WAITING)
    await cases.note(
        conn, case.id, "planned", mark=f"planned {approval.id}", approvers=", ".join(approval.approvers)
    )
    escalates_at = approval.escalation.at if approval.escalation is not None else None
    for due_at in (approval.remind_at, escalates_at, approval.decide_by):
        if due_at is not None:
            await cases.wake(conn, case.id, due_at)
    await notifier.card(conn, approval.id)
    if approval.replaced:
        why = approval.replaced
        await notifier.tell(conn, case.id, Notice(key=f"{why.key}:{approval.id}", facts=why.facts))
    await notifier.progress(conn, case.id)
    card = cards.plain(approval)
    clause = card.pop("clause")
    await audit.append(
        conn,
        "approval.requested",
        run=case.id,
        facts={
            "approval": approval.id,
            "digest": approval.digest,
            "clause_hash": approval.clause.hash,
            "edition": approval.clause.edition,
            "replaces": approval.replaces or "",
            "quorum": approval.quorum,
            "policy": case.kit.policy.hash,
        },
        detail={
            "change": f"{approval.before} -> {approval.after}",
            "sends": dict(approval.sends),
            "approvers": list(approval.approvers),
            "card": card,
        },
        house={"clause": clause},
    )


def approve(state: State) -> Command[str]:
    """Wait for the decision, or for its time to be over."""
    interrupt({"approval": state["approval"]})
    return Command(goto="decided")


def decided(execute: str, *, again: str = "check") -> Node:
    """Make the node that reads what was decided: it goes on to `execute`, or refuses.

    What became void while it waited is looked at anew from `again`, in a new round.
    """

    async def node(state: State, runtime: Runtime[Case]) -> Command[str]:
        case = runtime.context
        async with case.writing() as conn:
            approval = await approvals.load(conn, state["approval"])
            assert approval is not None
            if approval.status is ApprovalStatus.VOID:
                return Command(goto=again, update={"round": state.get("round", 1) + 1})
            if approval.status is not ApprovalStatus.APPROVED:
                return refuse(_no(approval))
            await cases.move(conn, case.id, RunStatus.EXECUTING)
            mark = f"approved {approval.id}"
            await cases.note(conn, case.id, "approved", mark=mark, by=approvals.names(approval))
            await case.kit.notifier.progress(conn, case.id)
        return Command(goto=execute)

    return node


def _no(approval: Approval) -> Refused:
    if approval.denial is not None:
        return Refused("denied", by=approval.denial.by.name, reason=approval.denial.reason or "")
    return Refused("expired")


async def changed(case: Case, state: State, change: Changed) -> Command[str]:
    """Ask again, because what was approved is no longer what would be done, or no longer approved."""
    async with case.writing() as conn:
        if await approvals.void(conn, state["approval"], change.why):
            await case.kit.notifier.card(conn, state["approval"])
            await audit.append(
                conn,
                "approval.void",
                run=case.id,
                facts={"approval": state["approval"], "reason": change.why.key},
                detail={
                    "differences": {one.name: f"{one.before} -> {one.after}" for one in change.differences},
                    "facts": dict(change.why.facts),
                },
            )
    return Command(goto="plan", update={"round": state.get("round", 1) + 1})


async def end(
    case: Case, status: RunStatus, reason: str | None, facts: Mapping[str, str], *, notice: str | None = None
) -> None:
    """Close the run. Its thread hears `notice` once; of a run that did not succeed, why."""
    if reason is not None:
        notice = reason if reason in {"denied", "expired"} else status.value
        facts = {**facts, "key": reason}
    run = (await case.row()).run
    async with case.writing() as conn:
        if reason is not None:
            facts = {"stands": await effects.stands(conn, run), **facts}
        await cases.move(conn, case.id, status, reason=reason, facts=facts)
        if reason is not None:
            await cases.note(conn, case.id, status.value, reason=reason)
        if notice is not None:
            await case.kit.notifier.progress(conn, case.id)
            await case.kit.notifier.tell(conn, case.id, Notice(key=notice, facts=facts))
        await audit.append(
            conn,
            "run.ended",
            run=case.id,
            facts={"status": status.value, "reason": reason or ""},
            detail={"facts": dict(facts)},
        )
