"""An approval, and what is to become one, as the policies see it.

Groups are given by the directory's ids. People are given by every name that they had when the record was
written, and that they have now: accounts that are linked later are one human all the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connectors.directory import Person
from graphs.plans import Proposal
from graphs.policy.engine import Context, Policy, Resource, Ruling
from graphs.records import Actor, Approval, Party, PlanStep, Run

Asked = tuple[Resource, Context]
People = Mapping[str, Person | None]  # by subject, as the directory has them now; None has left


def names(actor: Actor, people: People) -> list[str]:
    """Return every name under which somebody may be the same human as another account, then or now."""
    now = people.get(actor.subject)
    return sorted({*actor.identities, *([now.human] if now else [])})


def _of(approval: Approval, people: People, *, operation: str = "") -> Resource:
    """Return an approval as the resource of one of its operations, by default of the first."""
    return _resource(
        approval.id,
        workflow=approval.workflow,
        operation=operation or approval.steps[0].operation,
        requester=approval.requester,
        beneficiary=approval.beneficiary,
        authors=approval.authors,
        approvers=approval.approvers.values(),
        quorum=approval.quorum,
        escalation=approval.escalation.groups.values() if approval.escalation else (),
        confirmed=approval.confirmed,
        people=people,
    )


def approval(approval: Approval, people: People) -> Resource:
    """Return an approval, whose `people` have been read for this."""
    return _of(approval, people)


def steps(
    approval: Approval, people: People, told: Context | None = None, *, level: int | None = None
) -> list[Asked]:
    """Return what is asked of the policies about a plan: each step, and what they are told of it.

    `told` holds for all steps: whose right is used and whether it is late, see `rights.circumstances`.
    `level` is that of the card where none is given.
    """
    level = approval.level if level is None else level
    return [
        (
            _of(approval, people, operation=step.operation),
            {**_context(step, approval.steps, level=level), **(told or {})},
        )
        for step in approval.steps
    ]


def decides(
    policy: Policy, person: Person | None, approval: Approval, people: People, told: Context
) -> Ruling:
    """Say whether somebody may approve a plan or, where its requester confirms it alone, confirm it.

    `told` is as in `steps`; what is confirmed alone is confirmed by nobody's right but one's own.
    """
    if not approval.confirmed:
        return policy.rule_all("approve", person, steps(approval, people, told))
    alone = {
        "outside": isinstance(approval.beneficiary, Party),
        "permitted": approval.workflow in policy.confirmable,
    }
    asked = []
    for one, (resource, context) in zip(approval.steps, steps(approval, people), strict=True):
        known = {name: value for name, value in context.items() if name != "escalated"}
        asked.append((resource, {**known, **alone, "reversible": one.reversible}))
    return policy.rule_all("confirm", person, asked)


def step(approval: Approval, people: People, of: PlanStep, told: Context, *, level: int) -> Asked:
    """Return what is asked about one step that is about to be carried out."""
    resource = _of(approval, people, operation=of.operation)
    return resource, {**_context(of, approval.steps, level=level), **told}


def proposed(proposal: Proposal, run: Run, people: People, *, level: int) -> list[Asked]:
    """Return what would be asked about what is to become an approval."""
    planned = [
        PlanStep(
            name=one.step.name,
            operation=one.step.operation,
            sends=one.step.payload.model_dump(mode="json"),
            lasts=None if one.step.lasts is None else int(one.step.lasts.total_seconds()),
            effect=one.effect,
            scope=one.scope,
        )
        for one in proposal.steps
    ]
    return [
        (
            _resource(
                "",
                workflow=run.workflow,
                operation=one.operation,
                requester=run.requester,
                beneficiary=proposal.beneficiary,
                authors=run.authors,
                approvers=proposal.approvers.values(),
                quorum=proposal.quorum,
                escalation=proposal.escalation.values(),
                confirmed=proposal.confirmed,
                people=people,
            ),
            _context(one, planned, level=level),
        )
        for one in planned
    ]


def _context(of: PlanStep, plan: Sequence[PlanStep], *, level: int) -> dict[str, Any]:
    """Return what the policies are told of a step."""
    told = {
        "parameters": of.sends,
        "effect": of.effect,
        "scope": of.scope,
        "plan": {"operations": sorted({one.operation for one in plan}), "steps": len(plan)},
        "level": level,
        "escalated": False,
    }
    return told if of.lasts is None else {**told, "lasts": of.lasts}


def _resource(
    card: str,
    *,
    workflow: str,
    operation: str,
    requester: Actor,
    beneficiary: Actor | Party | None,
    authors: Iterable[Actor],
    approvers: Iterable[str],
    quorum: int,
    escalation: Iterable[str],
    confirmed: bool,
    people: People,
) -> Resource:
    return (
        "Approval",
        card,
        {
            "workflow": workflow,
            "operation": operation,
            "requester": names(requester, people),
            "beneficiary": names(beneficiary, people) if isinstance(beneficiary, Actor) else [],
            "authors": [name for author in authors for name in names(author, people)],
            "approvers": list(approvers),
            "quorum": quorum,
            "escalation": list(escalation),
            "confirmed": confirmed,
        },
    )
