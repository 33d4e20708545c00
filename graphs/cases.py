"""The rows of runs: what each case knows, where it stands, and when it must be looked at again."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any

from psycopg.types.json import Jsonb

from graphs import ids
from graphs.ports import Connection, Queue
from graphs.records import Actor, Field, Milestone, Run, RunStatus

CLOSED = tuple(status.value for status in RunStatus if not status.is_open)
KEPT = timedelta(days=7)  # for which the checkpoints of a run that has ended are kept


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A run as its row has it: the record, and what only the state machine needs."""

    run: Run
    version: int
    submissions: int
    attempts: int


class Rank(Enum):
    """How soon a run is worked on."""

    EMERGENCY = auto()
    DECIDED = auto()  # somebody has approved it, and waits for it to happen
    ORDINARY = auto()


class NoSuchRun(Exception):
    """There is no run of that id."""


class Unreadable(Exception):
    """Somebody has written into the row of a run, or beside it, what cannot be read."""


class TooManyOpen(Exception):
    """This person has as many open requests as anybody may have. Nothing was begun."""

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} requests are open")
        self.most = most


async def create(
    conn: Connection,
    *,
    key: str,
    workflow: str,
    version: int,
    requester: Actor,
    origin: Mapping[str, str],
    values: Mapping[str, str],
    due_at: datetime | None = None,
    urgent: bool = False,
) -> tuple[str, bool]:
    """Store a run and return its id and whether it is new: the same key gives the same run.

    `urgent`: it is an emergency, and comes before all that are none.
    """
    status = RunStatus.SCHEDULED if due_at else RunStatus.STARTED
    cursor = await conn.execute(
        "WITH made AS (INSERT INTO run"
        "  (id, key, workflow, version, status, requester, origin, slots, due_at, urgent)"
        "  VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (tenant, key) DO NOTHING"
        "  RETURNING id, due_at), woken AS (INSERT INTO timer (run, due_at) SELECT id, due_at FROM made"
        "  WHERE due_at IS NOT NULL) SELECT id FROM made",
        (
            ids.fresh(),
            key,
            workflow,
            version,
            status.value,
            Jsonb(asdict(requester)),
            Jsonb(dict(origin)),
            Jsonb(dict(values)),
            due_at,
            urgent,
        ),
    )
    if row := await cursor.fetchone():
        return str(row["id"]), True
    cursor = await conn.execute("SELECT id FROM run WHERE key = %s", (key,))
    row = await cursor.fetchone()
    assert row is not None
    return str(row["id"]), False


async def rank(conn: Connection, run: str) -> Rank:
    """Return how soon the run is worked on, as it stands in the caller's transaction."""
    cursor = await conn.execute(
        "SELECT urgent, EXISTS (SELECT FROM approval WHERE approval.run = run.id AND status = 'approved')"
        " AS decided FROM run WHERE id = %s",
        (run,),
    )
    row = await cursor.fetchone()
    if row is not None and row["urgent"]:
        return Rank.EMERGENCY
    return Rank.DECIDED if row is not None and row["decided"] else Rank.ORDINARY


async def admit(
    conn: Connection, key: str, requester: Actor, *, urgent: bool, of: Collection[str], most: int
) -> None:
    """Let the requester begin a run of that key. Raises TooManyOpen where they have so many open already.

    Emergencies are counted apart from everything else. One person's requests come one after another from here
    to the end of the transaction, so that two at once are counted too.
    """
    person = requester.human or requester.subject
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('requests ' || %s, 0))", (person,))
    if await exists(conn, [key]):
        return
    cursor = await conn.execute(
        "SELECT count(*) AS open FROM run WHERE status NOT IN ('done', 'refused', 'failed')"
        " AND workflow = ANY(%s) AND urgent = %s"
        " AND (requester->>'subject' = %s OR requester->>'human' = %s)",
        (list(of), urgent, requester.subject, person),
    )
    row = await cursor.fetchone()
    if row is not None and row["open"] >= most:
        raise TooManyOpen(most)


