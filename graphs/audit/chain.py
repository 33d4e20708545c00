"""Writing the record: one event at a time, each with the hash of the one before it."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from graphs.audit import checkpoints, context, people
from graphs.audit.events import GENESIS, Committed, Fact, body
from graphs.audit.values import HOUSE, PARAMETERS, split
from graphs.audit.vault import Someone, seal, vault_of
from graphs.ports import Connection


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
    own key; `house` too, for what concerns nobody and outlives everybody. Raises Locked where this process
    has not opened the keys of the record.
    """
    vault = vault_of(conn)
    tenant, around = await context.hold(conn, kind, run, facts, detail)
    parts = split(around.values, around.people, around.concerned)
    wanted = {subject for part in parts for subject in part.owners} | {*around.approvers}
    wanted |= {subject for subject in (around.actor, HOUSE if house else None) if subject is not None}
    handles = people.handles(vault, tenant, wanted)
    previous, seq, at, found = await _last(conn, list(handles))
    known = {handles[row["handle"]]: people.someone(vault, tenant, row) for row in found}
    known |= await people.welcome(conn, vault, tenant, wanted - known.keys())
    kept = [(part.owners, _committed(part.owners, known, part.values)) for part in parts]
    if house:
        kept.append((frozenset({HOUSE}), _committed({HOUSE}, known, house)))
    written = body(
        around.envelope({subject: one.pseudonym for subject, one in known.items()}),
        seq=seq,
        previous=previous,
        at=at,
        details=[one for _, one in kept],
        parameters=next((one.commitment for _, one in kept if one.values.keys() & {*PARAMETERS}), None),
    )
    await _insert(conn, tenant, seq, written, [(one, [known[o] for o in owners]) for owners, one in kept])
    if seq % checkpoints.EVERY == 0:
        await checkpoints.sign(conn)


async def _last(
    conn: Connection, handles: list[str]
) -> tuple[str, int, datetime, Sequence[Mapping[str, Any]]]:
    """Return the hash of the last event, the next one's number, the time, and those of these people known."""
    cursor = await conn.execute(
        f"SELECT moment() AS at, last.seq, last.hash, ARRAY({people.KNOWN}) AS found"
        " FROM (SELECT 1) AS one LEFT JOIN LATERAL"
        " (SELECT seq, hash FROM audit_event ORDER BY seq DESC LIMIT 1) AS last ON true",
        (handles,),
    )
    row = await cursor.fetchone()
    assert row is not None
    return row["hash"] or GENESIS, (row["seq"] or 0) + 1, row["at"], row["found"]


def _committed(owners: Collection[str], known: Mapping[str, Someone], values: Mapping[str, Any]) -> Committed:
    return Committed(of=sorted(known[subject].pseudonym for subject in owners), values=values)


async def _insert(
    conn: Connection,
    tenant: str,
    seq: int,
    written: bytes,
    kept: list[tuple[Committed, list[Someone]]],
) -> None:
    text, digest = written.decode(), hashlib.sha256(written).hexdigest()
    parts = [
        {"part": part, "owners": list(one.of), "sealed": _sealed(one, owners, place(tenant, seq, part)).hex()}
        for part, (one, owners) in enumerate(kept)
    ]
    await conn.execute(
        "WITH said AS (SELECT %(body)s::text AS body, %(hash)s AS hash, %(body)s::jsonb AS j),"
        " event AS (INSERT INTO audit_event (seq, run, trace, kind, previous, hash, body)"
        "  SELECT %(seq)s, j ->> 'run', j ->> 'trace', j ->> 'kind', j ->> 'previous', hash, body FROM said)"
        " INSERT INTO audit_part (seq, part, owners, sealed)"
        " SELECT %(seq)s, part, owners, decode(sealed, 'hex')"
        " FROM jsonb_to_recordset(%(parts)s) AS kept (part integer, owners text[], sealed text)",
        {"body": text, "hash": digest, "seq": seq, "parts": Jsonb(parts)},
    )


def _sealed(committed: Committed, owners: Sequence[Someone], where: str) -> bytes:
    plain = json.dumps({"salt": committed.salt, "values": committed.values}, ensure_ascii=False)
    return seal(owners, where, plain.encode())


def place(tenant: str, seq: int, part: int) -> str:
    """Return where a part belongs; it opens nowhere else."""
    return f"{tenant}\0{seq}\0{part}"
