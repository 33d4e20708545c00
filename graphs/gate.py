"""The one door to every connector write.

In order: policy, authority level, the approval still valid for this digest, the intent in ledger and audit,
the call with its key, the result in ledger and audit. Only the gate holds the mint, and no connector writes
without a permit from it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg_pool import AsyncConnectionPool

from connectors.base import Act, Mint, Operation, Payload, parse
from connectors.directory import Directory, Person
from connectors.errors import Ambiguous, Denied, Invalid, NotFound
from connectors.registry import Registry
from graphs import approvals, audit, authority, effects
from graphs.approvals import Proposal
from graphs.effects import Effect
from graphs.policy.engine import Policy, Ruling
from graphs.ports import Clock, Connection
from graphs.records import Actor, Approval, ApprovalStatus, Difference, Run

Also = Callable[[Connection, Effect], Awaitable[None]]


class Refused(Exception):
    """The gate did not let the action through. `key` names the reason for `bot` to put into words."""

    def __init__(self, key: str, **facts: str) -> None:
        super().__init__(key)
        self.key = key
        self.facts: Mapping[str, str] = facts


class Changed(Exception):
    """What was approved is no longer what would be done; a new card has to show the differences."""

    def __init__(self, differences: tuple[Difference, ...]) -> None:
        super().__init__(", ".join(one.name for one in differences))
        self.differences = differences


class Unknown(Exception):
    """An interrupted call that can be neither found nor repeated: a person has to look."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """The run that asks, as the worker holds it: `token` fences off a worker that has lost it."""

    run: Run
    version: int
    token: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """Carries out approved actions, exactly once or honestly unknown."""

    pool: AsyncConnectionPool[Connection]
    clock: Clock
    policy: Policy
    directory: Directory
    registry: Registry
    mint: Mint

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
        that records the effect. Raises Refused, Changed, Unknown, effects.Fenced, or the connector's
        Unavailable, Conflict or Ambiguous, after which the same call may be made again.
        """
        async with self.pool.connection() as conn:
            effect = await effects.find(conn, approval, "apply")
        if effect is None:
            effect = await self._intend(held, approval, await again(), lasts)
            return await self._settle(held, effect, also=also)

        async def check() -> None:
            await self._check(held, approval, await again())

        return await self._settle(held, effect, check=check, interrupted=True, also=also)

    async def reverse(self, held: Held, approval: str) -> Effect:
        """Undo what was done under the approval, as it declared. Called again, the same effect."""
        try:
            done, effect, interrupted = await self._intend_undo(held, approval)
        except Refused as refusal:
            await self._refused(held, approval, refusal)
            raise
        return await self._settle(held, effect, interrupted=interrupted, done=done)

    async def _intend_undo(self, held: Held, approval: str) -> tuple[Effect, Effect, bool]:
        """Return what was done, the intent to undo it, and whether that intent had been there before."""
        async with self.pool.connection() as conn:
            done = await effects.find(conn, approval, "apply")
            effect = await effects.find(conn, approval, "undo")
            if done is None or done.state != "done":
                raise Refused("nothing_to_reverse")
            if effect is not None:
                return done, effect, True
            record = await _approval(conn, approval)
            ruling = self.policy.rule("revert", None, approvals.resource(record))
            require(ruling)
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

    async def _check(self, held: Held, card: str, proposal: Proposal) -> None:
        async with self._checked(held, card, proposal):
            pass

    @asynccontextmanager
    async def _checked(
        self, held: Held, card: str, proposal: Proposal
    ) -> AsyncIterator[tuple[Connection, Approval, Ruling]]:
        """Open the transaction in which everything still holds. A refusal is written to the audit."""
        async with self.pool.connection() as conn:
            decided = await _approval(conn, card)
        requester = await self._person(decided.requester)
        approver = await self._person(decided.decision.by) if decided.decision else None
        try:
            async with self.pool.connection() as conn:
                approval, ruling = await self._admit(
                    conn, held, card, proposal, requester=requester, approver=approver
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
        proposal: Proposal,
        *,
        requester: Person | None,
        approver: Person | None,
    ) -> tuple[Approval, Ruling]:
        approval = await _approval(conn, card)
        if approval.status is not ApprovalStatus.APPROVED:
            raise Refused("not_approved")
        if approver is None or requester is None:
            raise Refused("person_inactive")
        level = await authority.level(conn, proposal.operation)
        ruling = self.policy.rule(
            "execute",
            approver,
            approvals.resource(approval),
            {**approvals.context(approval, level=int(level)), "requester_active": requester.active},
        )
        require(ruling)
        if await self.clock.now(conn) > _execute_by(approval):
            raise Refused("window_passed")
        approved = await approvals.action_of(conn, card)
        now = proposal.action(held.run, version=held.version, level=level, decide_by=approval.decide_by)
        if approvals.digest(await _tenant(conn), now) != approval.digest:
            raise Changed(approvals.differences(approved, now))
        return approval, ruling

    async def _settle(
        self,
        held: Held,
        effect: Effect,
        *,
        interrupted: bool = False,
        check: Callable[[], Awaitable[None]] | None = None,
        done: Effect | None = None,
        also: Also | None = None,
    ) -> Effect:
        if effect.state == "done":
            return effect
        if effect.state == "unknown":
            raise Unknown(effect.id)
        if effect.state == "failed":
            raise Refused("connector_refused", system=effect.operation)
        operation = self.registry.operation(effect.operation)
        data = parse(operation, effect.payload)
        try:
            # An error while looking says nothing about the write: the intent stays open for the next look.
            there = await self._look(operation, data, effect) if interrupted else None
            if there is not None:
                return await self._write(held, effect, "done", detail=there, found=True, also=also)
            if check is not None:
                await check()  # the interrupted call did not land, and time has passed
            result = await self._call(operation, data, effect, done)
        except (Refused, Changed) as refusal:
            await self._write(held, effect, "failed", detail={"error": str(refusal)})
            raise
        except Unknown:
            await self._write(held, effect, "unknown", detail={})
            raise
        return await self._write(held, effect, "done", detail=result, also=also)

    async def _look(
        self, operation: Operation[Any, Any], data: Payload, effect: Effect
    ) -> Mapping[str, Any] | None:
        """Return what an interrupted call left behind, or None where the call may be made (again)."""
        if operation.repeat == "keyed":
            return None
        if operation.repeat == "blind":
            raise Unknown(effect.id)
        there = await operation.find(data, effect.key)
        if effect.act == "undo":
            return {} if there is None else None
        return None if there is None else there.model_dump(mode="json")

    async def _call(
        self, operation: Operation[Any, Any], data: Payload, effect: Effect, done: Effect | None
    ) -> Mapping[str, Any]:
        act: Act = effect.act
        try:
            with self.mint.permit(operation.name, data, effect.key, act).open():
                if act == "apply":
                    result = await operation.apply(data, effect.key)
                    return dict(result.model_dump(mode="json"))
                assert done is not None
                await operation.undo(data, operation.result.model_validate(done.result), effect.key)
                return {}
        except Ambiguous as error:
            if operation.repeat == "blind":
                raise Unknown(effect.id) from error
            raise
        except (Denied, NotFound, Invalid) as error:
            if act == "undo":  # what was granted for a time must end: it is tried until it does
                raise
            raise Refused("connector_refused", system=effect.operation) from error

    async def _write(
        self,
        held: Held,
        effect: Effect,
        state: effects.State,
        *,
        detail: Mapping[str, Any],
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
                    "result": dict(detail),
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


def _execute_by(approval: Approval) -> datetime:
    assert approval.decision is not None
    return approval.decision.at + timedelta(seconds=approval.execute_within)


async def _approval(conn: Connection, card: str) -> Approval:
    approval = await approvals.load(conn, card)
    if approval is None:
        raise Refused("not_approved")
    return approval


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
