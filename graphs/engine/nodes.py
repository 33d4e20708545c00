"""The nodes of every workflow's machine: where the run is, ask, wait, carry out a step, take it back, end.

The rows say where a run is, as the record has them; the graph only walks. `position` comes first and goes
where they say, so that a machine of another shape goes on with what an earlier one began. `step` does one
act, which it takes from the ledger and never from the checkpoint, and comes back.

`interrupt()` stands alone in its node, because a resume runs the node again from its top. What resumes it
carries no authority: the records are read again.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypedDict

from langgraph.graph import END
from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt

from connectors.base import Operation, Result, Sight, parse
from connectors.errors import Unavailable
from graphs import (
    alarms,
    approvals,
    audit,
    authority,
    cards,
    cases,
    edits,
    effects,
    forms,
    quorum,
    recorded,
    rights,
    unfinished,
    votes,
)
from graphs.admission import Changed, Grounds, Refused, require
from graphs.edits import Edit
from graphs.effects import Effect, Held
from graphs.engine import preparing
from graphs.engine.workflow import RunContext, Stage, Workflow
from graphs.gate import Withdrawn, is_past_pivot
from graphs.kit import Case
from graphs.plans import PlanInvalid, Proposal
from graphs.policy import views
from graphs.policy.engine import INACTIVE, NOT_ALONE, NOT_PERMITTED, Policy, Resource
from graphs.policy.views import People
from graphs.pools import reading
from graphs.ports import Connection
from graphs.recorded import Ledger, Told
from graphs.records import (
    Actor,
    Approval,
    ApprovalStatus,
    Delegation,
    Field,
    Notice,
    PlanStep,
    Run,
    RunStatus,
    Verdict,
)

log = logging.getLogger(__name__)

_STOPPED = "plan.stopped"
_HELD_UP = "plan.held"
_MOVED = "run.moved"


class State(TypedDict, total=False):
    """What a checkpoint holds: plain JSON, and ids instead of what they name."""

    run: str
    shape: str  # of the machine that wrote it
    form: int  # the submission of the form that is waited for
    approval: str  # that is waited for
    refusal: dict[str, Any]
    kept: list[str]  # the steps that could not be taken back


class HeldUp(Unavailable):
    """A plan past its pivot is not let through now: it is tried until it is, or a person decides."""

    key = "plan.held"


def refuse(refusal: Refused) -> Command[str]:
    """Go to the end that says no."""
    return Command(goto="end", update={"refusal": {"key": refusal.key, "facts": dict(refusal.facts)}})


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Where a plan stands, as the record has it."""

    approval: Approval
    ledger: Ledger
    told: Told = None  # by the record, of its run as well

    @property
    def next(self) -> PlanStep | None:
        """The first step that is not done and seen to be so."""
        return next((step for step in self.approval.steps if not self.is_seen(step)), None)

    def is_seen(self, step: PlanStep) -> bool:
        """Whether a step is done and has been read back."""
        effect = self.ledger.effects.get((step.name, "apply"))
        return effect is not None and effect.state == "done" and effect.id in self.ledger.seen


async def _found(conn: Connection, card: str, run: str = "") -> Found:
    try:
        approval, ledger, told = await approvals.follow(conn, card, run=run, of_run=(_MOVED,))
    except (audit.ChainBroken, audit.Locked) as error:
        raise Refused("record_changed") from error
    return Found(approval=approval, ledger=ledger, told=told if run else None)


