"""What was done in an emergency, reviewed by somebody who had no part in it. One row is one card."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from connectors.directory import Person
from graphs import approvals, audit, cases, ids, recorded, rights
from graphs.kit import Kit
from graphs.policy import views
from graphs.policy.engine import TOOK_PART, Resource
from graphs.policy.views import People
from graphs.ports import Connection, Notifier
from graphs.records import Actor, Answered, Finding, Review


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
    cursor = await conn.execute(
        "SELECT review.id, approval.run FROM review JOIN approval ON approval.id = review.approval"
        " WHERE review.approval = %s",
        (approval,),
    )
    row = await cursor.fetchone()
    assert row is not None
    asked, _ = await recorded.review(conn, row["id"], row["run"])
    if asked is not None:
        return str(row["id"]), False
    recorded.alarm("The review", row["id"])  # somebody has put it in the place of ours
    await conn.execute(
        "UPDATE review SET run = %s, reviewers = %s, every = %s, remind_at = moment() + %s, status = 'open',"
        " reminders = 0, reviewer = NULL, reviewed_at = NULL, reason = NULL WHERE id = %s",
        (run, reviewers, every, every, row["id"]),
    )
    return str(row["id"]), True


async def load(conn: Connection, review: str) -> Review | None:
    """Return the review that a card names, or None where there is none."""
    cursor = await conn.execute(f"{_ALL} WHERE id = %s", (review,))
    row = await cursor.fetchone()
    return await _review(conn, row) if row else None


async def waiting(conn: Connection) -> list[Review]:
    """Return every review that is not done, oldest first."""
    cursor = await conn.execute(f"{_ALL} WHERE status = 'open' ORDER BY created_at")
    return [await _review(conn, row) for row in await cursor.fetchall()]


async def sign(kit: Kit, review: str, finding: Finding, *, by: Person, reason: str) -> Answered:
    """Take a click on a review's card. It has been committed when this returns; one click alone signs it off.

    `by` is the person as the directory has them at this moment. They and everybody who took part are read
    once more, and together. Raises the directory's errors, and groups.GroupUnclear.
    """
    async with kit.pool.connection() as conn:
        asked = await load(conn, review)
        part = await took_part(conn, asked.approval.run) if asked else ()
    if asked is None:
        return Answered.NO_SUCH_CARD
    group = (await kit.groups.ids([asked.reviewers]))[asked.reviewers]
    subjects = {by.subject, *(one.subject for one in part)}
    people = await rights.read(kit.directory, subjects, within=rights.CLICK)
    by = people[by.subject] or rights.gone(by)
    async with kit.pool.connection() as conn:
        waiting = await load(conn, review)
        assert waiting is not None
        run, actor = waiting.approval.run, approvals.actor(by)
        ruling = kit.policy.rule("review", by, _resource(waiting, group, part, people))
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


def _resource(review: Review, group: str, part: Iterable[Actor], people: People) -> Resource:
    """Return the review as the policies see it."""
    taken = {name for one in part for name in views.names(one, people)}
    return "Review", review.id, {"reviewers": [group], "took_part": sorted(taken)}


async def took_part(conn: Connection, run: str) -> tuple[Actor, ...]:
    """Return everybody who asked, wrote, was granted, decided or resolved, in any round of a run.

    Whom the record names counts, and whom the rows name as well. Raises audit.ChainBroken and audit.Locked.
    """
    found: dict[str, Actor] = {}
    async for event in audit.read(conn, run):
        if event.kind not in _NO_PART:
            found |= {one.subject: one for one in audit.people_in(event)}
    for approval in await approvals.of_run(conn, run):
        voted = [one for vote in approval.votes for one in (vote.by, vote.stands_for) if one is not None]
        parties = (*approval.people, *voted)
        found |= {one.subject: one for one in parties}
    return tuple(found.values())


_NO_PART = {  # also whoever has signed a review: a second click hears that it is done
    "approval.refused_click",
    "effect.refused_click",
    "run.refused_reading",
    "review.refused_click",
    "review.signed",
}


async def _review(conn: Connection, row: Mapping[str, Any]) -> Review:
    approval = await approvals.load(conn, row["approval"])
    assert approval is not None
    row = await _as_recorded(conn, row, approval.run)
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


_ALL = "SELECT *, review.xmin = pg_current_xact_id_if_assigned()::xid AS ours FROM review"


async def _as_recorded(conn: Connection, row: Mapping[str, Any], run: str) -> Mapping[str, Any]:
    """Return the row of a review as the record has it, and put it right where it says another thing."""
    if row["ours"]:  # this very transaction writes it
        return row
    reviewers, signed = await recorded.review(conn, row["id"], run)
    told = dict(row)
    if reviewers is not None:
        told["reviewers"] = reviewers
    if signed is None and row["status"] != "open":
        told |= {"status": "open", "reviewer": None, "reviewed_at": None, "reason": None}
    if told != dict(row):
        recorded.alarm("The review", row["id"])
        await conn.execute(
            "UPDATE review SET reviewers = %s, status = %s, reviewer = %s, reviewed_at = %s, reason = %s"
            " WHERE id = %s",
            (
                told["reviewers"],
                told["status"],
                None if told["reviewer"] is None else Jsonb(told["reviewer"]),
                told["reviewed_at"],
                told["reason"],
                told["id"],
            ),
        )
    return told
