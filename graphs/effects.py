"""The effect ledger: what has been done in the outside world.

One row for each step of an approved plan, and act. It is written before the call as an intent and settled
after it; a row that is still an intent says that the call may have landed, a cleared one that it has not. Of
an unknown one a person has to say what happened: that is a doubt, one for each time.

Whoever works on a run holds its token, and every new worker raises it; what a worker with an older token
would write is refused, in the transaction that writes. There is no expiring lease on the row beside it: a
worker takes over only what the queue gives it, which is when the one before it has ended or fallen silent,
and then at once. What a token cannot stop is a call of a worker that was held up before it sent; that is what
the lease of a permit is for (`connectors.permits`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from psycopg import AsyncCursor
from psycopg.types.json import Jsonb

from connectors.base import Act
from graphs import erasing, ids
from graphs.plans import ONLY
from graphs.ports import Connection
from graphs.records import Resolution, Run

Cursor = AsyncCursor[dict[str, Any]]
State = Literal["intended", "cleared", "done", "failed", "unknown"]
Stands = Literal["nothing", "maybe", "done", "undone", "still", "maybe_still", "ended"]


class Fenced(Exception):
    """Another worker has taken the run; what this one still holds is stale and nothing more is written."""


class Unknown(Exception):
    """A call that may have landed and can be neither found nor repeated: a person has to say."""

    def __init__(self, effect: str) -> None:
        super().__init__(effect)
        self.effect = effect


class Late(Fenced):
    """A call was answered after another worker had taken the run: it may have been made twice."""

    def __init__(self, effect: str) -> None:
        super().__init__("a call was answered after another worker had taken the run")
        self.effect = effect


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """The run that asks, as the worker holds it: `token` fences off a worker that has lost it."""

    run: Run
    version: int
    token: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """One execution of a write operation, or of its reversal."""

    id: str
    approval: str
    run: str
    act: Act
    operation: str
    key: str
    payload: Mapping[str, Any]
    state: State
    found: bool
    result: Mapping[str, Any] | None
    intended_at: datetime
    settled_at: datetime | None
    ends_at: datetime | None
    resolved: Resolution | None  # what a person said of it while it was unknown
    step: str  # of the plan
    # Whether what it writes is what the record has, and not the row alone: where it is from, not what it is.
    recorded: bool = field(default=False, compare=False)


_END: Mapping[State, Stands] = {
    "intended": "maybe_still",
    "unknown": "maybe_still",
    "cleared": "still",
    "failed": "still",
    "done": "ended",
}
_COLUMNS = (
    "id, approval, run, act, operation, key, payload, state, found, result, intended_at, settled_at, ends_at,"
    " resolved, step"
)


async def find(conn: Connection, approval: str, step: str, act: Act) -> Effect | None:
    """Return the effect of a step of an approved plan, or None where none was ever intended."""
    cursor = await conn.execute(
        f"SELECT {_COLUMNS} FROM effect WHERE approval = %s AND step = %s AND act = %s", (approval, step, act)
    )
    row = await cursor.fetchone()
    return await _read(conn, row) if row else None


async def of_approval(conn: Connection, approval: str) -> list[Effect]:
    """Return the effects under an approval, oldest first."""
    cursor = await conn.execute(
        f"SELECT {_COLUMNS} FROM effect WHERE approval = %s ORDER BY intended_at, act", (approval,)
    )
    return [await _read(conn, row) for row in await cursor.fetchall()]


async def of_run(conn: Connection, run: str) -> list[Effect]:
    """Return the effects of a run, oldest first."""
    cursor = await conn.execute(f"SELECT {_COLUMNS} FROM effect WHERE run = %s ORDER BY intended_at", (run,))
    return [await _read(conn, row) for row in await cursor.fetchall()]


async def by_id(conn: Connection, effect: str) -> Effect:
    """Return the effect of that id."""
    cursor = await conn.execute(f"SELECT {_COLUMNS} FROM effect WHERE id = %s", (effect,))
    row = await cursor.fetchone()
    assert row is not None
    return await _read(conn, row)


async def standing(conn: Connection, run: str) -> list[Effect]:
    """Return what the run has done and not undone, the latest first."""
    found = await of_run(conn, run)
    undone = {
        (one.approval, one.step) for one in found if one.act == "undo" and one.state in {"done", "failed"}
    }
    return [
        one
        for one in reversed(found)
        if one.act == "apply" and one.state == "done" and (one.approval, one.step) not in undone
    ]


async def _read(conn: Connection, row: Mapping[str, Any]) -> Effect:
    return _effect(await erasing.opened(conn, row, "payload", "result"))


async def stands(conn: Connection, run: Run) -> Stands:
    """Say what of a run's doing stands outside, as far as the ledger knows: for the sentence about it.

    A run that ends what another one granted names that one's approval among its values.
    """
    found = await of_run(conn, run.id)
    ended = run.values.get("approval", "")
    if ended and not any(one.act == "apply" for one in found):
        step = run.values.get("step", ONLY)
        granted = await find(conn, ended, step, "apply")
        undone = await find(conn, ended, step, "undo")
        if granted is None or granted.state != "done":
            return "nothing"
        return _END[undone.state] if undone is not None else "still"
    applied = [one for one in found if one.act == "apply"]
    if any(one.state in {"intended", "unknown"} for one in applied):
        return "maybe"
    if await standing(conn, run.id):
        undoing = any(one.act == "undo" and one.state in {"intended", "unknown"} for one in found)
        return "maybe_still" if undoing else "done"
    return "undone" if any(one.state == "done" for one in applied) else "nothing"


def _effect(row: Mapping[str, Any]) -> Effect:
    resolved = row["resolved"]
    return Effect(**{**row, "resolved": None if resolved is None else Resolution(resolved)})


async def intend(
    conn: Connection,
    *,
    approval: str,
    run: str,
    token: int,
    act: Act,
    operation: str,
    payload: Mapping[str, Any],
    lasts: timedelta | None,
    step: str,
    instead: Effect | None = None,
) -> Effect:
    """Write down that the act is about to be done. Raises Fenced when `token` is not the run's latest.

    `instead` is a row that somebody else has put in its place.
    """
    cursor = await conn.execute(
        f"{_HELD} INSERT INTO effect (id, approval, run, act, operation, key, payload, state, token, ends_at,"
        " step)"
        " SELECT %(id)s, %(approval)s, held_run, %(act)s, %(operation)s, %(key)s, %(payload)s, 'intended',"
        " %(token)s, moment() + %(lasts)s::interval, %(step)s FROM held"
        " ON CONFLICT (tenant, approval, step, act)"
        "  DO UPDATE SET (run, operation, key, payload, state, token, intended_at, ends_at)"
        "  = (excluded.run, excluded.operation, excluded.key, excluded.payload, excluded.state,"
        "   excluded.token, excluded.intended_at, excluded.ends_at),"
        "  result = NULL,"
        "  found = false, resolved = NULL, settled_at = NULL"
        f" WHERE effect.id = %(instead)s RETURNING {_COLUMNS}",
        {
            "run": run,
            "token": token,
            "id": ids.fresh(),
            "approval": approval,
            "act": act,
            "operation": operation,
            "key": ids.fresh(),
            "payload": Jsonb(payload),
            "lasts": lasts,
            "step": step,
            "instead": None if instead is None else instead.id,
        },
    )
    return await _read(conn, await _row(cursor))


async def reopen(conn: Connection, effect: Effect, token: int) -> Effect:
    """Write down that an act which has not landed is about to be done after all; its duration begins anew.

    Raises Fenced.
    """
    cursor = await conn.execute(
        f"{_HELD} UPDATE effect SET state = 'intended', resolved = NULL, token = %(token)s,"
        " intended_at = moment(), ends_at = moment() + (ends_at - intended_at) FROM held"
        " WHERE run = held_run AND id = %(id)s"
        f" AND (state = 'cleared' OR state = 'unknown' AND resolved = 'did_not') RETURNING {_COLUMNS}",
        {"run": effect.run, "token": token, "id": effect.id},
    )
    return await _read(conn, await _row(cursor))


async def settle(
    conn: Connection,
    effect: Effect,
    token: int,
    state: State,
    *,
    result: Mapping[str, Any] | None = None,
    found: bool = False,
) -> Effect:
    """Write down how an act ended that was in the state of `effect`. Raises Fenced as `intend` does.

    An effect that becomes unknown opens a doubt.
    """
    cursor = await conn.execute(
        f"{_HELD} UPDATE effect SET state = %(state)s, result = %(result)s, found = %(found)s,"
        " settled_at = moment() FROM held WHERE run = held_run AND id = %(id)s"
        f" AND state = %(before)s AND state NOT IN ('done', 'failed') RETURNING {_COLUMNS}",
        {
            "run": effect.run,
            "token": token,
            "id": effect.id,
            "state": state,
            "result": Jsonb(result) if result is not None else None,
            "found": found,
            "before": effect.state,
        },
    )
    row = await _row(cursor)
    if state == "unknown":
        await conn.execute("INSERT INTO doubt (id, effect) VALUES (%s, %s)", (ids.fresh(), effect.id))
    return await _read(conn, row)


# The run's row, held until commit if the token is still the latest. Whoever would take the run waits so long.
_HELD = "WITH held AS (SELECT id AS held_run FROM run WHERE id = %(run)s AND token = %(token)s FOR UPDATE)"


async def _row(cursor: Cursor) -> Mapping[str, Any]:
    row = await cursor.fetchone()
    if row is None:
        raise Fenced("another worker has taken the run, or settled the effect")
    return row


async def fence(conn: Connection, run: str, token: int) -> None:
    """Hold the run's row until commit, if `token` is still the latest. Raises Fenced otherwise."""
    cursor = await conn.execute(f"{_HELD} SELECT FROM held", {"run": run, "token": token})
    if cursor.rowcount == 0:
        raise Fenced("another worker has taken the run")