class Nodes:
    """The nodes of one workflow."""

    def __init__(self, workflow: Workflow[Any]) -> None:
        self.workflow = workflow

    async def position(self, state: State, runtime: Runtime[Case]) -> Command[str]:
        """Go where the run is, by its rows as the record has them."""
        case = runtime.context
        async with case.kit.pool.connection() as conn:
            card = await approvals.latest(conn, case.id)
            if card is None:
                return Command(goto="collect" if self.workflow.fields else await self._stage(conn, case))
            found = await _found(conn, card)
            match found.approval.status:
                case ApprovalStatus.PENDING:
                    return Command(goto="approve", update={"approval": card})
                case ApprovalStatus.VOID:
                    return Command(goto=await self._stage(conn, case))
            if await audit.last(conn, case.id, (_STOPPED,), approval=card) is not None:
                return Command(goto="back", update={"approval": card})
            return Command(goto="step", update={"approval": card})

    async def _stage(self, conn: Connection, case: Case, told: Told = None) -> str:
        """Return the stage that a run has come to, by the record: the first one, until it says otherwise."""
        if told is None:
            moved = await audit.last(conn, case.id, (_MOVED,))
        else:
            moved = next((event for event in reversed(told) if event.kind == _MOVED), None)
        known = self.workflow.stages
        return next(iter(known)) if moved is None else str(moved.facts["stage"])

    async def collect(self, state: State, runtime: Runtime[Case]) -> Command[str]:
        """Look whether all is there; what is missing or does not fit is asked for."""
        case, fields = runtime.context, self.workflow.fields
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
            return Command(goto="wait", update={"form": row.submissions + 1})
        return Command(goto=next(iter(self.workflow.stages)))

    def stage(self, name: str) -> Any:
        """Make the node of a stage: it looks at the world, and asks for approval of just what it would do."""

        async def node(state: State, runtime: Runtime[Case]) -> Command[str]:
            case = runtime.context
            row = await case.recorded()
            run = RunContext(case, row.run)
            try:
                if self.workflow.stages[name].first:
                    self.workflow.require_allowed(run.asked)
                    await self._may_request(case, run)
                proposal = await self._look(case, run, name)
                return await _propose(case, row, proposal, self.workflow.fields)
            except Refused as refusal:
                return refuse(refusal)

        return node

    async def _look(self, case: Case, run: RunContext, name: str) -> Proposal:
        """Have a stage look at the world, and read what its plan rests on. Raises Refused."""
        if self.workflow.stages[name].first:
            self.workflow.require_allowed(run.asked)
        look: Stage = getattr(self.workflow, name)
        try:
            return await preparing.prepare(case, run, await look(run))
        except PlanInvalid as error:
            log.exception("The workflow %s planned what cannot be carried out", self.workflow.name)
            raise Refused("plan_invalid") from error

    async def _may_request(self, case: Case, run: RunContext) -> None:
        """Ask the policies whether this may be requested, and write down what they said. Raises Refused."""
        name = self.workflow.name
        resource: Resource = ("Workflow", name, {"name": name})
        parameters = self.workflow.parameters(run.asked)
        person = await run.requester(active=False)
        ruling = case.kit.policy.rule("request", person, resource, {"parameters": parameters})
        async with case.kit.pool.connection() as conn:
            await audit.append(
                conn, "run.checked", run=case.id, facts={"allowed": ruling.allowed, **ruling.facts}, detail={}
            )
        if INACTIVE in ruling.policies:
            raise Refused("person_inactive")
        require(ruling)
        async with case.writing() as conn:
            await cases.note(conn, case.id, "checked")
            if self.workflow.urgent:
                await alarms.sound(conn, case.kit.notifier, case.id, "asked", run.asked)

    async def step(self, state: State, runtime: Runtime[Case]) -> Command[str]:  # noqa: PLR0911  # its ways out
        """Carry out the next step of the approved plan and look whether it is so; when all are, end."""
        case, card = runtime.context, state["approval"]
        async with reading(case.kit.pool) as conn:
            row = await cases.load(conn, case.id, case.kit.titles)
            found = await _found(conn, card, case.id)
            stage = await self._stage(conn, case, found.told)
        approval = found.approval
        if approval.status is ApprovalStatus.VOID:
            return Command(goto=stage)
        if approval.status is not ApprovalStatus.APPROVED:
            return refuse(_no(approval))
        wanted = found.next
        if wanted is None:
            return await self._done(case, found)
        if not found.ledger.effects:
            await _begin(case, approval)
        try:
            effect = await self._carry_out(case, row, found, wanted, stage)
        except Changed as change:
            if not found.ledger.results:
                await _void(case, card, change)
                return Command(goto=stage)
            return await _stop(case, found, wanted, Refused(change.why.key, **_told(change)))
        except Withdrawn:
            return await _stop(case, found, wanted, Refused("taken_back"))
        except Refused as refusal:
            return await _stop(case, found, wanted, refusal)
        more = wanted is not approval.steps[-1]
        if not await is_there(case, effect, blind=True, show=more):
            system = effect.operation.partition(".")[0]
            return await _stop(case, found, wanted, Refused("read_back_failed", system=system))
        return Command(goto="step") if more else await self._done(case, found)

    async def _carry_out(
        self, case: Case, row: cases.Row, found: Found, wanted: PlanStep, stage: str
    ) -> Effect:
        approval, held = found.approval, await case.held(row, found.told)

        async def again() -> Proposal:
            return await self._look(case, RunContext(case, held.run), stage)

        async def now(step: PlanStep, sends: Mapping[str, Any]) -> Grounds:
            return await preparing.grounds(case.kit, approval, step, sends)

        async def ending(conn: Connection, effect: Effect) -> Mapping[str, Any] | None:
            return await _schedule_end(conn, held, effect, self.workflow) if effect.ends_at else None

        read = approval, found.ledger
        return await case.kit.gate.execute(
            held, approval.id, wanted.name, again=again, now=now, also=ending, read=read
        )

    async def _done(self, case: Case, found: Found) -> Command[str]:
        """End the run whose plan is carried out, or go on to the stage that follows."""
        approval = found.approval
        if approval.then in self.workflow.stages:
            async with case.writing() as conn:
                await cases.move(conn, case.id, RunStatus.CHECKING)
                await audit.append(
                    conn,
                    _MOVED,
                    run=case.id,
                    facts={"stage": approval.then, "approval": approval.id},
                    detail={},
                )
            return Command(goto=approval.then)
        async with case.writing() as conn:
            ledger = await recorded.ledger(conn, approval.id)
            until = max((one.ends_at for one in ledger.effects.values() if one.ends_at), default=None)
            facts = {
                **self.workflow.facts(approval, ledger.results),
                **({"until": until.isoformat()} if until else {}),
                **({} if approval.confirmed else {"by": approvals.names(approval)}),
            }
            await cases.note(conn, case.id, "confirmed")
            if self.workflow.urgent:
                await alarms.sound(conn, case.kit.notifier, case.id, "granted", facts)
        await end(case, RunStatus.DONE, None, facts, notice=approval.then or "granted")
        return Command(goto=END)

    async def back(self, state: State, runtime: Runtime[Case]) -> Command[str]:
        """Take back the latest of what was done of a plan that stopped, and come back; then end the run."""
        case, card, kept = runtime.context, state["approval"], state.get("kept", [])
        async with case.kit.pool.connection() as conn:
            found = await _found(conn, card)
            stopped = await audit.last(conn, case.id, (_STOPPED,), approval=card)
        assert stopped is not None
        wanted = _to_take_back(found, stopped.facts, kept)
        if wanted is None:
            async with case.writing() as conn:
                await unfinished.stopped(conn, case.kit.notifier, found.approval, found.ledger)
            facts = (stopped.detail or {}).get("facts", {})
            told = {**facts, **({"kept": str(len(kept))} if kept else {})}
            return refuse(Refused(str(stopped.facts["reason"]), **told))
        if not await _taken_back(case, card, wanted):
            kept = [*kept, wanted.name]
        return Command(goto="back", update={"kept": kept})

    async def end(self, state: State, runtime: Runtime[Case]) -> Command[str]:
        """End the run with the reason why nothing came of it."""
        refusal = state["refusal"]
        failed = refusal["key"] == "read_back_failed"
        status = RunStatus.FAILED if failed else RunStatus.REFUSED
        await end(runtime.context, status, refusal["key"], refusal["facts"])
        return Command(goto=END)


