"""An approval, and what is to become one, as the policies see it."""

from collections.abc import Iterable

from graphs.approvals import Proposal
from graphs.policy.engine import Context, Resource
from graphs.records import Actor, Approval, Run


def approval(approval: Approval) -> Resource:
    """Return an approval."""
    return _resource(
        approval.id,
        workflow=approval.workflow,
        operation=approval.operation,
        requester=approval.requester,
        beneficiary=approval.beneficiary,
        authors=approval.authors,
        approvers=approval.approvers,
        quorum=approval.quorum,
        escalation=approval.escalation.groups if approval.escalation else (),
    )


def context(approval: Approval, *, level: int | None = None) -> Context:
    """Return what the policies are told besides; `level` is that of the card where none is given.

    Whose right is used, and whether it is late, is told by `rights.circumstances`.
    """
    parameters = {**approval.terms, **approval.sends}
    level = approval.level if level is None else level
    return {"parameters": parameters, "level": level, "escalated": False}


def proposed(proposal: Proposal, run: Run, *, level: int) -> tuple[Resource, Context]:
    """Return what would become an approval, and what the policies would be told."""
    resource = _resource(
        "",
        workflow=run.workflow,
        operation=proposal.operation,
        requester=run.requester,
        beneficiary=proposal.beneficiary,
        authors=run.authors,
        approvers=proposal.approvers,
        quorum=proposal.quorum,
        escalation=proposal.escalation,
    )
    parameters = {**proposal.terms, **proposal.payload.model_dump(mode="json")}
    return resource, {"parameters": parameters, "level": level, "escalated": False}


def _resource(
    card: str,
    *,
    workflow: str,
    operation: str,
    requester: Actor,
    beneficiary: Actor,
    authors: Iterable[Actor],
    approvers: Iterable[str],
    quorum: int,
    escalation: Iterable[str],
) -> Resource:
    return (
        "Approval",
        card,
        {
            "workflow": workflow,
            "operation": operation,
            "requester": requester.identities,
            "beneficiary": beneficiary.identities,
            "authors": [name for author in authors for name in author.identities],
            "approvers": list(approvers),
            "quorum": quorum,
            "escalation": list(escalation),
        },
    )
