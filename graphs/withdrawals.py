"""What is ended before a person is erased: their open requests, their votes, what they lent and were lent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphs import approvals, audit, cases, delegations, recorded
from graphs.audit.events import Fact
from graphs.erasing import GONE
from graphs.ports import Connection, Notifier, Queue
from graphs.records import Notice, RunStatus, Void

WITHDRAWN = Void(key="withdrawn")
LOST = Void(key="person_erased")  # somebody who wrote or approved it has been erased: it is asked again


@dataclass(frozen=True, kw_only=True, slots=True)
class Open:
    """What of a person is not over. `what` says it in words, without naming them.

    `approval` is the one under which it has to end, and which names them by their id until then.
    """

    run: str
    what: str
    approval: str | None
    moving: bool = False  # it may end by itself within seconds
    attempts: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Withdrawals:
    """Ends things in the caller's transactions. `queue` and `notifier` as the workflows have them."""

    queue: Queue
    notifier: Notifier

    async def request(self, conn: Connection, run: str) -> bool:
        """Withdraw an open request under which nothing was begun. False for any other run."""
        cursor = await conn.execute(
            "SELECT FROM run WHERE id = %s AND status <> ALL(%s) AND NOT slots ? 'approval'"
            " AND NOT EXISTS (SELECT FROM effect WHERE effect.run = run.id) FOR UPDATE",
            (run, list(cases.CLOSED)),
        )
        if await cursor.fetchone() is None:
            return False
        await cases.fence_off(conn, run)  # whoever works on it writes nothing more
        cards = [one.id for one in await approvals.of_run(conn, run)]
        void = [card for card in cards if await approvals.void(conn, card, WITHDRAWN)]
        for card in void:
            await self.notifier.card(conn, card)
        reason, status = WITHDRAWN.key, RunStatus.REFUSED
        await cases.move(conn, run, status, reason=reason, facts={"key": reason})
        await cases.note(conn, run, status.value, reason=reason)
        await self.notifier.progress(conn, run)
        await self.notifier.tell(conn, run, Notice(key=status.value, facts={"key": reason}))
        for card in void:
            facts: Mapping[str, Fact] = {"approval": card, "reason": reason}
            await audit.append(conn, "approval.void", run=run, facts=facts, detail={})
        ended: Mapping[str, Fact] = {"status": status.value, "reason": reason}
        await audit.append(conn, "run.ended", run=run, facts=ended, detail={})
        return True

    async def decision(self, conn: Connection, card: str) -> bool:
        """Have asked again what somebody who is erased has approved or changed for another."""
        cursor = await conn.execute("SELECT run FROM approval WHERE id = %s FOR UPDATE", (card,))
        row = await cursor.fetchone()
        if row is None or not await approvals.void(conn, card, LOST):
            return False
        await self.queue.advance(conn, row["run"])
        await self.notifier.card(conn, card)
        facts: Mapping[str, Fact] = {"approval": card, "reason": LOST.key}
        await audit.append(conn, "approval.void", run=row["run"], facts=facts, detail={})
        return True

    async def delegations(self, conn: Connection, subjects: Sequence[str], *, by: str) -> int:
        """End every delegation from or to these accounts; return how many."""
        found = [
            one
            for one in await delegations.in_force(conn)
            if {one.holder.subject, one.stand_in.subject} & set(subjects)
        ]
        for one in found:
            await delegations.end(conn, one.id, by=by)
        return len(found)

    async def grants(self, conn: Connection, subjects: Sequence[str]) -> int:
        """Have ended now what was lent to these accounts for a time; return how much that is."""
        cursor = await conn.execute(
            "UPDATE run SET due_at = moment() WHERE slots ? 'approval' AND requester ->> 'subject' = ANY(%s)"
            " AND status = ANY(%s) AND due_at > moment() RETURNING id",
            (list(subjects), [RunStatus.SCHEDULED.value]),
        )
        early = [str(row["id"]) for row in await cursor.fetchall()]
        cursor = await conn.execute(
            "SELECT id FROM run WHERE slots ? 'approval' AND requester ->> 'subject' = ANY(%s)"
            " AND status <> ALL(%s)",
            (list(subjects), list(cases.CLOSED)),
        )
        runs = [str(row["id"]) for row in await cursor.fetchall()]
        await cases.try_soon(conn, runs)
        for run in runs:
            await self.queue.advance(conn, run)
        for run in early:
            await audit.append(conn, "run.ends_early", run=run, facts={"reason": "erasure"}, detail={})
        return len(runs)