def wait(state: State) -> Command[str]:
    """Wait until the requester has filled in the form."""
    interrupt({"form": state["form"]})
    return Command(goto="collect")


def approve(state: State) -> Command[str]:
    """Wait for the decision, or for its time to be over."""
    interrupt({"approval": state["approval"]})
    return Command(goto="step")


async def _propose(case: Case, row: cases.Row, proposal: Proposal, fields: Sequence[Field]) -> Command[str]:
    """Ask for approval of a plan, if enough people could give it. Raises Refused."""
    async with case.kit.pool.connection() as conn:
        level = await authority.level(conn, [one.step.operation for one in proposal.steps])
        edit, lent = await edits.narrowed(conn, case.id)
    people = await rights.read(case.kit.directory, _concerned(row.run, proposal, edit, lent))
    if not proposal.confirmed:
        await quorum.require(
            case.kit.directory,
            case.kit.policy,
            views.proposed(proposal, row.run, people, level=level),
            groups=proposal.approvers.values(),
            quorum=proposal.quorum,
        )
    author = people.get(edit.author.subject) if edit else None
    async with case.writing() as conn:
        card = await approvals.propose(conn, row.run, proposal, version=row.version, level=level)
        approval = await approvals.load(conn, card)
        assert approval is not None
        if approval.confirmed:
            _require_confirmable(case.kit.policy, approval, people)
        await _ask_for(conn, case, approval)
        if edit and author and not approval.confirmed and edits.carries(edit, approval, fields):
            held = rights.held(author, lent, people)
            await votes.cast(case.kit, conn, approval, Verdict.APPROVE, held=held, people=people)
    return Command(goto="approve", update={"approval": card})


