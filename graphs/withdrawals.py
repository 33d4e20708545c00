"""What is ended because whoever asked wants it no more, or is to be erased."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from graphs import approvals, audit, cases, delegations, recorded
from graphs.audit.events import Fact
from graphs.erasing import GONE
from graphs.ports import Connection, Notifier, Queue
from graphs.records import Actor, Answered, Notice, Run, RunStatus, Void

WITHDRAWN = Void(key="withdrawn")
THEIRS = Void(key="withdrawn", facts={"of": "requester"})  # because they want it no more
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
        if await _standing(conn, run) != "open":
            return False
        await self._end(conn, run, WITHDRAWN)
        return True

    async def by_requester(self, conn: Connection, run: Run, by: Actor) -> Answered:
        """Withdraw a request because whoever asked wants it no more. Only RECORDED changed anything.

        It cannot be withdrawn once its first effect is intended. Of a click here and the first intent, or a
        decision, each waits for the other in the database, and the one that comes first counts.
        """
        if by.subject != run.requester.subject:
            return Answered.NOT_YOURS
        standing = await _standing(conn, run.id)
        if standing != "open":
            return Answered.BEGUN if standing == "begun" else Answered.CLOSED
        await self._end(conn, run.id, THEIRS, by=by)
        return Answered.RECORDED

    async def _end(self, conn: Connection, run: str, why: Void, *, by: Actor | None = None) -> None:
        """End a run whose row is held. `by` is whoever asked for that."""
        await cases.fence_off(conn, run)  # whoever works on it writes nothing more
        cards = [one.id for one in await approvals.of_run(conn, run)]
        void = [card for card in cards if await approvals.void(conn, card, why)]
        for card in void:
            await self.notifier.card(conn, card)
        reason, status = why.key, RunStatus.REFUSED
        await cases.move(conn, run, status, reason=reason, facts={**why.facts, "key": reason})
        await cases.note(conn, run, status.value, reason=reason)
        await self.notifier.progress(conn, run)
        told = Notice(key=status.value, facts={"key": reason}) if by is None else Notice(key=reason)
        await self.notifier.tell(conn, run, told)
        if by is not None:
            await audit.append(conn, "run.withdrawn", run=run, facts={}, detail={"by": asdict(by)})
        for card in void:
            facts: Mapping[str, Fact] = {"approval": card, "reason": reason}
            await audit.append(conn, "approval.void", run=run, facts=facts, detail={})
        ended: Mapping[str, Fact] = {"status": status.value, "reason": reason}
        await audit.append(conn, "run.ended", run=run, facts=ended, detail={})

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


async def _standing(conn: Connection, run: str) -> Literal["open", "begun", "closed"]:
    """Hold a run's row, and say whether it can be withdrawn: it is open, and nothing of it was ever intended.

    What ends something that was granted cannot. The row is held first: what another transaction that had it
    has written is seen only by a statement that begins afterwards.
    """
    await conn.execute("SELECT FROM run WHERE id = %s FOR UPDATE", (run,))
    cursor = await conn.execute(
        "SELECT status = ANY(%s) AS closed, slots ? 'approval' OR"
        " EXISTS (SELECT FROM effect WHERE effect.run = run.id) AS begun FROM run WHERE id = %s",
        (list(cases.CLOSED), run),
    )
    row = await cursor.fetchone()
    if row is None or row["closed"]:
        return "closed"
    begun = row["begun"] or await audit.last(conn, run, ("effect.intended",)) is not None
    return "begun" if begun else "open"


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
