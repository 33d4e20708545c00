"""Doubts: effects that may have landed or not, and the people who say which. One row is one card."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from psycopg.types.json import Jsonb

from connectors.directory import Person
from graphs import approvals, audit, effects, rights
from graphs.effects import Effect
from graphs.kit import Kit
from graphs.policy import views
from graphs.policy.engine import OWN
from graphs.ports import Connection
from graphs.records import Actor, Answered, Doubt, Resolution


async def of_effect(conn: Connection, effect: str) -> str | None:
    """Return the id of the open doubt about an effect, or None."""
    cursor = await conn.execute("SELECT id FROM doubt WHERE effect = %s AND answer IS NULL", (effect,))
    row = await cursor.fetchone()
    return None if row is None else str(row["id"])


async def load(kit: Kit, conn: Connection, doubt: str) -> Doubt | None:
    """Return the doubt that a card names, or None where there is none."""
    cursor = await conn.execute("SELECT * FROM doubt WHERE id = %s", (doubt,))
    row = await cursor.fetchone()
    return None if row is None else await _record(kit, conn, row)


async def _record(kit: Kit, conn: Connection, row: Mapping[str, Any]) -> Doubt:
    effect = await effects.by_id(conn, row["effect"])
    approval = await approvals.load(conn, effect.approval)
    assert approval is not None
    return Doubt(
        id=row["id"],
        approval=approval,
        effect=effect.id,
        act=effect.act,
        step=effect.step,
        sends=effect.payload,
        key=effect.key,
        intended_at=effect.intended_at,
        opened_at=row["opened_at"],
        undoable=_is_undoable(kit, effect),
        answer=None if row["answer"] is None else Resolution(row["answer"]),
        by=None if row["answered_by"] is None else Actor(**row["answered_by"]),
        at=row["answered_at"],
    )


def _is_undoable(kit: Kit, effect: Effect) -> bool:
    operation = kit.registry.operation(effect.operation)
    return effect.act == "apply" and operation.reversible and kit.gate.calls.assumed(effect) is not None


async def resolve(kit: Kit, doubt: str, answer: Resolution, *, by: Person) -> Answered:
    """Take a click on a doubt's card. It has been committed when this returns; one click alone decides.

    `by` is the person as the directory has them at this moment. They and everybody whom the approval concerns
    are read once more, and together. Raises the directory's errors.
    """
    async with kit.pool.connection() as conn:
        asked = await load(kit, conn, doubt)
    concerned = rights.concerned(asked.approval) if asked else set()
    people = await rights.read(kit.directory, {by.subject, *concerned}, within=rights.CLICK)
    by = people[by.subject] or rights.gone(by)
    async with kit.pool.connection() as conn:
        found = await load(kit, conn, doubt)
        if found is None or (answer is Resolution.UNDO and not found.undoable):
            return Answered.NO_SUCH_CARD
        ruling = kit.policy.rule("resolve", by, views.approval(found.approval, people))
        actor = approvals.actor(by)
        facts = {
            "doubt": doubt,
            "approval": found.approval.id,
            "effect": found.effect,
            "step": found.step,
            "act": found.act,
            "answer": answer.value,
            **ruling.facts,
        }
        if not ruling.allowed:
            await audit.append(
                conn,
                "effect.refused_click",
                run=found.approval.run,
                facts=facts,
                detail={"by": asdict(actor)},
            )
            if ruling.fault:
                return Answered.NOT_CHECKED
            return Answered.OWN_REQUEST if OWN in ruling.policies else Answered.NOT_ALLOWED
        if not await _settle(conn, doubt, answer, actor):
            return Answered.ALREADY_DECIDED
        await kit.queue.advance(conn, found.approval.run)
        await kit.notifier.doubt(conn, doubt)
        await audit.append(
            conn, "effect.resolved", run=found.approval.run, facts=facts, detail={"by": asdict(actor)}
        )
    return Answered.RECORDED


async def _settle(conn: Connection, doubt: str, answer: Resolution, by: Actor) -> bool:
    """Resolution by one compare-and-set. True for the one click that did."""
    cursor = await conn.execute(
        "UPDATE doubt SET answer = %s, answered_by = %s, answered_at = moment()"
        " WHERE id = %s AND answer IS NULL RETURNING effect",
        (answer.value, Jsonb(asdict(by)), doubt),
    )
    row = await cursor.fetchone()
    if row is None:
        return False
    await conn.execute(
        "UPDATE effect SET resolved = %s WHERE id = %s AND state = 'unknown'", (answer.value, row["effect"])
    )
    return True
