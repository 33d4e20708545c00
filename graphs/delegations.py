"""Who decides for whom while they are away.

A stand-in uses the right of one person, whose membership is read again at each use: nothing is handed on that
the holder does not have themselves, and so nothing can be handed on twice.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from psycopg.types.json import Jsonb

from connectors.directory import Person
from graphs import approvals, audit, ids, recorded
from graphs.ports import Connection
from graphs.records import Actor, Delegation

LONGEST = timedelta(days=60)
_CLOCKS = timedelta(days=2)  # at most between what two clocks of the world call today
_BESIDE = timedelta(seconds=30)  # at most between a row and its event, which one transaction writes


class NotDelegable(Exception):
    """The right cannot be lent so. `key` names the reason for `bot` to put into words."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


async def delegate(
    conn: Connection, *, holder: Person, stand_in: Person, last_day: date, by: str, zone: tzinfo = UTC
) -> Delegation:
    """Let `stand_in` decide for `holder` until the end of `last_day` in `zone`, which is the holder's.

    One stand-in at a time: another one ends what was, the same one gets the new day. `by` says in the audit
    who arranged it. Both are as the directory has them now. Raises NotDelegable.
    """
    now = await _now(conn)
    ends_at = _midnight(last_day, zone, now)
    await _lock(conn)
    await _require(conn, holder, stand_in, now, ends_at)
    earlier = await of_holder(conn, holder.human)
    replaces = "" if earlier is None else earlier.id
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
    await _record(conn, "delegation.made", made, by, replaces=replaces)
    return made


def _midnight(last_day: date, zone: tzinfo, now: datetime) -> datetime:
    """Return the end of a day where that zone's clocks show it. Raises NotDelegable."""
    if last_day - now.date() > LONGEST + _CLOCKS:  # also those days that no clock can show
        raise NotDelegable("too_long")
    if now.date() - last_day > _CLOCKS:
        raise NotDelegable("past")
    return datetime.combine(last_day + timedelta(days=1), time(), zone).astimezone(UTC)


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
        "SELECT * FROM delegation WHERE holder = %s AND stand_in = %s AND ended_at IS NULL",
        (holder, stand_in),
    )
    found = await _recorded(conn, await cursor.fetchall())
    return any(one.starts_at <= at < one.ends_at for one in found)


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
    rows = await cursor.fetchall()
    now = await _now(conn)
    return [one for one in await _recorded(conn, rows) if one.ends_at > now]


async def _recorded(conn: Connection, rows: Iterable[Mapping[str, Any]]) -> list[Delegation]:
    """Return the delegations of these rows, as the record has them: a row alone lends nothing to anybody."""
    found = [(row, await _told(conn, _delegation(row))) for row in rows]
    for row, told in found:
        if told is None:
            recorded.alarm("The delegation", row["id"])
    return [
        told
        for row, told in found
        if told is not None and (told.holder.human, told.stand_in.human) == (row["holder"], row["stand_in"])
    ]


async def _told(conn: Connection, row: Delegation) -> Delegation | None:
    """Return what the record tells of a delegation: it never lasts longer than it says there.

    None where nobody ever made it, where somebody has ended it, or where what it says cannot be read.
    """
    try:
        events = await audit.standing(conn, ("delegation.made", "delegation.ended"), naming=row.id)
    except (audit.ChainBroken, audit.Locked):
        return None
    made = next((one for one in events if _is(one, "delegation.made", row.id)), None)
    if made is None or any(_is(one, "delegation.ended", row.id) for one in events):
        return None
    said = made.detail or {}
    if not (said.get("holder") and said.get("stand_in")):
        return None
    ends = [row.ends_at, datetime.fromisoformat(str(made.facts["until"]))]
    ends += [one.at for one in events if one.facts.get("replaces") == row.id]
    return Delegation(
        id=row.id,
        holder=Actor(**said["holder"]),
        stand_in=Actor(**said["stand_in"]),
        starts_at=max(row.starts_at, made.at - _BESIDE),
        ends_at=min(ends),
    )


def _is(event: audit.Event, kind: str, delegation: str) -> bool:
    return event.kind == kind and event.facts.get("delegation") == delegation


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


async def _record(
    conn: Connection, kind: str, delegation: Delegation, by: str, *, replaces: str = ""
) -> None:
    await audit.append(
        conn,
        kind,
        run=None,
        facts={
            "delegation": delegation.id,
            "until": delegation.ends_at.isoformat(timespec="milliseconds"),
            **({"replaces": replaces} if replaces else {}),
        },
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