def _require_confirmable(policy: Policy, approval: Approval, people: People) -> None:
    """Return if the policies let whoever asked confirm it alone. Raises Refused, which undoes the asking."""
    ruling = views.decides(policy, people.get(approval.requester.subject), approval, people, {})
    for name, key in ((NOT_PERMITTED, "confirm_not_permitted"), (NOT_ALONE, "confirm_not_alone")):
        if name in ruling.policies:
            raise Refused(key)
    require(ruling)


def _concerned(run: Run, proposal: Proposal, edit: Edit | None, lent: Sequence[Delegation]) -> Iterator[str]:
    """Yield the subjects of everybody on whom it depends who may decide on what is proposed."""
    gets = (proposal.beneficiary,) if isinstance(proposal.beneficiary, Actor) else ()
    for actor in (run.requester, *gets, *run.authors, *([edit.author] if edit else ())):
        yield actor.subject
    yield from (delegation.holder.subject for delegation in lent)


async def _ask_for(conn: Connection, case: Case, approval: Approval) -> None:
    notifier = case.kit.notifier
    alone = {"confirmed": "yes"} if approval.confirmed else {}
    await cases.move(conn, case.id, RunStatus.WAITING, facts=alone)
    key, mark = "to_confirm" if approval.confirmed else "planned", f"planned {approval.id}"
    await cases.note(conn, case.id, key, mark=mark, approvers=", ".join(approval.approvers))
    escalates_at = approval.escalation.at if approval.escalation is not None else None
    for due_at in (approval.remind_at, escalates_at, approval.decide_by):
        if due_at is not None:
            await cases.wake(conn, case.id, due_at)
    await notifier.card(conn, approval.id)
    if approval.replaced:
        why = approval.replaced
        await notifier.tell(
            conn, case.id, Notice(key=f"{why.key}:{approval.id}", facts={**why.facts, **alone})
        )
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
            **({"confirmed": True} if approval.confirmed else {}),
            "policy": case.kit.policy.hash,
        },
        detail={"approvers": list(approval.approvers), "card": card},
        house={"clause": clause},
    )


def _no(approval: Approval) -> Refused:
    if approval.denial is not None:
        return Refused("denied", by=approval.denial.by.name, reason=approval.denial.reason or "")
    return Refused("expired")


async def _begin(case: Case, approval: Approval) -> None:
    """Say that an approved plan is now carried out."""
    async with case.writing() as conn:
        await cases.move(conn, case.id, RunStatus.EXECUTING)
        mark = f"approved {approval.id}"
        key = "said_so" if approval.confirmed else "approved"
        await cases.note(conn, case.id, key, mark=mark, by=approvals.names(approval))
        await case.kit.notifier.progress(conn, case.id)


async def _void(case: Case, card: str, change: Changed) -> None:
    """Let an approval under which nothing has begun count no more: the stage asks again."""
    async with case.writing() as conn:
        if await approvals.void(conn, card, change.why):
            await case.kit.notifier.card(conn, card)
            await audit.append(
                conn,
                "approval.void",
                run=case.id,
                facts={"approval": card, "reason": change.why.key},
                detail={
                    "differences": {one.name: f"{one.before} -> {one.after}" for one in change.differences},
                    "facts": dict(change.why.facts),
                },
            )


def _told(change: Changed) -> dict[str, str]:
    return {**change.why.facts, "changed": "\n".join(one.name for one in change.differences)}


async def _stop(case: Case, found: Found, step: PlanStep, refusal: Refused) -> Command[str]:
    """Stop a plan at a step. What was done before its pivot is taken back; past it, it is tried again.

    Where nothing was done there is nothing to take back. Raises HeldUp.
    """
    if is_past_pivot(found.approval, found.ledger) and refusal.key != "taken_back":
        await _hold(case, found.approval, step, refusal)
        raise HeldUp(refusal.key)
    async with case.writing() as conn:
        done = (await recorded.ledger(conn, found.approval.id)).results
        if not done or (len(found.approval.steps) == 1 and refusal.key == "read_back_failed"):
            return refuse(refusal)
        await audit.append(
            conn,
            _STOPPED,
            run=case.id,
            facts={"approval": found.approval.id, "step": step.name, "reason": refusal.key},
            detail={"facts": dict(refusal.facts)},
        )
    return Command(goto="back", update={"approval": found.approval.id})


async def _hold(case: Case, approval: Approval, step: PlanStep, refusal: Refused) -> None:
    """Write down, once for each reason, what holds up a plan that can only go forward."""
    facts = {"approval": approval.id, "step": step.name, "reason": refusal.key}
    async with case.writing() as conn:
        known = await audit.last(conn, case.id, (_HELD_UP,), approval=approval.id)
        if known is None or known.facts != facts:
            await audit.append(
                conn, _HELD_UP, run=case.id, facts=facts, detail={"facts": dict(refusal.facts)}
            )


