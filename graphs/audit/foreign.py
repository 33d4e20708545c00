"""What somebody else wrote into the record: it is named there, told to the operator, and counted nowhere."""

import hashlib
import json
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphs.audit import keyed
from graphs.audit.keyed import MAC, Row
from graphs.audit.vault import book_of
from graphs.ports import Connection

log = logging.getLogger(__name__)

KIND = "audit.foreign"
NAMED = 50  # numbers of foreign events that one event of ours names
_PORTION = 500  # events


@dataclass(frozen=True, kw_only=True, slots=True)
class Walked:
    """The end of the record: the last event of ours, what is foreign behind it, and the next free number."""

    last: Row | None
    foreign: tuple[int, ...]
    free: int
    whole: bool  # whether nothing of ours can stand behind what was read


async def walk(conn: Connection, rows: Sequence[Row], *, free: int, full: bool) -> Walked:
    """Go through events in order, from number `free` on. `full`: there may be more than these.

    Events of ours leave no gap. What is foreign behind one takes its number from us when we come to it.
    """
    last: Row | None = None
    strange: list[int] = []
    gap = False
    for row, ours in zip(rows, await keyed.own(conn, rows), strict=True):
        gap = gap or row["seq"] > free
        if ours:
            last, free = row, row["seq"] + 1
        else:
            strange.append(row["seq"])
            free += row["seq"] == free
    return Walked(last=last, foreign=tuple(strange), free=free, whole=gap or not full)


async def behind(conn: Connection, after: int) -> tuple[list[Row], list[int]]:
    """Return all events of ours behind one, and the numbers of what is foreign there."""
    ours: list[Row] = []
    strange: list[int] = []
    while True:
        cursor = await conn.execute(
            f"SELECT tenant, seq, hash, {MAC} FROM audit_event AS event WHERE seq > %s ORDER BY seq LIMIT %s",
            (after, _PORTION),
        )
        rows = await cursor.fetchall()
        if not rows:
            return ours, strange
        for row, mine in zip(rows, await keyed.own(conn, rows), strict=True):
            if mine:
                ours.append(row)
            else:
                strange.append(row["seq"])
        after = rows[-1]["seq"]


async def before(conn: Connection) -> list[int]:
    """Return the numbers of what stands before the first event that there can be."""
    cursor = await conn.execute("SELECT seq FROM audit_event WHERE seq <= 0 ORDER BY seq")
    return [row["seq"] for row in await cursor.fetchall()]


async def walk_from(conn: Connection, after: int) -> Walked:
    """Go through all events behind one."""
    ours, strange = await behind(conn, after)
    last = ours[-1] if ours else None
    free = (last["seq"] if last is not None else after) + 1
    taken = set(strange)
    while free in taken:
        free += 1
    return Walked(last=last, foreign=tuple(strange), free=free, whole=True)


async def hashes(conn: Connection, found: Collection[int]) -> dict[int, str]:
    """Return the hashes of what these events say, whatever they say of that themselves."""
    if not found:
        return {}
    cursor = await conn.execute(
        "SELECT seq, body FROM audit_event WHERE seq = ANY(%s) ORDER BY seq", (list(found),)
    )
    return {row["seq"]: hashlib.sha256(row["body"].encode()).hexdigest() for row in await cursor.fetchall()}


async def unnamed(conn: Connection, found: Collection[int]) -> list[int]:
    """Return which of these no event of ours names yet."""
    if not found:
        return []
    book = book_of(conn)
    named = await _named(conn)
    book.noted |= named & set(found)
    return sorted(set(found) - named)


async def _named(conn: Connection) -> set[int]:
    cursor = await conn.execute(
        f"SELECT tenant, seq, hash, body, {MAC} FROM audit_event AS event WHERE kind = '{KIND}' ORDER BY seq"
    )
    rows = await cursor.fetchall()
    named: set[int] = set()
    for row, ours in zip(rows, await keyed.own(conn, rows), strict=True):
        if ours:
            named |= set(numbers(json.loads(row["body"])["facts"]))
    return named


def numbers(facts: Mapping[str, Any]) -> list[int]:
    """Return the numbers of the events that one of ours names as foreign."""
    return [int(one) for one in str(facts.get("events", "")).split(", ") if one]


def alarm(found: Sequence[int]) -> None:
    """Tell the operator."""
    log.error(
        "The record holds events that this bot did not write (%s). They count nowhere. Somebody has the"
        " database's password, or a bot here works with an audit_key that this machine lacks: look at them"
        " with `countersign audit verify`, change the password, and see who had it.",
        ", ".join(map(str, found)),
    )
