"""An approval, and what is to become one, as the policies see it.

Groups are given by the directory's ids. People are given by every name that they had when the record was
written, and that they have now: accounts that are linked later are one human all the same.
"""

from collections.abc import Iterable, Mapping

from connectors.directory import Person
from graphs.approvals import Proposal
from graphs.policy.engine import Context, Resource
from graphs.records import Actor, Approval, Run

People = Mapping[str, Person | None]  # by subject, as the directory has them now; None has left


def names(actor: Actor, people: People) -> list[str]:
    """Return every name under which somebody may be the same human as another account, then or now."""
    now = people.get(actor.subject)
    return sorted({*actor.identities, *([now.human] if now else [])})


def approval(approval: Approval, people: People) -> Resource:
    """Return an approval, whose `people` have been read for this."""
    return _resource(
        approval.id,
        workflow=approval.workflow,
        operation=approval.operation,
        requester=approval.requester,
        beneficiary=approval.beneficiary,
        authors=approval.authors,
        approvers=approval.approvers.values(),
        quorum=approval.quorum,
        escalation=approval.escalation.groups.values() if approval.escalation else (),
        people=people,
    )


def context(approval: Approval, *, level: int | None = None) -> Context:
    """Return what the policies are told besides; `level` is that of the card where none is given.

    Whose right is used, and whether it is late, is told by `rights.circumstances`.
    """
    parameters = {**approval.terms, **approval.sends}
    level = approval.level if level is None else level
    return {"parameters": parameters, "level": level, "escalated": False}


def proposed(proposal: Proposal, run: Run, people: People, *, level: int) -> tuple[Resource, Context]:
    """Return what would become an approval, and what the policies would be told."""
    resource = _resource(
        "",
        workflow=run.workflow,
        operation=proposal.operation,
        requester=run.requester,
        beneficiary=proposal.beneficiary,
        authors=run.authors,
        approvers=proposal.approvers.values(),
        quorum=proposal.quorum,
        escalation=proposal.escalation.values(),
        people=people,
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
    people: People,
) -> Resource:
    return (
        "Approval",
        card,
        {
            "workflow": workflow,
            "operation": operation,
            "requester": names(requester, people),
            "beneficiary": names(beneficiary, people),
            "authors": [name for author in authors for name in names(author, people)],
            "approvers": list(approvers),
            "quorum": quorum,
            "escalation": list(escalation),
        },
    )