def _to_take_back(found: Found, stopped: Mapping[str, Any], kept: Sequence[str]) -> PlanStep | None:
    """Return the latest step that stands and is not to stay; one that nobody could see done is left alone."""
    unseen = stopped["step"] if stopped["reason"] == "read_back_failed" else ""
    for step in reversed(found.approval.steps):
        stands = found.ledger.state(step.name) == "done"
        gone = found.ledger.state(step.name, "undo") in {"done", "failed"}
        if stands and not gone and step.undo != "leave" and step.name not in {*kept, unseen}:
            return step
    return None


async def _taken_back(case: Case, card: str, step: PlanStep) -> bool:
    """Undo one step and look whether it is gone. False when it cannot be, so that it stays."""
    try:
        undone = await case.kit.gate.reverse(await case.held(), card, step.name)
    except Refused:
        gone = False
    else:
        gone = not await is_there(case, undone, blind=False)
    key = "undone" if gone else "kept"
    async with case.writing() as conn:
        facts = {"operation": step.operation, "step": step.name}
        await cases.note(conn, case.id, key, mark=f"{key} {card} {step.name}", **facts)
        await case.kit.notifier.progress(conn, case.id)
        if gone:
            await cases.call_off_end(conn, card, step.name)
    return gone


async def is_there(case: Case, effect: Effect, *, blind: bool, show: bool = False) -> bool:
    """Say whether the outside system has what an effect did, and record it; `blind` where none can see.

    What was undone had been seen to be gone by the operation itself, so it is there only if it is seen.
    `show`: the run's message is drawn again, in the transaction that records it.
    """
    operation = case.kit.registry.operation(effect.operation)
    if operation.repeat == "blind":
        await _record(case, effect, "not_visible", None, show=show)
        return blind
    if effect.act == "undo":
        done = await _done(case, effect)
        seen = await operation.sight(parse(operation, effect.payload), done.key, _left(operation, done))
        await _record(case, effect, _UNDONE[seen], None)
        return seen is Sight.THERE
    found = await operation.find(parse(operation, effect.payload), effect.key)
    await _record(case, effect, "differs" if found is None else "matches", found, show=show)
    return found is not None


_UNDONE = {Sight.GONE: "matches", Sight.THERE: "differs", Sight.NOT_SEEN: "not_visible"}


async def _done(case: Case, undone: Effect) -> Effect:
    """Return the effect that was undone."""
    async with case.kit.pool.connection() as conn:
        done = await effects.find(conn, undone.approval, undone.step, "apply")
    assert done is not None
    return done


def _left(operation: Operation[Any, Any], done: Effect) -> Result | None:
    """Return what an effect has left behind."""
    return operation.result.model_validate(done.result) if done.result else None


async def _record(
    case: Case, effect: Effect, status: str, found: Result | None, *, show: bool = False
) -> None:
    """Write down what was seen when an effect was looked at again."""
    facts = {
        "effect": effect.id,
        "approval": effect.approval,
        "step": effect.step,
        "act": effect.act,
        "status": status,
    }
    detail = {
        "operation": effect.operation,
        "payload": dict(effect.payload),
        "found": found.model_dump(mode="json") if found is not None else None,
    }
    async with case.writing() as conn:
        if show:
            await case.kit.notifier.progress(conn, case.id)
        await audit.append(conn, "effect.read_back", run=case.id, facts=facts, detail=detail)


async def _schedule_end(
    conn: Connection, held: Held, effect: Effect, workflow: Workflow[Any]
) -> Mapping[str, Any]:
    """Make the end of what was given for a time a run of its own, and return it for the effect's record."""
    assert effect.ends_at is not None
    name, version = workflow.ending
    values = workflow.end_values(held.run, effect)
    run, _ = await cases.create(
        conn,
        key=cases.end_key(effect.id),
        workflow=name,
        version=version,
        requester=held.run.requester,
        origin=held.run.origin,
        values=values,
        due_at=effect.ends_at,
        urgent=workflow.urgent,
    )
    until = effect.ends_at.isoformat()
    await cases.note(conn, held.run.id, "granted", mark=f"granted {effect.id}", until=until)
    return {
        "run": run,
        "workflow": name,
        "version": version,
        "requester": asdict(held.run.requester),
        "origin": dict(held.run.origin),
        "values": dict(values),
    }


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
