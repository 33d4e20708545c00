"""The one door to every connector write.

In order: policy, authority level, the approval still valid for this digest, the intent in ledger and audit,
the call with its key, the result in ledger and audit. Only the gate holds the mint, and no connector writes
without a permit from it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg_pool import AsyncConnectionPool

from connectors.directory import Directory, Person
from connectors.errors import Conflict, Denied, Invalid, NotFound, Unavailable
from graphs import approvals, audit, authority, digests, effects
from graphs.approvals import Proposal
from graphs.calls import Calls
from graphs.effects import Effect, Fenced, Held, Late, Unknown
from graphs.policy.engine import Policy, Ruling
from graphs.ports import Clock, Connection
from graphs.records import Actor, Approval, ApprovalStatus, Difference, Resolution, Void, Vote

Also = Callable[[Connection, Effect], Awaitable[None]]


class Refused(Exception):
    """The gate did not let the action through. `key` names the reason for `bot` to put into words."""

    def __init__(self, key: str, **facts: str) -> None:
        super().__init__(key)
        self.key = key
        self.facts: Mapping[str, str] = facts


_OTHERWISE = Void(key="changed")


class Changed(Exception):
    """What was approved is no longer what would be done, or no longer approved: a new card has to ask.

    `differences` is what has changed about the action, `why` the reason for people.
    """

    def __init__(self, differences: tuple[Difference, ...] = (), *, why: Void = _OTHERWISE) -> None:
        super().__init__(", ".join(one.name for one in differences) or why.key)
        self.differences = differences
        self.why = why


class Withdrawn(Exception):
    """A person wants it taken back, whether or not it happened."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """Carries out approved actions, exactly once or honestly unknown."""

    pool: AsyncConnectionPool[Connection]
    clock: Clock
    policy: Policy
    directory: Directory
    calls: Calls

    async def execute(
        self,
        held: Held,
        approval: str,
        *,
        again: Callable[[], Awaitable[Proposal]],
        lasts: timedelta | None = None,
        also: Also | None = None,
    ) -> Effect:
        """Carry out what the approval approved, and return the settled effect; called again, the same one.

        `again` reads the world anew and proposes the action as it would be now: any difference raises
        Changed. `lasts` fixes the effect's end at the moment of the intent. `also` runs in the transaction
        that records the effect. Raises Refused, Changed, Unknown, Withdrawn, effects.Fenced, or the
        connector's Unavailable, Conflict or Ambiguous, after which the same call may be made again.
        """
        async with self.pool.connection() as conn:
            effect = await effects.find(conn, approval, "apply")
            record = await _approval(conn, approval)
        if effect is not None and not _is_of(effect, record):
            refusal = Refused("record_changed")
            await self._refused(held, approval, refusal)
            raise refusal
        if effect is None:
            effect = await self._intend(held, approval, await again(), lasts)
            return await self._call(held, effect, also=also)
        if effect.resolved is Resolution.UNDO:
            await self._settle(held, effect)
            raise Withdrawn

        async def ready(effect: Effect) -> Effect:
            own = self._may_be_ours(effect)
            return await self._ready(held, approval, None if own else await again(), effect)

        return await self._settle(held, effect, ready=ready, also=also)

    async def reverse(self, held: Held, approval: str) -> Effect:
        """Undo what was done under the approval, as it declared. Called again, the same effect."""
        try:
            done, effect, interrupted = await self._intend_undo(held, approval)
        except Refused as refusal:
            await self._refused(held, approval, refusal)
            raise
        if not interrupted:
            return await self._call(held, effect, done=done)

        async def ready(effect: Effect) -> Effect:
            async with self.pool.connection() as conn:
                record, ruling = await self._reversal(conn, approval)
                return await _reopened(conn, held, effect, record.digest, ruling)

        return await self._settle(held, effect, ready=ready, done=done)

    async def _intend_undo(self, held: Held, approval: str) -> tuple[Effect, Effect, bool]:
        """Return what was done, the intent to undo it, and whether that intent had been there before."""
        async with self.pool.connection() as conn:
            done = await effects.find(conn, approval, "apply")
            effect = await effects.find(conn, approval, "undo")
            if done is None or done.state != "done":
                raise Refused("nothing_to_reverse")
            if not self.calls.undoable(done):
                raise Refused("cannot_be_undone", system=done.operation)
            record, ruling = await self._reversal(conn, approval)
            if not _is_of(done, record) or not _is_of(effect or done, record):
                raise Refused("record_changed")
            if effect is not None:
                return done, effect, True
            effect = await effects.intend(
                conn,
                approval=approval,
                run=held.run.id,
                token=held.token,
                act="undo",
                operation=done.operation,
                payload=done.payload,
                lasts=None,
            )
            await _record(conn, effect, record.digest, ruling)
        return done, effect, False

    async def _reversal(self, conn: Connection, approval: str) -> tuple[Approval, Ruling]:
        record = await _approval(conn, approval)
        ruling = self.policy.rule("revert", None, approvals.resource(record))
        require(ruling)
        return record, ruling

    async def _intend(self, held: Held, card: str, proposal: Proposal, lasts: timedelta | None) -> Effect:
        """Check everything against the world as it is now, and write the intent."""
        async with self._checked(held, card, proposal) as (conn, approval, ruling):
            effect = await effects.intend(
                conn,
                approval=card,
                run=held.run.id,
                token=held.token,
                act="apply",
                operation=proposal.operation,
                payload=proposal.payload.model_dump(mode="json"),
                lasts=lasts,
            )
            await _record(conn, effect, approval.digest, ruling)
        return effect

    def _may_be_ours(self, effect: Effect) -> bool:
        """Whether the world may be changed already by the very call that is about to be repeated.

        Then it is not compared again with what was approved: it was when the intent was written.
        """
        return effect.state == "intended" and self.calls.repeat(effect) == "keyed"

    async def _ready(self, held: Held, card: str, proposal: Proposal | None, effect: Effect) -> Effect:
        """Check everything again, because time has passed, and write the intent again if it was settled.

        What a person wants done although its window has passed needs a new card: raises Changed.
        """
        try:
            async with self._checked(held, card, proposal) as (conn, approval, ruling):
                return await _reopened(conn, held, effect, approval.digest, ruling)
        except Refused as refusal:
            if refusal.key == "window_passed" and effect.resolved is Resolution.DID_NOT:
                raise Changed(()) from refusal
            raise

    @asynccontextmanager
    async def _checked(
        self, held: Held, card: str, proposal: Proposal | None
    ) -> AsyncIterator[tuple[Connection, Approval, Ruling]]:
        """Open the transaction in which everything still holds. A refusal is written to the audit."""
        async with self.pool.connection() as conn:
            decided = await _approval(conn, card)
        requester = await self._person(decided.requester)
        voters = [(vote, await self._person(vote.by)) for vote in decided.assents]
        try:
            async with self.pool.connection() as conn:
                approval, ruling = await self._admit(
                    conn, held, card, proposal, requester=requester, voters=voters
                )
                yield conn, approval, ruling
        except Refused as refusal:
            await self._refused(held, card, refusal)
            raise

    async def _refused(self, held: Held, card: str, refusal: Refused) -> None:
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
        *,
        requester: Person | None,
        voters: Sequence[tuple[Vote, Person | None]],
    ) -> tuple[Approval, Ruling]:
        approval = await _approval(conn, card)
        if approval.status is ApprovalStatus.VOID:  # by this very run, which was then interrupted
            raise Changed(why=approval.void or _OTHERWISE)
        if approval.status is not ApprovalStatus.APPROVED or approval.run != held.run.id:
            raise Refused("not_approved")
        if requester is None:
            raise Refused("person_inactive")
        if await self.clock.now(conn) > _execute_by(approval):
            raise Refused("window_passed")
        entitled = self._entitled(approval, voters)
        level = await authority.level(conn, approval.operation)
        context = {
            **approvals.context(approval, level=int(level)),
            "requester_active": requester.active,
        }
        resource = approvals.resource(approval)
        rulings = [self.policy.rule("execute", voter, resource, context) for voter in entitled]
        for ruling in rulings:
            require(ruling)
        if proposal is None:
            return approval, rulings[0]
        approved = await approvals.action_of(conn, card)
        now = proposal.action(held.run, version=held.version, level=level, decide_by=approval.decide_by)
        if not approval.intact or digests.digest(await _tenant(conn), now) != approval.digest:
            raise Changed(digests.differences(approved, now))
        return approval, rulings[0]

    def _entitled(self, approval: Approval, voters: Sequence[tuple[Vote, Person | None]]) -> Sequence[Person]:
        """Return those whose approval still counts. Raises Changed where they are no longer a quorum."""
        entitled, lost = [], []
        asked = approvals.resource(approval), approvals.context(approval)
        for vote, person in voters:
            ruling = self.policy.rule("approve", person, *asked) if person else None
            if ruling is not None and ruling.fault:
                require(ruling)  # nobody has lost anything: the rules could not be asked
            if person is not None and ruling is not None and ruling.allowed:
                entitled.append(person)
            else:
                lost.append(vote.by.name)
        if len({person.human for person in entitled}) < approval.quorum:
            raise Changed(why=Void(key="voter_lost", facts={"by": ", ".join(lost)}))
        return entitled

    async def _settle(
        self,
        held: Held,
        effect: Effect,
        *,
        ready: Callable[[Effect], Awaitable[Effect]] | None = None,
        done: Effect | None = None,
        also: Also | None = None,
    ) -> Effect:
        """Go on with an effect that was intended before."""
        if effect.state == "done":
            return effect
        if effect.state == "failed":
            raise Refused("connector_refused", system=effect.operation)
        if effect.state == "unknown" and effect.resolved is not Resolution.DID_NOT:
            return await self._believe(held, effect, also)
        if effect.state == "intended":
            # An error while looking says nothing about the write: the intent stays open for the next look.
            there = await self._look(held, effect)
            if there is not None:
                return await self._write(held, effect, "done", detail=there, found=True, also=also)
        assert ready is not None
        try:
            effect = await ready(effect)  # it has not landed, and time has passed
        except (Refused, Changed) as refusal:
            if self._may_be_ours(effect):  # it must not be made now, and may have been before
                await self._write(held, effect, "unknown", detail=None)
                raise Unknown(effect.id) from refusal
            await self._write(held, effect, "failed", detail={"error": str(refusal)})
            raise
        return await self._call(held, effect, done=done, also=also)

    async def _believe(self, held: Held, effect: Effect, also: Also | None) -> Effect:
        """Record an unknown effect as done, because a person has said so. Raises Unknown if nobody has."""
        if effect.resolved is None:
            raise Unknown(effect.id)
        wanted = None if effect.resolved is Resolution.UNDO else also
        return await self._write(
            held, effect, "done", detail=self.calls.assumed(effect), found=True, also=wanted
        )

    async def _look(self, held: Held, effect: Effect) -> Mapping[str, Any] | None:
        try:
            return await self.calls.look(effect)
        except Unknown:
            await self._write(held, effect, "unknown", detail=None)
            raise

    async def _call(
        self, held: Held, effect: Effect, *, done: Effect | None = None, also: Also | None = None
    ) -> Effect:
        try:
            result = await self.calls.make(effect, done)
        except Unknown:
            await self._write(held, effect, "unknown", detail=None)
            raise
        except (Unavailable, Conflict):
            if self.calls.repeat(effect) == "blind":  # the next attempt must know that this one sent nothing
                await self._write(held, effect, "cleared", detail=None)
            raise
        except (Denied, NotFound, Invalid) as error:
            if effect.act == "undo":  # what was granted for a time must end: it is tried until it does
                if self.calls.repeat(effect) == "blind":
                    await self._write(held, effect, "cleared", detail=None)
                raise
            await self._write(held, effect, "failed", detail={"error": str(error)})
            raise Refused("connector_refused", system=effect.operation) from error
        try:
            return await self._write(held, effect, "done", detail=result, also=also)
        except Fenced as error:
            raise Late(effect.id) from error

    async def _write(
        self,
        held: Held,
        effect: Effect,
        state: effects.State,
        *,
        detail: Mapping[str, Any] | None,
        found: bool = False,
        also: Also | None = None,
    ) -> Effect:
        async with self.pool.connection() as conn:
            settled = await effects.settle(conn, effect, held.token, state, result=detail, found=found)
            if also is not None:
                await also(conn, settled)
            await audit.append(
                conn,
                f"effect.{state}",
                run=held.run.id,
                facts={"effect": effect.id, "approval": effect.approval, "act": effect.act, "found": found},
                detail={
                    "operation": effect.operation,
                    "payload": dict(effect.payload),
                    "result": dict(detail or {}),
                },
            )
        return settled

    async def _person(self, actor: Actor) -> Person | None:
        """Read a person anew. None when they are gone or belong to another directory."""
        try:
            return await self.directory.person_of(actor.subject)
        except NotFound:
            return None


def require(ruling: Ruling) -> None:
    """Raise Refused where the policies refuse, or could not be asked."""
    if not ruling.allowed:
        raise Refused("rules_not_checked" if ruling.fault else "not_authorised", **ruling.facts)


def _is_of(effect: Effect, approval: Approval) -> bool:
    """Whether the ledger's row is about exactly what was approved, and the approval's as it was written."""
    return approval.intact and (effect.operation, effect.payload) == (approval.operation, approval.sends)


def _execute_by(approval: Approval) -> datetime:
    assert approval.decided_at is not None
    return approval.decided_at + timedelta(seconds=approval.execute_within)


async def _approval(conn: Connection, card: str) -> Approval:
    approval = await approvals.load(conn, card)
    if approval is None:
        raise Refused("not_approved")
    return approval


async def _reopened(conn: Connection, held: Held, effect: Effect, digest: str, ruling: Ruling) -> Effect:
    if effect.state == "intended":
        return effect
    effect = await effects.reopen(conn, effect, held.token)
    await _record(conn, effect, digest, ruling)
    return effect


async def _tenant(conn: Connection) -> str:
    cursor = await conn.execute("SELECT current_setting('countersign.tenant') AS tenant")
    row = await cursor.fetchone()
    assert row is not None
    return str(row["tenant"])


async def _record(conn: Connection, effect: Effect, digest: str, ruling: Ruling) -> None:
    await audit.append(
        conn,
        "effect.intended",
        run=effect.run,
        facts={
            "effect": effect.id,
            "approval": effect.approval,
            "act": effect.act,
            "digest": digest,
            **ruling.facts,
        },
        detail={"operation": effect.operation, "payload": dict(effect.payload), "key": effect.key},
    )
