"""What must still hold when an approved action is about to be carried out or taken back.

Everything is read anew: the approval and its window, the people, the policy, the authority level, and the
action as it would be now. Nothing here acts; the gate does, in the transaction that was opened here.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg_pool import AsyncConnectionPool

from connectors.directory import Directory
from graphs import approvals, audit, digests, rights
from graphs.approvals import Proposal
from graphs.effects import Held
from graphs.policy import views
from graphs.policy.engine import Context, Policy, Ruling
from graphs.policy.views import People
from graphs.ports import Connection
from graphs.records import Approval, ApprovalStatus, Difference, Verdict, Void
from graphs.rights import Right

_OTHERWISE = Void(key="changed")


class Refused(Exception):
    """The gate did not let the action through. `key` names the reason for `bot` to put into words."""

    def __init__(self, key: str, **facts: str) -> None:
        super().__init__(key)
        self.key = key
        self.facts: Mapping[str, str] = facts


class Changed(Exception):
    """What was approved is no longer what would be done, or no longer approved: a new card has to ask.

    `differences` is what has changed about the action, `why` the reason for people.
    """

    def __init__(self, differences: tuple[Difference, ...] = (), *, why: Void = _OTHERWISE) -> None:
        super().__init__(", ".join(one.name for one in differences) or why.key)
        self.differences = differences
        self.why = why


@dataclass(frozen=True, kw_only=True, slots=True)
class Admission:
    """Lets an approved action through to the gate's call, or says why not."""

    pool: AsyncConnectionPool[Connection]
    policy: Policy
    directory: Directory

    @asynccontextmanager
    async def checked(
        self, held: Held, decided: Approval, proposal: Proposal | None
    ) -> AsyncIterator[tuple[Connection, Approval, Ruling]]:
        """Open the transaction in which everything still holds. A refusal is written to the audit.

        `decided` says who has to be read anew; everything else of it is. Without a proposal the action is not
        compared with what was approved. Raises Refused or Changed.
        """
        people = await rights.read(self.directory, rights.concerned(decided))
        try:
            async with self.pool.connection() as conn:
                approval, ruling = await self._admit(conn, held, decided.id, proposal, people)
                yield conn, approval, ruling
        except Refused as refusal:
            await self.refuse(held, decided.id, refusal)
            raise

    async def reversal(self, conn: Connection, approval: str) -> tuple[Approval, Ruling]:
        """Return what was approved, and the ruling under which it is taken back. Raises Refused."""
        record = await approvals.asked(conn, approval)
        if record is None:
            raise Refused("not_approved")
        ruling = self.policy.rule("revert", None, views.approval(record, {}))
        require(ruling)
        return record, ruling

    async def refuse(self, held: Held, card: str, refusal: Refused) -> None:
        """Write to the audit that the action was not let through."""
        async with self.pool.connection() as conn:
            await audit.append(
                conn,
                "effect.refused",
                run=held.run.id,
                facts={
                    "approval": card,
                    "reason": refusal.key,
                    "policies": refusal.facts.get("policies", ""),
                    "policy": self.policy.hash,
                    "fault": refusal.facts.get("fault", ""),
                },
                detail={"facts": dict(refusal.facts)},
            )

    async def _admit(
        self,
        conn: Connection,
        held: Held,
        card: str,
        proposal: Proposal | None,
        people: People,
    ) -> tuple[Approval, Ruling]:
        standing = await approvals.stand(conn, card)
        if standing is None:
            raise Refused("not_approved")
        approval = standing.approval
        if approval.status is ApprovalStatus.VOID:  # by this very run, which was then interrupted
            raise Changed(why=approval.void or _OTHERWISE)
        if approval.status is not ApprovalStatus.APPROVED or approval.run != held.run.id:
            raise Refused("not_approved")
        requester = people.get(approval.requester.subject)
        if requester is None:
            raise Refused("person_inactive", gone="yes")
        await _require_recorded(conn, approval)
        if standing.now > _execute_by(approval):
            raise Refused("window_passed")
        entitled = await self._entitled(conn, approval, people)
        context = {
            **views.context(approval, level=int(standing.level)),
            "requester_active": requester.active,
        }
        resource = views.approval(approval, people)
        rulings = [
            self.policy.rule("execute", right.by, resource, {**context, **told}) for right, told in entitled
        ]
        for ruling in rulings:
            require(ruling)
        if proposal is None:
            return approval, rulings[0]
        now = proposal.action(
            held.run, version=held.version, level=standing.level, decide_by=approval.decide_by
        )
        if not approval.intact or digests.digest(standing.tenant, now) != approval.digest:
            raise Changed(digests.differences(standing.action, now))
        return approval, rulings[0]

    async def _entitled(
        self, conn: Connection, approval: Approval, people: People
    ) -> Sequence[tuple[Right, Context]]:
        """Return the rights that still count, with how they were used. Raises Changed without a quorum."""
        entitled: list[tuple[Right, Context]] = []
        lost = []
        asked, context = views.approval(approval, people), views.context(approval)
        for vote, right in rights.used(approval.assents, people):
            told = None if right is None else await rights.circumstances(conn, approval, right, at=vote.at)
            if right is None or told is None:
                lost.append(vote.by.name)
                continue
            ruling = self.policy.rule("approve", right.by, asked, {**context, **told})
            if ruling.fault:
                require(ruling)  # nobody has lost anything: the rules could not be asked
            if ruling.allowed:
                entitled.append((right, told))
            else:
                lost.append(vote.by.name)
        humans = {right.by.human for right, _ in entitled}, {right.holder.human for right, _ in entitled}
        if min(map(len, humans)) < approval.quorum:
            raise Changed(why=Void(key="voter_lost", facts={"by": ", ".join(lost)}))
        return entitled


def require(ruling: Ruling) -> None:
    """Raise Refused where the policies refuse, or could not be asked."""
    if not ruling.allowed:
        raise Refused("rules_not_checked" if ruling.fault else "not_authorised", **ruling.facts)


async def approval_of(conn: Connection, card: str) -> Approval:
    """Return the approval of a card. Raises Refused where there is none."""
    approval = await approvals.load(conn, card)
    if approval is None:
        raise Refused("not_approved")
    return approval


async def _require_recorded(conn: Connection, approval: Approval) -> None:
    """Return if the last that the record tells of an approval is that people approved exactly this.

    The rows of approvals and votes alone let nothing through. Raises Refused.
    """
    try:
        said = await audit.last(conn, approval.run, _SAID, approval=approval.id)
    except (audit.ChainBroken, audit.Locked) as error:
        raise Refused("record_changed") from error
    if said is None or (said.kind, said.outcome) != ("approval.decided", Verdict.APPROVE.value):
        raise Refused("record_changed")
    if said.detail is None or said.detail.get("digest") != approval.digest:
        raise Refused("record_changed")


_SAID = ("approval.decided", "approval.expired", "approval.void")


def _execute_by(approval: Approval) -> datetime:
    assert approval.decided_at is not None
    return approval.decided_at + timedelta(seconds=approval.execute_within)
