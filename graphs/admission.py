"""What must still hold when a step of an approved plan is about to be carried out or taken back.

Everything is read anew: the approval and its window, the people, the policy, the authority level, and what
the step rests on. Nothing here acts; the gate does, in the transaction that was opened here.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from psycopg_pool import AsyncConnectionPool

from connectors.directory import Directory
from graphs import approvals, audit, digests, rights
from graphs.approvals import Standing
from graphs.effects import Held
from graphs.plans import Proposal, comparable
from graphs.policy import views
from graphs.policy.engine import Context, Policy, Ruling
from graphs.policy.views import People
from graphs.ports import Connection
from graphs.recorded import Told
from graphs.records import Approval, ApprovalStatus, Difference, PlanStep, Verdict, Void
from graphs.rights import Right

_OTHERWISE = Void(key="changed")
FINISH_WITHIN = timedelta(hours=24)  # from the decision: a plan that has begun is carried on so long


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
class Grounds:
    """What an approved step rests on, as it was read just now: parts of the approved action, by their names.

    `basis` is None where it rests on what an earlier step of the plan has changed itself.
    """

    clause: str
    approvers: Mapping[str, str]
    escalation: Mapping[str, str]
    basis: Mapping[str, str] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Admission:
    """Lets a step of an approved plan through to the gate's call, or says why not."""

    pool: AsyncConnectionPool[Connection]
    policy: Policy
    directory: Directory

    @asynccontextmanager
    async def checked(
        self,
        held: Held,
        decided: Approval,
        step: PlanStep,
        sends: Mapping[str, Any],
        now: Proposal | Grounds | None,
        *,
        begun: bool,
        forward: bool,
    ) -> AsyncIterator[tuple[Connection, Approval, Ruling]]:
        """Open the transaction in which everything still holds. A refusal is written to the audit.

        `decided` says who has to be read anew; everything else of it is. `sends` is what the step sends, with
        what earlier steps left behind. `now` is what is compared with what
        was approved: all of the plan before it begins, later what the step rests on; None: nothing. `begun`:
        an earlier step is done. `forward`: the plan is past its pivot, and goes on whatever has changed.
        Raises Refused or Changed.
        """
        people = await rights.read(self.directory, rights.concerned(decided))
        try:
            async with self.pool.connection() as conn:
                standing = await _standing(conn, decided.id)
                _require_approved(held, standing.approval, step)
                resolved = replace(step, sends=sends)
                ruling = await self._admit(conn, standing, resolved, people, begun=begun, forward=forward)
                if now is not None and not forward:
                    _compare(held, standing, step, now)
                yield conn, standing.approval, ruling
        except Refused as refusal:
            await self.refuse(held, decided.id, refusal)
            raise

    async def reversal(self, conn: Connection, approval: str, step: str) -> tuple[Approval, Ruling]:
        """Return what was approved, and the ruling under which a step is taken back. Raises Refused."""
        record = await approvals.asked(conn, approval)
        if record is None or record.step(step) is None:
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
        standing: Standing,
        step: PlanStep,
        people: People,
        *,
        begun: bool,
        forward: bool,
    ) -> Ruling:
        approval = standing.approval
        requester = people.get(approval.requester.subject)
        if requester is None and not forward:
            raise Refused("person_inactive", gone="yes")
        _require_recorded(approval, standing.told)
        if not forward and standing.now > _until(approval, begun=begun):
            raise Refused("window_passed")
        entitled = await self._entitled(conn, approval, people, forward=forward)
        told = {"requester_active": forward or (requester is not None and requester.active)}
        rulings = []
        for right, circumstances in entitled:
            context = {**told, **circumstances}
            asked = views.step(approval, people, step, context, level=int(standing.level))
            rulings.append(self.policy.rule("execute", right.by, *asked))
        for ruling in rulings:
            require(ruling)
        return rulings[0]

    async def _entitled(
        self, conn: Connection, approval: Approval, people: People, *, forward: bool
    ) -> Sequence[tuple[Right, Context]]:
        """Return the rights that still count, with how they were used. Raises Changed without a quorum.

        Past its pivot a plan needs one of them.
        """
        entitled: list[tuple[Right, Context]] = []
        lost = []
        for vote, right in rights.used(approval.assents, people):
            told = None if right is None else await rights.circumstances(conn, approval, right, at=vote.at)
            if right is None or told is None:
                lost.append(vote.by.name)
                continue
            ruling = views.decides(self.policy, right.by, approval, people, told)
            if ruling.fault:
                require(ruling)  # nobody has lost anything: the rules could not be asked
            if ruling.allowed:
                entitled.append((right, told))
            else:
                lost.append(vote.by.name)
        humans = {right.by.human for right, _ in entitled}, {right.holder.human for right, _ in entitled}
        if min(map(len, humans)) < (1 if forward else approval.quorum):
            raise Changed(why=Void(key="voter_lost", facts={"by": ", ".join(lost)}))
        return entitled


