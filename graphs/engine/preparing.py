"""From a plan to what people are asked about: everything that it rests on is read, and nothing written."""

from collections.abc import Mapping
from typing import Any

from connectors.base import parse
from connectors.errors import NotFound
from connectors.references import refs
from graphs.admission import Grounds, Refused
from graphs.engine.workflow import RunContext
from graphs.groups import GroupUnclear
from graphs.kit import Case, Kit
from graphs.plans import Approvers, Plan, Proposal, Proposed, Requester, Step
from graphs.ports import ClauseMissing, ClauseUnreadable
from graphs.records import Actor, Approval, Clause, Party, PlanStep


async def prepare(case: Case, run: RunContext, plan: Plan) -> Proposal:
    """Return the plan with what was read. Raises Refused, PlanInvalid and the connectors' errors."""
    kit = case.kit
    plan.require_sound(kit.registry)
    alone = isinstance(plan.approvers, Requester)
    approvers = Approvers(groups=()) if isinstance(plan.approvers, Requester) else plan.approvers
    ids = await run.group_ids(*approvers.groups, *approvers.later)
    steps: list[Proposed] = []
    for step in plan.steps:
        steps.append(await _proposed(kit, run, step, [one.change.target for one in steps if one.change]))
    if not any(one.change is None or one.change.needed for one in steps):
        raise Refused("nothing_to_do")
    who = plan.beneficiary
    return Proposal(
        steps=tuple(steps),
        clause=await clause(kit, *plan.clause),
        beneficiary=who if who is None or isinstance(who, Party) else _actor(who),
        approvers={name: ids[name] for name in approvers.groups},
        quorum=approvers.quorum,
        lines=plan.lines,
        reason=plan.reason,
        deadlines=plan.deadlines,
        then=plan.then,
        escalation={name: ids[name] for name in approvers.later},
        confirmed=alone,
    )


async def _proposed(kit: Kit, run: RunContext, step: Step, targets: list[str]) -> Proposed:
    """Look at one step. What rests on an earlier one, or changes what that one changes, is not held to."""
    operation = kit.registry.operation(step.operation)
    waits = any(refs(step.payload.model_dump(mode="json")))
    try:
        change = None if waits else await run.preview(step)
    except NotFound as error:
        raise Refused("not_found", system=step.operation.partition(".")[0]) from error
    if change is not None and change.target in targets:
        change = change.model_copy(update={"basis": ()})
    return Proposed(
        step=step,
        change=change,
        effect=operation.effect,
        scope=operation.scope,
        reversible=operation.reversible,
    )


def _actor(person: Any) -> Actor:
    return Actor(subject=person.subject, name=person.name, email=person.email, human=person.human)


async def clause(kit: Kit, document: str, anchor: str) -> Clause:
    """Return the section that governs something. Raises Refused."""
    try:
        return await kit.evidence.clause(document, anchor)
    except ClauseUnreadable as error:
        raise Refused("clause_unreadable") from error
    except ClauseMissing as error:
        raise Refused("clause_missing") from error


async def grounds(kit: Kit, approval: Approval, step: PlanStep, sends: Mapping[str, Any]) -> Grounds:
    """Read anew what an approved step rests on. Raises Refused and the connectors' errors."""
    later = approval.escalation.groups if approval.escalation else {}
    try:
        ids = await kit.groups.ids([*approval.approvers, *later])
    except GroupUnclear as error:
        raise Refused(error.key, group=error.name) from error
    operation = kit.registry.operation(step.operation)
    basis = dict((await operation.preview(parse(operation, sends))).basis) if step.basis else None
    return Grounds(
        clause=(await clause(kit, approval.clause.document, approval.clause.anchor)).hash,
        approvers={name: ids[name] for name in approval.approvers},
        escalation={name: ids[name] for name in later},
        basis=basis,
    )
