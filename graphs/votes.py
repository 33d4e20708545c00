"""Taking one person's word on an approval: the policies are asked, and the vote counts once."""

from collections.abc import Sequence
from dataclasses import asdict

from connectors.directory import Person
from graphs import approvals, audit, rights
from graphs.kit import Kit
from graphs.policy import views
from graphs.policy.engine import AUTHORS, INACTIVE, OWN, THROUGH, Ruling
from graphs.policy.views import People
from graphs.ports import Connection
from graphs.records import Answered, Approval, ApprovalStatus, Verdict
from graphs.rights import Right


async def cast(
    kit: Kit,
    conn: Connection,
    approval: Approval,
    verdict: Verdict,
    *,
    held: Sequence[Right],
    people: People,
    reason: str | None = None,
) -> Answered:
    """Count a vote in the caller's transaction, if this person may decide. Only RECORDED changed anything.

    `held` are the rights that they have, their own first; `people` those whom the approval concerns.
    """
    by = held[0].by
    card, actor = approval.id, approvals.actor(by)
    now = await kit.clock.now(conn)
    right, ruling = await rights.choose(conn, kit.policy, approval, held, people, at=now)
    holder = approvals.actor(right.stands_for) if right.stands_for else None
    if not (ruling.allowed and approval.intact):
        return await refuse(conn, approval, ruling, by, verdict.value)
    if approval.status is not ApprovalStatus.PENDING:
        return answer(approval)
    if verdict is Verdict.DENY and not (reason or "").strip():
        return Answered.REASON_MISSING
    if _has_voted(approval, right, people):
        return Answered.ALREADY_VOTED
    if not await approvals.vote(conn, card, verdict, by=actor, reason=reason, stands_for=holder):
        return await too_late(kit, conn, card)
    counted = await approvals.load(conn, card)
    assert counted is not None
    decided = counted.status is not ApprovalStatus.PENDING
    if decided:
        await kit.queue.advance(conn, approval.run)
    await kit.notifier.card(conn, card)
    await audit.append(
        conn,
        "approval.decided" if decided else "approval.voted",
        run=approval.run,
        facts={
            "approval": card,
            "digest": approval.digest,
            "verdict": verdict.value,
            "assents": len(counted.assents),
            "quorum": counted.quorum,
            **({"confirmed": True} if counted.confirmed else {}),
            **ruling.facts,
        },
        detail={
            "by": asdict(actor),
            "reason": reason or "",
            **({"stands_for": asdict(holder)} if holder else {}),
        },
    )
    return Answered.RECORDED


def _has_voted(approval: Approval, right: Right, people: People) -> bool:
    """Whether the human who decides, or whose right it is, has voted under whatever account."""
    voted = {name for vote in approval.votes for name in views.names(vote.by, people)}
    held = {name for vote in approval.votes for name in views.names(vote.stands_for or vote.by, people)}
    return right.by.human in voted or right.holder.human in held


async def refuse(conn: Connection, approval: Approval, ruling: Ruling, by: Person, wanted: str) -> Answered:
    """Write down that somebody clicked who may not, and say why as precisely as the policies do."""
    await audit.append(
        conn,
        "approval.refused_click",
        run=approval.run,
        facts={"approval": approval.id, "intact": approval.intact, **ruling.facts},
        detail={"by": asdict(approvals.actor(by)), "verdict": wanted},
    )
    if not approval.intact:
        return Answered.DAMAGED
    if ruling.fault:
        return Answered.NOT_CHECKED
    for policy, answer in _REFUSALS.items():
        if policy in ruling.policies:
            return answer
    if ruling.policies:
        return Answered.FORBIDDEN
    return Answered.NOT_YOURS if approval.confirmed else Answered.NOT_ALLOWED


async def too_late(kit: Kit, conn: Connection, card: str) -> Answered:
    """Say why a click changed nothing that would have been allowed."""
    approval = await approvals.load(conn, card)
    assert approval is not None
    if approval.status is ApprovalStatus.PENDING:
        if await approvals.is_open(conn, card):
            return Answered.DAMAGED if approval.foreign_votes else Answered.ALREADY_VOTED
        await kit.queue.advance(conn, approval.run)  # nobody has looked since its time was over
        return Answered.EXPIRED
    return answer(approval)


def answer(approval: Approval) -> Answered:
    """Say why an approval that is no longer pending cannot be decided."""
    if approval.void is not None and approval.void.key == "withdrawn":
        return Answered.WITHDRAWN
    return _ANSWERS[approval.status]


_ANSWERS = {
    ApprovalStatus.APPROVED: Answered.ALREADY_DECIDED,
    ApprovalStatus.DENIED: Answered.ALREADY_DECIDED,
    ApprovalStatus.EXPIRED: Answered.EXPIRED,
    ApprovalStatus.VOID: Answered.REPLACED,
}
_REFUSALS = {
    INACTIVE: Answered.NOT_ACTIVE,
    OWN: Answered.OWN_REQUEST,
    AUTHORS: Answered.OWN_CHANGE,
    THROUGH: Answered.FOR_REQUESTER,
}
