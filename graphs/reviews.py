"""What was done in an emergency, reviewed by somebody who had no part in it. One row is one card."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from connectors.directory import Person
from graphs import approvals, audit, cases, ids
from graphs.kit import Kit
from graphs.policy.engine import TOOK_PART, Resource
from graphs.ports import Connection, Notifier
from graphs.records import Actor, Answered, Approval, Finding, Review


async def ask(
    conn: Connection, *, run: str, approval: str, reviewers: str, every: timedelta
) -> tuple[str, bool]:
    """Ask for the review of what an approval let happen. Returns its id, and whether it is new.

    `run` waits for it and is woken for each reminder, `every` so often until it is done.
    """
    cursor = await conn.execute(
        "INSERT INTO review (id, approval, run, reviewers, every, remind_at)"
        " VALUES (%s, %s, %s, %s, %s, moment() + %s) ON CONFLICT DO NOTHING RETURNING id, remind_at",
        (ids.fresh(), approval, run, reviewers, every, every),
    )
    if row := await cursor.fetchone():
        await cases.wake(conn, run, row["remind_at"], pace=every)
        return str(row["id"]), True
    cursor = await conn.execute("SELECT id FROM review WHERE approval = %s", (approval,))
    row = await cursor.fetchone()
    assert row is not None
    return str(row["id"]), False


async def load(conn: Connection, review: str) -> Review | None:
    """Return the review that a card names, or None where there is none."""
    cursor = await conn.execute("SELECT * FROM review WHERE id = %s", (review,))
    row = await cursor.fetchone()
    return await _review(conn, row) if row else None


async def waiting(conn: Connection) -> list[Review]:
    """Return every review that is not done, oldest first."""
    cursor = await conn.execute("SELECT * FROM review WHERE status = 'open' ORDER BY created_at")
    return [await _review(conn, row) for row in await cursor.fetchall()]


async def sign(kit: Kit, review: str, finding: Finding, *, by: Person, reason: str) -> Answered:
    """Take a click on a review's card. It has been committed when this returns; one click alone signs it off.

    `by` is the person as the directory has them at this moment.
    """
    async with kit.pool.connection() as conn:
        waiting = await load(conn, review)
        if waiting is None:
            return Answered.NO_SUCH_CARD
        run, actor = waiting.approval.run, approvals.actor(by)
        ruling = kit.policy.rule("review", by, resource(waiting))
        facts = {"review": review, "finding": finding.value, **ruling.facts}
        if not ruling.allowed:
            await audit.append(
                conn, "review.refused_click", run=run, facts=facts, detail={"by": asdict(actor)}
            )
            if ruling.fault:
                return Answered.NOT_CHECKED
            return Answered.TOOK_PART if TOOK_PART in ruling.policies else Answered.NOT_ALLOWED
        if waiting.finding is None and finding is Finding.NOT_IN_ORDER and not reason.strip():
            return Answered.REASON_MISSING
        if not await _settle(conn, review, finding, by=actor, reason=reason):
            return Answered.ALREADY_DECIDED
        await kit.queue.advance(conn, waiting.run)
        await kit.notifier.review(conn, review)
        if finding is Finding.NOT_IN_ORDER:
            told = {"by": by.name, "reason": reason}
            await kit.notifier.alarm(conn, run, "not_in_order", told)
        await audit.append(
            conn, "review.signed", run=run, facts=facts, detail={"by": asdict(actor), "reason": reason}
        )
    return Answered.RECORDED


async def _settle(conn: Connection, review: str, finding: Finding, *, by: Actor, reason: str) -> bool:
    cursor = await conn.execute(
        "UPDATE review SET status = %s, reviewer = %s, reviewed_at = moment(), reason = %s"
        " WHERE id = %s AND status = 'open'",
        (finding.value, Jsonb(asdict(by)), reason, review),
    )
    return cursor.rowcount == 1


async def remind(conn: Connection, notifier: Notifier, review: str) -> None:
    """Say once that the review still waits, if it is time to, and when it is said again.

    It is also time where the reminder lies farther ahead than one can: its clock was wrong.
    """
    cursor = await conn.execute(
        "UPDATE review SET reminders = reminders + 1, remind_at = moment() + every"
        " WHERE id = %s AND status = 'open' AND (remind_at <= moment() OR remind_at > moment() + every)"
        " RETURNING run, reminders, remind_at, every",
        (review,),
    )
    row = await cursor.fetchone()
    if row is not None:
        await cases.wake(conn, row["run"], row["remind_at"], pace=row["every"])
        await notifier.beside_review(conn, review, row["reminders"])


def resource(review: Review) -> Resource:
    """Return the review as the policies see it."""
    part = (name for person in took_part(review.approval) for name in person.identities)
    return "Review", review.id, {"reviewers": [review.reviewers], "took_part": sorted(set(part))}


def took_part(approval: Approval) -> tuple[Actor, ...]:
    """Return everybody who asked, wrote, was granted or decided, for themselves or through a stand-in."""
    held = [vote.stands_for for vote in approval.votes if vote.stands_for is not None]
    voted = [vote.by for vote in approval.votes]
    return (approval.requester, approval.beneficiary, *approval.authors, *voted, *held)


async def _review(conn: Connection, row: Mapping[str, Any]) -> Review:
    approval = await approvals.load(conn, row["approval"])
    assert approval is not None
    at: datetime | None = row["reviewed_at"]
    return Review(
        id=row["id"],
        run=row["run"],
        approval=approval,
        reviewers=row["reviewers"],
        finding=Finding(row["status"]) if at else None,
        by=Actor(**row["reviewer"]) if at else None,
        at=at,
        reason=row["reason"] or "",
        created_at=row["created_at"],
    )
