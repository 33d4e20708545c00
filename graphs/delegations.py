"""Who decides for whom while they are away.

A stand-in uses the right of one person, whose membership is read again at each use: nothing is handed on that
the holder does not have themselves, and so nothing can be handed on twice.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from connectors.directory import Person
from graphs import approvals, audit, ids
from graphs.ports import Connection
from graphs.records import Actor, Delegation

LONGEST = timedelta(days=60)


class NotDelegable(Exception):
    """The right cannot be lent so. `key` names the reason for `bot` to put into words."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


async def delegate(
    conn: Connection, *, holder: Person, stand_in: Person, last_day: date, by: str
) -> Delegation:
    """Let `stand_in` decide for `holder` until the end of `last_day` (UTC).

    One stand-in at a time: another one ends what was, the same one gets the new day. `by` says in the audit
    who arranged it. Both are as the directory has them now. Raises NotDelegable.
    """
    now = await _now(conn)
    ends_at = datetime.combine(last_day + timedelta(days=1), time(), UTC)
    await _lock(conn)
    await _require(conn, holder, stand_in, now, ends_at)
    earlier = await of_holder(conn, holder.human)
    if earlier is not None and earlier.stand_in.human == stand_in.human:
        await conn.execute("UPDATE delegation SET ends_at = %s WHERE id = %s", (now, earlier.id))
    elif earlier is not None:
        await end(conn, earlier.id, by=by)
    cursor = await conn.execute(
        "INSERT INTO delegation (id, holder, stand_in, holder_person, stand_in_person, starts_at, ends_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING *",
        (
            ids.fresh(),
            holder.human,
            stand_in.human,
            Jsonb(asdict(approvals.actor(holder))),
            Jsonb(asdict(approvals.actor(stand_in))),
            now,
            ends_at,
        ),
    )
    row = await cursor.fetchone()
    assert row is not None
    made = _delegation(row)
    await _record(conn, "delegation.made", made, by)
    return made


async def end(conn: Connection, delegation: str, *, by: str) -> Delegation | None:
    """End a delegation before its time. None where there is none in force of that id."""
    cursor = await conn.execute(
        "UPDATE delegation SET ended_at = moment()"
        " WHERE id = %s AND ended_at IS NULL AND ends_at > moment() RETURNING *",
        (delegation,),
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    ended = _delegation(row)
    await _record(conn, "delegation.ended", ended, by)
    return ended


async def of_holder(conn: Connection, human: str) -> Delegation | None:
    """Return who decides for this human now."""
    found = await _in_force(conn, "holder = %s", human)
    return found[0] if found else None


async def lent_to(conn: Connection, human: str) -> list[Delegation]:
    """Return for whom this human decides now, longest first."""
    return await _in_force(conn, "stand_in = %s", human)


async def in_force(conn: Connection) -> list[Delegation]:
    """Return every delegation that is in force."""
    return await _in_force(conn, "true")


async def covers(conn: Connection, *, holder: str, stand_in: str, at: datetime) -> bool:
    """Whether the one human was in the other's place at that time, and nobody has put an end to it since."""
    cursor = await conn.execute(
        "SELECT 1 FROM delegation WHERE holder = %s AND stand_in = %s"
        " AND starts_at <= %s AND %s < ends_at AND ended_at IS NULL",
        (holder, stand_in, at, at),
    )
    return await cursor.fetchone() is not None


async def _require(
    conn: Connection, holder: Person, stand_in: Person, now: datetime, ends_at: datetime
) -> None:
    if holder.human == stand_in.human:
        raise NotDelegable("self")
    if not (holder.active and stand_in.active):
        raise NotDelegable("inactive")
    if ends_at <= now:
        raise NotDelegable("past")
    if ends_at - now > LONGEST:
        raise NotDelegable("too_long")
    if await of_holder(conn, stand_in.human) is not None:
        raise NotDelegable("away")


async def _in_force(conn: Connection, condition: str, *values: str) -> list[Delegation]:
    cursor = await conn.execute(
        f"SELECT * FROM delegation WHERE {condition} AND ended_at IS NULL AND ends_at > moment()"
        " ORDER BY starts_at, id".encode(),
        values,
    )
    return [_delegation(row) for row in await cursor.fetchall()]


async def _lock(conn: Connection) -> None:
    """Let one delegation at a time be made, so that two at once cannot become a chain."""
    await conn.execute(
        "SELECT pg_advisory_xact_lock(hashtext('delegation ' || current_setting('countersign.tenant')))"
    )


async def _now(conn: Connection) -> datetime:
    cursor = await conn.execute("SELECT moment() AS now")
    row = await cursor.fetchone()
    assert row is not None
    now: datetime = row["now"]
    return now


async def _record(conn: Connection, kind: str, delegation: Delegation, by: str) -> None:
    await audit.append(
        conn,
        kind,
        run=None,
        facts={"delegation": delegation.id, "until": delegation.ends_at.isoformat(timespec="milliseconds")},
        detail={
            "holder": asdict(delegation.holder),
            "stand_in": asdict(delegation.stand_in),
            "arranged_by": by,
        },
    )


def _delegation(row: Mapping[str, Any]) -> Delegation:
    return Delegation(
        id=row["id"],
        holder=Actor(**row["holder_person"]),
        stand_in=Actor(**row["stand_in_person"]),
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
    )