async def exists(conn: Connection, keys: Sequence[str]) -> bool:
    """Whether there is a run of one of these keys."""
    cursor = await conn.execute("SELECT 1 FROM run WHERE key = ANY(%s) LIMIT 1", (list(keys),))
    return await cursor.fetchone() is not None


async def load(conn: Connection, run: str, title: Mapping[str, str]) -> Row:
    """Return the row of a run. Raises NoSuchRun and Unreadable."""
    cursor = await conn.execute(
        "SELECT run.*, EXISTS (SELECT FROM effect WHERE effect.run = run.id) AS begun,"
        " ARRAY(SELECT author FROM edit WHERE edit.run = run.id AND NOT narrows ORDER BY at)"
        " AS authors, ARRAY(SELECT to_jsonb(step) FROM (SELECT key, at, facts FROM run_step"
        "  WHERE run_step.run = run.id ORDER BY seq) AS step) AS milestones FROM run WHERE id = %s",
        (run,),
    )
    row = await cursor.fetchone()
    if row is None:
        raise NoSuchRun(run)
    try:
        return _row(row, title)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Unreadable(run) from error


def _row(row: Mapping[str, Any], title: Mapping[str, str]) -> Row:
    record = Run(
        id=row["id"],
        workflow=row["workflow"],
        title=title.get(row["workflow"], row["workflow"]),
        status=RunStatus(row["status"]),
        requester=Actor(**row["requester"]),
        authors=tuple(Actor(**author) for author in row["authors"]),
        origin=row["origin"],
        values=_texts(row["slots"]),
        missing=tuple(map(_field, row["missing"])),
        problems=_texts(row["problems"]),
        milestones=tuple(
            Milestone(**{**one, "at": datetime.fromisoformat(one["at"])}) for one in row["milestones"]
        ),
        reason=row["reason"],
        facts=_texts(row["facts"]),
        due_at=row["due_at"],
        created_at=row["created_at"],
        begun=row["begun"],
    )
    return Row(run=record, version=row["version"], submissions=row["submissions"], attempts=row["attempts"])


def _field(stored: Mapping[str, Any]) -> Field:
    """Return a field as it was stored, also by an earlier version, to which `requester_only` was `theirs`."""
    known = {**stored, "options": tuple(stored["options"])}
    if "theirs" in known:
        known["requester_only"] = known.pop("theirs")
    return Field(**known)


def _texts(found: object) -> Mapping[str, str]:
    """Return text by name, as we write it: what anybody else has written there is shown, not believed."""
    known = found if isinstance(found, dict) else {}
    return {name: str(value) for name, value in known.items()}


async def take(conn: Connection, run: str, *, forgotten: timedelta) -> tuple[int, datetime]:
    """Take the run for this worker and return the token that fences off every earlier one.

    If the worker does not `release` it, because something went wrong that nobody foresaw, the run is looked
    at again: after `forgotten`, at the time that is returned. Raises NoSuchRun.
    """
    cursor = await conn.execute(
        "WITH taken AS (UPDATE run SET token = token + 1 WHERE id = %s"
        "  RETURNING id, token, moment() + %s AS look_again), woken AS (INSERT INTO timer (run, due_at, pace)"
        "  SELECT id, look_again, %s FROM taken ON CONFLICT DO NOTHING)"
        " SELECT token, look_again FROM taken",
        (run, forgotten, forgotten),
    )
    row = await cursor.fetchone()
    if row is None:
        raise NoSuchRun(run)
    return row["token"], row["look_again"]


async def fence_off(conn: Connection, run: str) -> int:
    """Return a new token; whoever works with an earlier one writes nothing more. Raises NoSuchRun."""
    cursor = await conn.execute("UPDATE run SET token = token + 1 WHERE id = %s RETURNING token", (run,))
    row = await cursor.fetchone()
    if row is None:
        raise NoSuchRun(run)
    return int(row["token"])


