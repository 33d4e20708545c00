"""The one door to every connector write.

In order: policy, authority level, the approval still valid for this digest (`admission.py` reads all of it
anew), the intent in ledger and audit, the call with its key, the result in ledger and audit. Only the gate
holds the mint, and no connector writes without a permit from it.

A plan is carried out step by step, in its order. A step that refers to what an earlier one left behind gets
it from the record, and what is called is the approved template with these values in their places, proven anew
before each call.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from psycopg_pool import AsyncConnectionPool

from connectors import references
from connectors.errors import Conflict, ConnectorError, Denied, Invalid, NotFound, Unavailable
from graphs import approvals, audit, effects, recorded
from graphs.admission import Admission, Changed, Grounds, Refused
from graphs.calls import Calls
from graphs.effects import Effect, Fenced, Held, Late, Unknown
from graphs.plans import Proposal, lasting
from graphs.policy.engine import Ruling
from graphs.pools import reading
from graphs.ports import Connection
from graphs.recorded import Ledger
from graphs.records import Approval, PlanStep, Resolution, Void

Also = Callable[[Connection, Effect], Awaitable[Mapping[str, Any] | None]]
Now = Callable[[PlanStep, Mapping[str, Any]], Awaitable[Grounds]]  # of a step and what it sends


class Withdrawn(Exception):
    """A person wants it taken back, whether or not it happened."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """A step of an approved plan, as the record has it: what it sends, and what has been done before it."""

    approval: Approval
    ledger: Ledger
    step: PlanStep
    sends: Mapping[str, Any]

    @property
    def effect(self) -> Effect | None:
        """What was done of the step, or None where it has not been intended."""
        return self.ledger.effects.get((self.step.name, "apply"))

    @property
    def follows(self) -> bool:
        """Whether an earlier step is done."""
        return bool(self.ledger.results.keys() - {self.step.name})

    @property
    def forward(self) -> bool:
        """Whether the plan is past its pivot."""
        return is_past_pivot(self.approval, self.ledger)


def is_past_pivot(approval: Approval, ledger: Ledger) -> bool:
    """Whether a plan has done the step after which it only goes forward."""
    return any(step.undo == "pivot" and ledger.state(step.name) == "done" for step in approval.steps)


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """Carries out approved plans, each effect exactly once or honestly unknown."""

    pool: AsyncConnectionPool[Connection]
    admission: Admission
    calls: Calls

    async def execute(
        self,
        held: Held,
        approval: str,
        step: str,
        *,
        again: Callable[[], Awaitable[Proposal]],
        now: Now,
        also: Also | None = None,
        read: tuple[Approval, Ledger] | None = None,
    ) -> Effect:
        """Carry out a step of an approved plan, and return the settled effect; called again, the same one.

        `again` reads the world anew and proposes the whole plan as it would be now: it is asked while nothing
        of the plan has begun. `now` is what a later step rests on. Any difference raises Changed. `also` runs
        in the transaction that records the effect, and returns how it ends, for the record. `read` is what
        the caller has just read: the approval and what was done under it, as the record has them. Raises
        Refused, Changed, Unknown, Withdrawn, effects.Fenced, or the connector's Unavailable, Conflict or
        Ambiguous, after which the same call may be made again.
        """
        try:
            begun = await self._begun(approval, step, read)
        except Refused as refusal:
            await self.admission.refuse(held, approval, refusal)
            raise
        effect = begun.effect
        if effect is None:
            first = not begun.ledger.effects
            found = await again() if first else await now(begun.step, begun.sends)
            effect = await self._intend(held, begun, found)
            return await self._call(held, effect, also=also, forward=begun.forward)
        if effect.resolved is Resolution.UNDO:
            await self._settle(held, effect)
            raise Withdrawn

        async def ready(effect: Effect) -> Effect:
            own = self._may_be_ours(effect)
            return await self._ready(held, begun, None if own else await now(begun.step, begun.sends), effect)

        return await self._settle(held, effect, ready=ready, also=also, forward=begun.forward)

    async def _begun(self, card: str, name: str, read: tuple[Approval, Ledger] | None) -> Begun:
        """Return the step if it is its turn, and what is there of it is what was approved. Raises Refused."""
        approval, ledger = read or await self._read(card)
        step = approval.step(name)
        if step is None:
            raise Refused("not_approved")
        for earlier in approval.steps[: approval.steps.index(step)]:
            if ledger.state(earlier.name) != "done":
                raise Refused("not_its_turn", step=step.name, earlier=earlier.name)
            if ledger.state(earlier.name, "undo"):
                raise Refused("not_approved")
        begun = Begun(approval=approval, ledger=ledger, step=step, sends=_sends(step, ledger))
        if begun.effect is not None and not _is_of(begun.effect, begun):
            raise Refused("record_changed")
        return begun

    async def _read(self, card: str) -> tuple[Approval, Ledger]:
        async with reading(self.pool) as conn:
            approval = await approvals.load(conn, card)
            if approval is None:
                raise Refused("not_approved")
            return approval, await _ledger(conn, card)

    async def reverse(self, held: Held, approval: str, step: str) -> Effect:
        """Undo a step of an approved plan, as it declared. Called again, the same effect."""
        try:
            done, effect, interrupted = await self._intend_undo(held, approval, step)
        except Refused as refusal:
            await self.admission.refuse(held, approval, refusal)
            raise
        if not interrupted:
            return await self._call(held, effect, done=done)

        async def ready(effect: Effect) -> Effect:
            async with self.pool.connection() as conn:
                record, ruling = await self.admission.reversal(conn, approval, step)
                return await _reopened(conn, held, effect, record.digest, ruling)

        return await self._settle(held, effect, ready=ready, done=done)

    async def _intend_undo(self, held: Held, approval: str, name: str) -> tuple[Effect, Effect, bool]:
        """Return what was done, the intent to undo it, and whether that intent had been there before."""
        async with self.pool.connection() as conn:
            ledger = await _ledger(conn, approval)
            done, effect = ledger.effects.get((name, "apply")), ledger.effects.get((name, "undo"))
            if done is None or done.state != "done":
                raise Refused("nothing_to_reverse")
            await _require_over(conn, held, done)
            if not self.calls.undoable(done):
                raise Refused("cannot_be_undone", system=done.operation)
            record, ruling = await self.admission.reversal(conn, approval, name)
            step = record.step(name)
            assert step is not None  # or the reversal had been refused
            begun = Begun(approval=record, ledger=ledger, step=step, sends=_sends(step, ledger))
            if not all(one.recorded or _is_of(one, begun) for one in (done, effect or done)):
                raise Refused("record_changed")
            if effect is not None:
                return done, effect, True
            effect = await effects.intend(
                conn,
                approval=approval,
                run=held.run.id,
                token=held.token,
                step=name,
                act="undo",
                operation=done.operation,
                payload=done.payload,
                lasts=None,
                instead=ledger.strays.get((name, "undo")),
            )
            await _record(conn, effect, record.digest, ruling)
        return done, effect, False

    async def _intend(self, held: Held, begun: Begun, found: Proposal | Grounds) -> Effect:
        """Check everything against the world as it is now, and write the intent."""
        step = begun.step
        async with self._checked(held, begun, found) as (conn, approval, ruling):
            effect = await effects.intend(
                conn,
                approval=approval.id,
                run=held.run.id,
                token=held.token,
                step=step.name,
                act="apply",
                operation=step.operation,
                payload=begun.sends,
                lasts=lasting(step),
                instead=begun.ledger.strays.get((step.name, "apply")),
            )
            await _record(conn, effect, approval.digest, ruling)
        return effect

    def _checked(
        self, held: Held, begun: Begun, found: Proposal | Grounds | None
    ) -> AbstractAsyncContextManager[tuple[Connection, Approval, Ruling]]:
        return self.admission.checked(
            held,
            begun.approval,
            begun.step,
            begun.sends,
            found,
            begun=begun.follows,
            forward=begun.forward,
        )

    def _may_be_ours(self, effect: Effect) -> bool:
        """Whether the world may be changed already by the very call that is about to be repeated.

        Then it is not compared again with what was approved: it was when the intent was written.
        """
        return effect.state == "intended" and self.calls.repeat(effect) == "keyed"

    async def _ready(self, held: Held, begun: Begun, found: Grounds | None, effect: Effect) -> Effect:
        """Check everything again, because time has passed, and write the intent again if it was settled.

        What a person wants done although its window has passed needs a new card: raises Changed.
        """
        try:
            async with self._checked(held, begun, found) as (conn, approval, ruling):
                return await _reopened(conn, held, effect, approval.digest, ruling)
        except Refused as refusal:
            if refusal.key == "window_passed" and effect.resolved is Resolution.DID_NOT:
                raise Changed(()) from refusal
            raise

    async def _settle(
        self,
        held: Held,
        effect: Effect,
        *,
        ready: Callable[[Effect], Awaitable[Effect]] | None = None,
        done: Effect | None = None,
        also: Also | None = None,
        forward: bool = False,
    ) -> Effect:
        """Go on with an effect that was intended before. `forward`: what refuses it is tried again."""
        if effect.state == "done":
            return effect
        if effect.state == "failed":
            raise _failed_before(effect)
        if effect.state == "unknown" and effect.resolved is not Resolution.DID_NOT:
            return await self._believe(held, effect, also)
        found = False
        if effect.state == "intended":
            # An error while looking says nothing about the write: the intent stays open for the next look.
            again = self.calls.sends_again(effect)
            look = self._look_if_it_can if again else self._look
            there = await look(held, effect, done)
            found = there is not None
            if there is not None and not again:
                return await self._write(held, effect, "done", detail=there, found=True, also=also)
        assert ready is not None
        try:
            effect = await ready(effect)  # it has not landed, and time has passed
        except (Refused, Changed) as refusal:
            if self._may_be_ours(effect):  # it must not be made now, and may have been before
                await self._write(held, effect, "unknown", detail=None)
                raise Unknown(effect.id) from refusal
            if not forward:
                await self._write(held, effect, "failed", detail=_why(refusal))
            raise
        return await self._call(held, effect, done=done, also=also, found=found, forward=forward)

    async def _believe(self, held: Held, effect: Effect, also: Also | None) -> Effect:
        """Record an unknown effect as done, because a person has said so. Raises Unknown if nobody has."""
        if effect.resolved is None:
            raise Unknown(effect.id)
        wanted = None if effect.resolved is Resolution.UNDO else also
        return await self._write(
            held, effect, "done", detail=self.calls.assumed(effect), found=True, also=wanted
        )

    async def _look_if_it_can(
        self, held: Held, effect: Effect, done: Effect | None
    ) -> Mapping[str, Any] | None:
        """Look at what is sent again in any case: when nothing can be seen, it is sent all the same."""
        try:
            return await self._look(held, effect, done)
        except ConnectorError:
            return None

    async def _look(self, held: Held, effect: Effect, done: Effect | None) -> Mapping[str, Any] | None:
        try:
            return await self.calls.look(effect, done)
        except Unknown:
            await self._write(held, effect, "unknown", detail=None)
            raise

    async def _call(
        self,
        held: Held,
        effect: Effect,
        *,
        done: Effect | None = None,
        also: Also | None = None,
        found: bool = False,
        forward: bool = False,
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
            if effect.act == "undo" or forward:  # it must end, or there is no way back: tried until it does
                if self.calls.repeat(effect) == "blind":
                    await self._write(held, effect, "cleared", detail=None)
                raise
            refusal = Refused("connector_refused", system=_system(effect), error=error.key)
            await self._write(held, effect, "failed", detail={**_why(refusal), "error": str(error)})
            raise refusal from error
        try:
            return await self._write(held, effect, "done", detail=result, also=also, found=found)
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
            end = None if also is None else await also(conn, settled)
            await audit.append(
                conn,
                f"effect.{state}",
                run=held.run.id,
                facts={
                    "effect": effect.id,
                    "approval": effect.approval,
                    "step": effect.step,
                    "act": effect.act,
                    "found": found,
                    **_ends(settled),
                },
                detail={
                    "operation": effect.operation,
                    "payload": dict(effect.payload),
                    "result": dict(detail or {}),
                    **({"end": dict(end)} if end else {}),
                },
            )
        return settled


def _why(refusal: Refused | Changed) -> Mapping[str, Any]:
    """Return why an effect failed, so that whoever goes on after a crash says the same."""
    if isinstance(refusal, Changed):
        return {"error": str(refusal), "changed": {"key": refusal.why.key, "facts": dict(refusal.why.facts)}}
    return {"error": str(refusal), "refused": {"key": refusal.key, "facts": dict(refusal.facts)}}


def _failed_before(effect: Effect) -> Refused | Changed:
    """Return what `_why` has written of a failed effect."""
    detail = effect.result or {}
    if changed := detail.get("changed"):
        return Changed(why=Void(key=changed["key"], facts=changed["facts"]))
    known = detail.get("refused") or {"key": "connector_refused", "facts": {"system": _system(effect)}}
    return Refused(known["key"], **known["facts"])


def _system(effect: Effect) -> str:
    return effect.operation.partition(".")[0]


def _sends(step: PlanStep, ledger: Ledger) -> Mapping[str, Any]:
    """Return what a step sends: the approved template, with what earlier steps left behind in its places.

    Raises Refused.
    """
    try:
        sends: Mapping[str, Any] = references.resolved(step.sends, ledger.results)
    except KeyError as error:
        raise Refused("not_its_turn", step=step.name, earlier=str(error)) from error
    return sends


def _is_of(effect: Effect, begun: Begun) -> bool:
    """Whether the ledger's row is about exactly what was approved, and the approval's as it was written."""
    return begun.approval.intact and (effect.operation, effect.payload) == (begun.step.operation, begun.sends)


async def _ledger(conn: Connection, approval: str) -> Ledger:
    """Return what was done under an approval, as the record has it. Raises Refused.

    What has been erased from the record is taken from the ledger: what has to end must end.
    """
    try:
        return await recorded.ledger(conn, approval)
    except (audit.ChainBroken, audit.Locked) as error:
        raise Refused("record_changed") from error


async def _require_over(conn: Connection, held: Held, done: Effect) -> None:
    """Return if what was granted for a time may end: the time is over, or its own run takes it back.

    So it may where the record says that it ends early. Raises Refused.
    """
    if held.run.id == done.run or done.ends_at is None:
        return
    cursor = await conn.execute("SELECT moment() >= %s AS over", (done.ends_at,))
    row = await cursor.fetchone()
    assert row is not None
    if not row["over"] and await audit.last(conn, held.run.id, ("run.ends_early",)) is None:
        raise Refused("record_changed")


def _ends(effect: Effect) -> dict[str, str]:
    return {} if effect.ends_at is None else {"ends_at": effect.ends_at.isoformat()}


async def _reopened(conn: Connection, held: Held, effect: Effect, digest: str, ruling: Ruling) -> Effect:
    if effect.state == "intended":
        return effect
    effect = await effects.reopen(conn, effect, held.token)
    await _record(conn, effect, digest, ruling)
    return effect


async def _record(conn: Connection, effect: Effect, digest: str, ruling: Ruling) -> None:
    await audit.append(
        conn,
        "effect.intended",
        run=effect.run,
        facts={
            "effect": effect.id,
            "approval": effect.approval,
            "step": effect.step,
            "act": effect.act,
            "digest": digest,
            **_ends(effect),
            **ruling.facts,
        },
        detail={"operation": effect.operation, "payload": dict(effect.payload), "key": effect.key},
    )