def _require_approved(held: Held, approval: Approval, step: PlanStep) -> None:
    """Return if the approval stands, for this run and with exactly this step. Raises Refused or Changed."""
    if approval.status is ApprovalStatus.VOID:  # by this very run, which was then interrupted
        raise Changed(why=approval.void or _OTHERWISE)
    if approval.status is not ApprovalStatus.APPROVED or approval.run != held.run.id:
        raise Refused("not_approved")
    if approval.step(step.name) != step or not approval.intact:
        raise Refused("record_changed")


async def _standing(conn: Connection, card: str) -> Standing:
    found = await approvals.stand(conn, card)
    if found is None:
        raise Refused("not_approved")
    return found


def _compare(held: Held, standing: Standing, step: PlanStep, now: Proposal | Grounds) -> None:
    """Return if nothing has changed of what was approved. Raises Changed."""
    if isinstance(now, Proposal):
        decide_by = standing.approval.decide_by
        whole = now.action(held.run, version=held.version, level=standing.level, decide_by=decide_by)
        approved, found = comparable(standing.action, whole)
    else:
        approved, found = _grounds_of(standing, step, now)
    if approved != found:
        raise Changed(digests.differences(approved, found))


def _grounds_of(
    standing: Standing, step: PlanStep, now: Grounds
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    approval = standing.approval
    later = approval.escalation.groups if approval.escalation else {}
    approved = {
        "clause": approval.clause.hash,
        "approvers": dict(approval.approvers),
        "escalation": dict(later),
        "level": approval.level,
        "preconditions": dict(step.basis),
    }
    found = {
        "clause": now.clause,
        "approvers": dict(now.approvers),
        "escalation": dict(now.escalation),
        "level": int(standing.level),
        "preconditions": dict(step.basis if now.basis is None else now.basis),
    }
    return approved, found


def require(ruling: Ruling) -> None:
    """Raise Refused where the policies refuse, or could not be asked."""
    if not ruling.allowed:
        raise Refused("rules_not_checked" if ruling.fault else "not_authorised", **ruling.facts)


def _require_recorded(approval: Approval, told: Told) -> None:
    """Return if the last that the record tells of an approval is that people approved exactly this.

    The rows of approvals and votes alone let nothing through. Raises Refused.
    """
    of_run = [event for event in told or () if event.run == approval.run and event.kind in _SAID]
    said = of_run[-1] if of_run else None
    if said is None or (said.kind, said.outcome) != ("approval.decided", Verdict.APPROVE.value):
        raise Refused("record_changed")
    if said.detail is None or said.detail.get("digest") != approval.digest:
        raise Refused("record_changed")


_SAID = ("approval.decided", "approval.expired", "approval.void")


def _until(approval: Approval, *, begun: bool) -> datetime:
    """Return until when a step may be done: a plan begins within its window, and is finished within a day."""
    assert approval.decided_at is not None
    within = timedelta(seconds=approval.execute_within)
    return approval.decided_at + (max(within, FINISH_WITHIN) if begun else within)