_RENEW = """
    INSERT INTO timer (run, due_at, pace)
        SELECT %(run)s, due_at, pace FROM (
            SELECT due_at, NULL::interval AS pace FROM run WHERE id = %(run)s AND status = 'scheduled'
            UNION ALL SELECT unnest(ARRAY[remind_at, escalate_at, decide_by]), NULL
                FROM approval WHERE run = %(run)s AND status = 'pending'
            UNION ALL SELECT remind_at, every FROM review WHERE run = %(run)s AND status = 'open'
        ) AS promised WHERE due_at > moment() ON CONFLICT DO NOTHING"""


async def renew(conn: Connection, run: str) -> None:
    """Have the run woken for all that its records say is still to come.

    A timer is gone once it has rung, and one that rang while a clock was ahead has rung too early.
    """
    await conn.execute(_RENEW.encode(), {"run": run})


async def release(conn: Connection, run: str, *, look_again: datetime) -> None:
    """Let go of a run that has been worked on as far as it goes; it is woken for what is still to come."""
    await conn.execute(
        f"WITH over AS (DELETE FROM timer WHERE run = %(run)s AND due_at = %(look_again)s){_RENEW}".encode(),
        {"run": run, "look_again": look_again},
    )


async def move(
    conn: Connection,
    run: str,
    status: RunStatus,
    *,
    reason: str | None = None,
    facts: Mapping[str, str] | None = None,
) -> None:
    """Say where an open run stands now. A run that has ended stays as it ended.

    One that ends now is looked at again when its checkpoints need no longer be kept.
    """
    cursor = await conn.execute(
        "UPDATE run SET status = %s, reason = %s, facts = %s, attempts = 0"
        " WHERE id = %s AND status <> ALL(%s)",
        (status.value, reason, Jsonb(dict(facts or {})), run, list(CLOSED)),
    )
    if not status.is_open and cursor.rowcount:
        await conn.execute(
            "INSERT INTO timer (run, due_at) VALUES (%s, moment() + %s) ON CONFLICT DO NOTHING", (run, KEPT)
        )


def end_key(effect: str) -> str:
    """Return the key of the run that ends an effect."""
    return f"end {effect}"


async def call_off_end(conn: Connection, approval: str, step: str) -> None:
    """End the run that was to end a step of a plan: the step has been taken back already."""
    await conn.execute(
        "UPDATE run SET status = %s, reason = 'taken_back' WHERE status = %s AND key IN"
        " (SELECT 'end ' || id FROM effect WHERE approval = %s AND step = %s AND act = 'apply')",
        (RunStatus.DONE.value, RunStatus.SCHEDULED.value, approval, step),
    )


async def note(conn: Connection, run: str, key: str, *, mark: str | None = None, **facts: str) -> None:
    """Add a step to the run's story, once for each mark (by default its key)."""
    await conn.execute(
        "INSERT INTO run_step (run, mark, key, facts) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (run, mark or key, key, Jsonb(facts)),
    )


async def await_form(
    conn: Connection, run: str, missing: Iterable[Field], problems: Mapping[str, str]
) -> None:
    """Say what the requester must still fill in."""
    await conn.execute(
        "UPDATE run SET status = %s, missing = %s, problems = %s WHERE id = %s",
        (
            RunStatus.COLLECTING.value,
            Jsonb([asdict(field) for field in missing]),
            Jsonb(dict(problems)),
            run,
        ),
    )


async def fill(conn: Connection, run: str, values: Mapping[str, str]) -> bool:
    """Take what the requester filled in. False when the run no longer waits for it."""
    cursor = await conn.execute(
        "UPDATE run SET slots = slots || %s, submissions = submissions + 1, missing = '[]', problems = '{}',"
        " status = %s WHERE id = %s AND status = %s",
        (Jsonb(dict(values)), RunStatus.CHECKING.value, run, RunStatus.COLLECTING.value),
    )
    return cursor.rowcount == 1


