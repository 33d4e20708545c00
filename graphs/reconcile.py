"""What must end, ends: whatever has become of the rows that were to see to it.

What was granted for a time is in the record, with its end. The rows that bring it about (a run, its timer, a
job) can be deleted or changed by whoever has the database's password. So at start and every hour the record
is compared with what has been taken back, and what is overdue is ended by a run of its own: through the gate,
under the approval that covered both, and said aloud.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

from graphs import audit, cases, recorded
from graphs.audit import Event, reading
from graphs.kit import Kit
from graphs.plans import ONLY
from graphs.ports import Connection
from graphs.records import Actor, RunStatus

log = logging.getLogger(__name__)

EVERY = timedelta(hours=1)
PATIENCE = timedelta(minutes=2)  # for what ends by itself, and for rows that somebody is at work on
_PORTION = 500  # events in one transaction


Queued = Callable[[Connection, str], Awaitable[bool]]


async def nothing_queued(conn: Connection, run: str) -> bool:
    """Say that nobody knows of a job about the run."""
    return False


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """Something that was done for a time, as the record has it. `end` is how it was to end."""

    effect: str
    approval: str
    step: str
    run: str
    ends_at: datetime
    end: Mapping[str, Any]

    @property
    def facts(self) -> Mapping[str, str]:
        """What the sentences about it need."""
        values = self.end.get("values", {})
        return {"at": self.ends_at.isoformat(), "group": str(values.get("group", ""))}


class Reconciler:
    """Looks for what is overdue. It keeps what it has read of the record, and trusts no row."""

    def __init__(self, kit: Kit, queued: Queued) -> None:
        self._kit = kit
        self._queued = queued
        self._seq = 0
        self._open: dict[tuple[str, str], Grant] = {}  # by approval and step
        self._overdue: set[str] = set()  # effects of what was overdue already when it last looked
        self._looked: datetime | None = None

    async def sweep(self) -> int:
        """Look, if it is time to. Returns how much had to be put right."""
        async with self._kit.pool.connection() as conn:
            now = await self._kit.clock.now(conn)
        if self._looked is not None and abs(now - self._looked) < EVERY:
            return 0
        self._looked = now
        return await self.reconcile()

    async def reconcile(self) -> int:
        """End what must have ended, and wake what nobody is at work on. Returns how much that was."""
        await self._read()
        async with self._kit.pool.connection() as conn:
            now = await self._kit.clock.now(conn)
            count = await _wake(conn, self._kit)
        overdue = [one for one in self._open.values() if one.ends_at + PATIENCE <= now]
        for grant in overdue:
            count += await self._see_to(grant, now)
        self._overdue = {grant.effect for grant in overdue}
        return count

    async def _see_to(self, grant: Grant, now: datetime) -> int:
        """Have a grant ended. Whatever is wrong about one, the others are ended too.

        What should have ended when it was last looked at, and has not, is said aloud.
        """
        begun, late = 0, grant.effect in self._overdue
        try:
            async with self._kit.pool.connection() as conn:
                begun = await _end(conn, self._kit, grant, now, self._queued, late=late)
        except psycopg.OperationalError:
            raise
        except Exception:
            log.exception("What was granted under the approval %s cannot be ended", grant.approval)
        if late:
            async with self._kit.pool.connection() as conn:
                await _say_late(conn, self._kit, grant)
        return begun

    async def _read(self) -> None:
        """Go on reading what was done and taken back."""
        while True:
            async with self._kit.pool.connection() as conn:
                seq, events = await reading.done(conn, after=self._seq, limit=_PORTION)
                for event in events:
                    await self._take(conn, event)
            if seq is None:
                return
            self._seq = seq

    async def _take(self, conn: Connection, event: Event) -> None:
        facts = event.facts
        approval, step = str(facts["approval"]), str(facts.get("step", ONLY))
        if facts["act"] == "undo":
            self._open.pop((approval, step), None)
            return
        ends_at = recorded.moment(facts.get("ends_at")) or await _by_row(conn, event)
        if ends_at is not None:
            self._open[approval, step] = Grant(
                effect=str(facts["effect"]),
                approval=approval,
                step=step,
                run=str(event.run),
                ends_at=ends_at,
                end=recorded.end_of(event) or await _planned(conn, str(facts["effect"])),
            )


async def _by_row(conn: Connection, event: Event) -> datetime | None:
    """Return when something ends that a release granted which did not write that into the record."""
    if "ends_at" in event.facts:
        return None
    cursor = await conn.execute("SELECT ends_at FROM effect WHERE id = %s", (event.facts["effect"],))
    row = await cursor.fetchone()
    found: datetime | None = None if row is None else row["ends_at"]
    return found


async def _planned(conn: Connection, effect: str) -> Mapping[str, Any]:
    """Return how something was to end that such a release granted, or whose values have been erased."""
    cursor = await conn.execute(
        'SELECT id AS run, workflow, version, requester, origin, slots AS "values" FROM run WHERE key = %s',
        (cases.end_key(effect),),
    )
    return await cursor.fetchone() or {}


async def _end(conn: Connection, kit: Kit, grant: Grant, now: datetime, queued: Queued, *, late: bool) -> int:
    """Have something ended that is overdue. Returns 1 where nobody was at it.

    What is late although somebody is at it begins anew: how far it had come may be what holds it up.
    """
    if await _undoing(conn, grant) in {"effect.done", "effect.unknown"}:  # of that a person has been asked
        return 0
    if not grant.end:
        log.error(
            "Nothing says how the effect %s is to end, which was due at %s.", grant.effect, grant.ends_at
        )
        return 0
    planned = str(grant.end["run"])
    run = planned if await _can_go_on(conn, kit, planned) else await _anew(conn, kit, grant, now)
    if run is None:
        return 0
    attended = await _is_attended(conn, run) or await queued(conn, run)
    if late:
        await kit.saver.forget(conn, run)
    if late or not attended:
        await kit.queue.advance(conn, run, anew=late)
    if attended:
        return 0
    log.error(
        "What was granted under the approval %s was to end at %s, and nothing in the database was going to"
        " end it. Its end is tried now. Somebody has deleted or changed rows: see who has the database's"
        " password.",
        grant.approval,
        grant.ends_at.isoformat(),
    )
    await kit.notifier.alarm(conn, grant.run, "overdue", grant.facts)
    await audit.append(
        conn,
        "effect.overdue",
        run=run,
        facts={
            "approval": grant.approval,
            "step": grant.step,
            "effect": grant.effect,
            "run": run,
            "due": grant.facts["at"],
        },
        detail={},
    )
    return 1


async def _undoing(conn: Connection, grant: Grant) -> str:
    """Return how the taking back stands: the kind of the last event that tells, or nothing."""
    events = await audit.of_approval(
        conn, grant.approval, ("effect.unknown", "effect.resolved", "effect.done")
    )
    kinds = [
        event.kind
        for event in events
        if event.facts["effect"] != grant.effect and event.facts.get("step", ONLY) == grant.step
    ]
    return kinds[-1] if kinds else ""


async def _say_late(conn: Connection, kit: Kit, grant: Grant) -> None:
    """Say aloud, once, that something has not ended although it has been seen to for an hour."""
    if await _undoing(conn, grant) == "effect.done":
        return
    log.error(
        "What was granted under the approval %s was to end at %s, and has not ended. What tries to end it"
        " gets nowhere: see above, and countersign doctor.",
        grant.approval,
        grant.ends_at.isoformat(),
    )
    await kit.notifier.alarm(conn, grant.run, "late", grant.facts)


async def _can_go_on(conn: Connection, kit: Kit, run: str) -> bool:
    """Whether the run that was to end it is open, and as it was planned."""
    try:
        row = await cases.load(conn, run, kit.titles)
    except (cases.NoSuchRun, cases.Unreadable):
        return False
    if not row.run.status.is_open or not await recorded.is_run(conn, row.run):
        return False
    await conn.execute(  # whatever its row says of when it begins: the record says that it is time
        "UPDATE run SET due_at = least(due_at, moment()) WHERE id = %s AND status = %s",
        (run, RunStatus.SCHEDULED.value),
    )
    return True


async def _anew(conn: Connection, kit: Kit, grant: Grant, now: datetime) -> str | None:
    """Make the run that ends it once more, at most once a day. None where that has been made."""
    end = grant.end
    run, fresh = await cases.create(
        conn,
        key=f"{cases.end_key(grant.effect)} {now:%Y-%m-%d}",
        workflow=str(end["workflow"]),
        version=int(end["version"]),
        requester=Actor(**end["requester"]),
        origin=end["origin"],
        values=end["values"],
        due_at=now,
    )
    await conn.execute("DELETE FROM timer WHERE run = %s", (run,))  # it is put into the queue instead
    return run if fresh else None


async def _is_attended(conn: Connection, run: str) -> bool:
    """Whether the run is looked at again within the hour by itself."""
    cursor = await conn.execute(
        "SELECT FROM timer WHERE run = %s AND due_at <= moment() + %s::interval LIMIT 1", (run, EVERY)
    )
    return await cursor.fetchone() is not None


async def _wake(conn: Connection, kit: Kit) -> int:
    """Look again at runs that should have moved on and that nothing will wake: a look does no harm."""
    cursor = await conn.execute(
        "SELECT id FROM run WHERE status = ANY(%s) AND created_at <= moment() - %s::interval"
        " AND NOT EXISTS (SELECT FROM timer WHERE timer.run = run.id)"
        " UNION SELECT run FROM approval WHERE status = 'pending' AND decide_by <= moment() - %s::interval",
        (_MOVING, PATIENCE, PATIENCE),
    )
    rows = await cursor.fetchall()
    for row in rows:
        log.warning(
            "The run %s is looked at again: it should have moved on, and nothing was to wake it.", row["id"]
        )
        await kit.queue.advance(conn, row["id"])
    return len(rows)


_MOVING = [
    one.value for one in (RunStatus.STARTED, RunStatus.CHECKING, RunStatus.EXECUTING, RunStatus.RETRYING)
]