async def decided(conn: Connection, subjects: Sequence[str]) -> list[str]:
    """Return what others asked for, nothing was done under yet, and rests on these accounts.

    They approved it, or its rows have been changed because they wrote some of it.
    """
    cursor = await conn.execute(
        "SELECT id FROM approval WHERE status IN ('pending', 'approved')"
        " AND run NOT IN (SELECT id FROM run WHERE requester ->> 'subject' = ANY(%(subjects)s))"
        " AND NOT EXISTS (SELECT FROM effect WHERE effect.approval = approval.id)"
        " AND (digest = %(gone)s OR EXISTS (SELECT FROM vote WHERE vote.approval = approval.id"
        "  AND (subject = ANY(%(subjects)s) OR stands_for ->> 'subject' = ANY(%(subjects)s))))"
        " ORDER BY created_at, id",
        {"subjects": list(subjects), "gone": GONE},
    )
    return [str(row["id"]) for row in await cursor.fetchall()]


async def masked(conn: Connection, runs: Sequence[str]) -> None:
    """Write into the record what the words of these requests of others are now that one of them is erased.

    Otherwise they would not be what people were asked for, and neither be carried out nor end.
    """
    for run in runs:
        row = await cases.load(conn, run, {})
        found = await approvals.of_run(conn, run)
        facts: dict[str, Fact] = {"values": recorded.values_of(row.run)}
        if found:
            facts |= {"approval": found[-1].id, "words": recorded.shown_words(found[-1])}
        await audit.append(conn, "run.masked", run=run, facts=facts, detail={})


async def left(conn: Connection, subjects: Sequence[str]) -> list[Open]:
    """Return what of these accounts has not ended: it keeps their ids until it has."""
    cursor = await conn.execute(
        "SELECT id, status, attempts, slots ->> 'group' AS what, slots ? 'approval' AS ending,"
        " coalesce(slots ->> 'approval', (SELECT approval FROM effect WHERE effect.run = run.id LIMIT 1))"
        "  AS approval,"
        " EXISTS (SELECT FROM review WHERE review.run = run.id AND review.status = 'open') AS reviewed"
        " FROM run WHERE requester ->> 'subject' = ANY(%s)"
        " AND (status <> ALL(%s) OR slots ? 'approval' AND status = 'failed') ORDER BY created_at, id",
        (list(subjects), list(cases.CLOSED)),
    )
    found = [_open(row) for row in await cursor.fetchall()]
    cursor = await conn.execute(
        "SELECT id, run FROM approval WHERE action -> 'authors' ?| %s"
        " AND run NOT IN (SELECT id FROM run WHERE requester ->> 'subject' = ANY(%s))"
        " AND EXISTS (SELECT FROM effect WHERE effect.approval = approval.id AND act = 'apply'"
        "  AND state = 'done' AND ends_at IS NOT NULL"
        " AND NOT EXISTS (SELECT FROM effect AS gone WHERE gone.approval = effect.approval"
        "  AND gone.step = effect.step AND gone.act = 'undo' AND gone.state = 'done'))",
        (list(subjects), list(subjects)),
    )
    what = "somebody else's access, which they changed before it was approved, has not ended"
    written = [Open(run=row["run"], what=what, approval=row["id"]) for row in await cursor.fetchall()]
    return [*found, *written]


def _open(row: Mapping[str, Any]) -> Open:
    what = f"access to {row['what']}" if row["what"] else "what they asked for"
    if row["reviewed"]:
        said = f"the review of emergency {what} is not signed"
    elif row["ending"]:
        said = f"{what} has not ended: its end is {row['status']}"
    else:
        said = f"{what} is being carried out: it is {row['status']}"
    moving = row["status"] in _MOVING and not row["reviewed"]
    return Open(run=row["id"], what=said, approval=row["approval"], moving=moving, attempts=row["attempts"])


_MOVING = {"started", "checking", "executing", "scheduled", "retrying", "waiting"}