async def retry(
    conn: Connection, run: str, due_at: datetime, *, attempts: int, pace: timedelta, facts: Mapping[str, str]
) -> None:
    """Have the run tried again later, after `pace`.

    `facts` say what went wrong with which system, and what stands.
    """
    await conn.execute(
        "UPDATE run SET status = %s, attempts = %s, facts = %s WHERE id = %s",
        (RunStatus.RETRYING.value, attempts, Jsonb(dict(facts)), run),
    )
    await wake(conn, run, due_at, pace=pace)


async def outage(conn: Connection, system: str, *, due_in: float, reason: str) -> None:
    """Write down that an outside system is left alone for so many seconds."""
    await conn.execute(
        "INSERT INTO outage (system, until, reason) VALUES (%s, moment() + make_interval(secs => %s), %s)"
        " ON CONFLICT (tenant, system) DO UPDATE SET until = excluded.until, reason = excluded.reason,"
        " since = CASE WHEN outage.until < moment() THEN excluded.since ELSE outage.since END",
        (system, due_in, reason),
    )


async def bury(conn: Connection, run: str, facts: Mapping[str, str]) -> None:
    """Let a run rest that was tried too often. It is open still: somebody can have it tried again.

    `facts` say what went wrong the last time, with which system, and what stands.
    """
    await conn.execute(
        "UPDATE run SET status = %s, facts = %s WHERE id = %s",
        (RunStatus.DEAD.value, Jsonb(dict(facts)), run),
    )


async def revive(conn: Connection, run: str) -> bool:
    """Have a run tried again from the first attempt on. False when it does not rest."""
    cursor = await conn.execute(
        "UPDATE run SET status = %s, attempts = 0, facts = '{}' WHERE id = %s AND status = %s",
        (RunStatus.RETRYING.value, run, RunStatus.DEAD.value),
    )
    return cursor.rowcount == 1


async def try_soon(conn: Connection, runs: Sequence[str]) -> None:
    """Count the attempts at what is tried again from the first one on: after the next it waits seconds."""
    await conn.execute(
        "UPDATE run SET attempts = 0 WHERE id = ANY(%s) AND status = %s",
        (list(runs), RunStatus.RETRYING.value),
    )


async def wake(conn: Connection, run: str, due_at: datetime, *, pace: timedelta | None = None) -> None:
    """Have the run looked at again when that time has come.

    With `pace` the time is no promise, and lies no farther ahead than that: see `ring`.
    """
    await conn.execute(
        "INSERT INTO timer (run, due_at, pace) VALUES (%s, %s, %s) ON CONFLICT (tenant, run, due_at)"
        " DO UPDATE SET pace = NULL WHERE excluded.pace IS NULL AND timer.pace IS NOT NULL",
        (run, due_at, pace),
    )


async def waits(conn: Connection, run: str) -> bool:
    """Whether the run is to be looked at again later."""
    cursor = await conn.execute("SELECT 1 FROM timer WHERE run = %s LIMIT 1", (run,))
    return await cursor.fetchone() is not None


async def ring(conn: Connection, queue: Queue) -> int:
    """Turn every timer that is due into a job, in the caller's transaction. Returns how many there were.

    One that only paces, and lies farther ahead than its pace, was set by a clock that was wrong: it is due.
    """
    cursor = await conn.execute(
        "DELETE FROM timer WHERE ctid IN"
        " (SELECT ctid FROM timer WHERE due_at <= moment() OR due_at > moment() + pace"
        "  LIMIT 100 FOR UPDATE SKIP LOCKED) RETURNING run"
    )
    rows: list[dict[str, Any]] = await cursor.fetchall()
    for run in {row["run"] for row in rows}:
        await queue.advance(conn, run)
    return len(rows)


async def versions(conn: Connection) -> set[tuple[str, int]]:
    """Return the workflows and versions that open runs name."""
    cursor = await conn.execute(
        "SELECT DISTINCT workflow, version FROM run WHERE status <> ALL(%s)", (list(CLOSED),)
    )
    return {(row["workflow"], row["version"]) for row in await cursor.fetchall()}
