"""The effect ledger: what has been done in the outside world.

One row for each approval and act. It is written before the call as an intent and settled after it; a row that
is still an intent says that the call may have landed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from psycopg.types.json import Jsonb

from connectors.base import Act
from graphs import ids
from graphs.ports import Connection

State = Literal["intended", "done", "failed", "unknown"]


class Fenced(Exception):
    """Another worker has taken the run; what this one still holds is stale and nothing more is written."""


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


_COLUMNS = (
    "id, approval, run, act, operation, key, payload, state, found, result, intended_at, settled_at, ends_at"
)


async def find(conn: Connection, approval: str, act: Act) -> Effect | None:
    """Return the effect of an approval, or None where none was ever intended."""
    cursor = await conn.execute(
        f"SELECT {_COLUMNS} FROM effect WHERE approval = %s AND act = %s", (approval, act)
    )
    row = await cursor.fetchone()
    return Effect(**row) if row else None


async def of_run(conn: Connection, run: str) -> list[Effect]:
    """Return the effects of a run, oldest first."""
    cursor = await conn.execute(f"SELECT {_COLUMNS} FROM effect WHERE run = %s ORDER BY intended_at", (run,))
    return [Effect(**row) for row in await cursor.fetchall()]


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
) -> Effect:
    """Write down that the act is about to be done. Raises Fenced when `token` is not the run's latest."""
    await fence(conn, run, token)
    cursor = await conn.execute(
        "INSERT INTO effect (id, approval, run, act, operation, key, payload, state, token, ends_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, 'intended', %s, moment() + %s::interval)"
        f" RETURNING {_COLUMNS}",
        (
            ids.fresh(),
            approval,
            run,
            act,
            operation,
            ids.fresh(),
            Jsonb(payload),
            token,
            lasts,
        ),
    )
    row = await cursor.fetchone()
    assert row is not None
    return Effect(**row)


async def settle(
    conn: Connection,
    effect: Effect,
    token: int,
    state: State,
    *,
    result: Mapping[str, Any] | None = None,
    found: bool = False,
) -> Effect:
    """Write down how an intended act ended. Raises Fenced when `token` is not the run's latest."""
    await fence(conn, effect.run, token)
    cursor = await conn.execute(
        "UPDATE effect SET state = %s, result = %s, found = %s, settled_at = moment()"
        f" WHERE id = %s AND state = 'intended' RETURNING {_COLUMNS}",
        (state, Jsonb(result) if result is not None else None, found, effect.id),
    )
    row = await cursor.fetchone()
    if row is None:
        raise Fenced("the effect has been settled by another worker")
    return Effect(**row)


async def fence(conn: Connection, run: str, token: int) -> None:
    """Hold the run's row until commit, if `token` is still the latest. Raises Fenced otherwise."""
    cursor = await conn.execute("SELECT token FROM run WHERE id = %s FOR UPDATE", (run,))
    row = await cursor.fetchone()
    if row is None or row["token"] != token:
        raise Fenced("another worker has taken the run")
