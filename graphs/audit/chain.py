"""Writing the record: one event at a time, each with the hash of the one before it."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from graphs.audit import checkpoints, context, foreign, keyed, people
from graphs.audit.context import Context
from graphs.audit.events import GENESIS, ChainBroken, Committed, Fact, body
from graphs.audit.foreign import Walked
from graphs.audit.values import HOUSE, PARAMETERS, split
from graphs.audit.vault import Someone, book_of, seal, vault_of
from graphs.ports import Connection

_TRIES = 100  # numbers that somebody else may take before us while we write


async def append(
    conn: Connection,
    kind: str,
    *,
    run: str | None,
    facts: Mapping[str, Fact],
    detail: Mapping[str, Any],
    house: Mapping[str, Any] | None = None,
) -> None:
    """Append one event in the caller's transaction. Call it last: it holds the chain's head until commit.

    `facts` name nobody and stand in the event. `detail` is kept beside it, each person's values under their
    own key; `house` too, for what concerns nobody and outlives everybody. Raises Unopened where this process
    has not opened the record.
    """
    near = book_of(conn).near.get(run, ())
    seen, around = await context.hold(conn, kind, run, facts, detail, handles=near)
    tenant = seen["tenant"]
    for attempt in range(_TRIES):
        if await _append(conn, tenant, around, house, None if attempt else seen):
            return
    raise ChainBroken("somebody else takes every number of the record before we can")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """Where an event goes: its number, the hash that it follows, the time, and the people known of it."""

    seq: int
    previous: str
    at: datetime
    found: Sequence[Mapping[str, Any]]


async def _append(
    conn: Connection,
    tenant: str,
    around: Context,
    house: Mapping[str, Any] | None,
    seen: Mapping[str, Any] | None,
) -> bool:
    """Write the event at the end. False where something is in the way: what is foreign has been named now.

    `seen` is what the end of the record and its people were like a moment before the end was held. None, or
    where it lacks somebody: they are looked at again.
    """
    vault = vault_of(conn)
    parts = split(around.values, around.people, around.concerned)
    wanted = {subject for part in parts for subject in part.owners}
    wanted |= {subject for subject in (around.actor, HOUSE if house else None) if subject is not None}
    handles = people.handles(vault, tenant, wanted)
    if seen is None or not wanted <= {handles.get(row["handle"]) for row in seen["found"]}:
        seen = await context.look(conn, list(handles))
        book_of(conn).remember(around.id, list(handles))
    place = await _place(conn, seen)
    if place is None:
        return False
    found = [row for row in place.found if row["handle"] in handles]
    known = {handles[row["handle"]]: people.someone(vault, tenant, row) for row in found}
    known |= await people.welcome(conn, vault, tenant, wanted - known.keys())
    kept = [(part.owners, _committed(part.owners, known, part.values)) for part in parts]
    if house:
        kept.append((frozenset({HOUSE}), _committed({HOUSE}, known, house)))
    written = body(
        around.envelope({subject: one.pseudonym for subject, one in known.items()}),
        seq=place.seq,
        previous=place.previous,
        at=place.at,
        details=[one for _, one in kept],
        parameters=next((one.commitment for _, one in kept if one.values.keys() & {*PARAMETERS}), None),
    )
    if not await _insert(
        conn, tenant, place.seq, written, [(one, [known[o] for o in owners]) for owners, one in kept]
    ):
        return False
    if place.seq % checkpoints.EVERY == 0:
        await checkpoints.sign(conn)
    return True


async def _place(conn: Connection, seen: Mapping[str, Any]) -> _Place | None:
    """Find the end of the record. None where it was not as it should be.

    What is foreign at the end has been named by an event of ours then.
    """
    book = book_of(conn)
    ending = seen["ending"]
    if not ending and book.end is None:
        return _Place(seq=1, previous=GENESIS, at=seen["at"], found=seen["found"])
    walked = await _walked(conn, ending)
    if not book.noted.issuperset(walked.foreign):
        await name(conn, walked.foreign)
        return None
    last = walked.last
    book.end = last["seq"] if last is not None else None
    previous = last["hash"] if last is not None else GENESIS
    return _Place(seq=walked.free, previous=previous, at=seen["at"], found=seen["found"])


async def _walked(conn: Connection, ending: Sequence[Mapping[str, Any]]) -> Walked:
    """Go through the end of the record; from the last checkpoint on where what was known of it is no help."""
    strange: tuple[int, ...] = ()
    if ending:
        near = await foreign.walk(conn, ending, free=ending[0]["seq"], full=len(ending) == context.NEAR)
        strange = near.foreign
        if near.whole and near.last is not None and ending[0]["seq"] not in strange:
            return near
    made = await checkpoints.latest(conn)
    begin = made.seq if made is not None else 0
    walked = await foreign.walk_from(conn, begin)
    if walked.last is None and made is None and await keyed.adopt(conn):
        strange, walked = (), await foreign.walk_from(conn, begin)
    if walked.last is None and made is not None:
        walked = replace(walked, last={"seq": made.seq, "hash": made.hash})
    return replace(walked, foreign=tuple(sorted({*walked.foreign, *strange})))


async def name(conn: Connection, found: Sequence[int]) -> bool:
    """Say in the record and to the operator that these events are foreign. False where that has been said."""
    fresh = await foreign.unnamed(conn, found)
    book_of(conn).noted |= set(fresh)  # what is written now is in nobody's way, also not in its own
    for at in range(0, len(fresh), foreign.NAMED):
        some = fresh[at : at + foreign.NAMED]
        foreign.alarm(some)
        facts: dict[str, Fact] = {"events": ", ".join(map(str, some)), "count": len(some)}
        await append(conn, foreign.KIND, run=None, facts=facts, detail={})
    return bool(fresh)


def _committed(owners: Collection[str], known: Mapping[str, Someone], values: Mapping[str, Any]) -> Committed:
    return Committed(of=sorted(known[subject].pseudonym for subject in owners), values=values)


async def _insert(
    conn: Connection,
    tenant: str,
    seq: int,
    written: bytes,
    kept: list[tuple[Committed, list[Someone]]],
) -> bool:
    """Write the event, unless its number has been taken, or the key of somebody was deleted meanwhile."""
    text, digest = written.decode(), hashlib.sha256(written).hexdigest()
    parts = [
        {"part": part, "owners": list(one.of), "sealed": _sealed(one, owners, place(tenant, seq, part)).hex()}
        for part, (one, owners) in enumerate(kept)
    ]
    owners = sorted({name for one, _ in kept for name in one.of})
    cursor = await conn.execute(
        "WITH said AS (SELECT %(body)s::text AS body, %(hash)s AS hash, %(body)s::jsonb AS j),"
        " event AS (INSERT INTO audit_event (seq, run, trace, kind, previous, hash, body, mac)"
        "  SELECT %(seq)s, j ->> 'run', j ->> 'trace', j ->> 'kind', j ->> 'previous', hash, body, %(mac)s"
        "  FROM said WHERE (SELECT count(*) FROM audit_subject WHERE pseudonym = ANY(%(owners)s)) = %(many)s"
        "  ON CONFLICT DO NOTHING RETURNING 1),"
        " kept AS (INSERT INTO audit_part (seq, part, owners, sealed)"
        "  SELECT %(seq)s, part, owners, decode(sealed, 'hex')"
        "  FROM jsonb_to_recordset(%(parts)s) AS kept (part integer, owners text[], sealed text), event)"
        " SELECT 1 FROM event",
        {
            "body": text,
            "hash": digest,
            "mac": keyed.mac(vault_of(conn), tenant, seq, digest),
            "seq": seq,
            "parts": Jsonb(parts),
            "owners": owners,
            "many": len(owners),
        },
    )
    return cursor.rowcount == 1


def _sealed(committed: Committed, owners: Sequence[Someone], where: str) -> bytes:
    plain = json.dumps({"salt": committed.salt, "values": committed.values}, ensure_ascii=False)
    return seal(owners, where, plain.encode())


def place(tenant: str, seq: int, part: int) -> str:
    """Return where a part belongs; it opens nowhere else."""
    return f"{tenant}\0{seq}\0{part}"
