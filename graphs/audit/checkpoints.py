"""Signed checkpoints: what the record held at a moment, so that its end cannot be cut off unseen.

A checkpoint names the last event, the hashes of those since the checkpoint before it, and that checkpoint.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from graphs.audit import head, merkle
from graphs.audit.events import GENESIS, canonical
from graphs.audit.vault import vault_of
from graphs.ports import Connection

EVERY = 1_000  # events
AFTER = timedelta(seconds=30)  # since the first event that none covers; sweeps may be late
PURPOSE = b"countersign audit checkpoint\0"  # so that the signature serves for nothing else


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """One signed checkpoint: the canonical JSON that was signed, and the signature in hexadecimal."""

    seq: int
    body: str
    signature: str


async def sweep(conn: Connection) -> None:
    """Sign the end of the record if it is time. Any number of workers may ask; one of them does it.

    It is also time where the event is of a time still to come: it was written by a clock that was wrong.
    """
    cursor = await conn.execute(
        "SELECT 1 FROM audit_event WHERE seq = coalesce((SELECT max(seq) FROM audit_checkpoint), 0) + 1"
        " AND NOT (body::jsonb ->> 'at')::timestamptz BETWEEN moment() - %s::interval AND moment()",
        (AFTER,),
    )
    if await cursor.fetchone() is not None:
        await sign(conn)


async def sign(conn: Connection) -> Checkpoint | None:
    """Sign the end of the record as it stands. None where the last checkpoint covers it already."""
    tenant = await head.hold(conn)
    last = await latest(conn)
    covered = last.seq if last is not None else 0
    cursor = await conn.execute("SELECT seq, hash FROM audit_event WHERE seq > %s ORDER BY seq", (covered,))
    events = await cursor.fetchall()
    if not events:
        return None
    cursor = await conn.execute("SELECT moment() AS at")
    here = await cursor.fetchone()
    assert here is not None
    vault = vault_of(conn)
    body = canonical(
        {
            "v": 1,
            "tenant": tenant,
            "after": covered,
            "seq": events[-1]["seq"],
            "hash": events[-1]["hash"],
            "root": merkle.root([row["hash"] for row in events]),
            "previous": GENESIS if last is None else hashlib.sha256(last.body.encode()).hexdigest(),
            "at": here["at"].isoformat(timespec="milliseconds"),
            "key": vault.public_keys[0],
        }
    )
    made = Checkpoint(
        seq=events[-1]["seq"], body=body.decode(), signature=vault.signer.sign(PURPOSE + body).hex()
    )
    await conn.execute(
        "INSERT INTO audit_checkpoint (seq, body, signature) VALUES (%s, %s, %s)",
        (made.seq, made.body, made.signature),
    )
    return made


async def latest(conn: Connection) -> Checkpoint | None:
    """Return the last checkpoint."""
    cursor = await conn.execute("SELECT seq, body, signature FROM audit_checkpoint ORDER BY seq DESC LIMIT 1")
    row = await cursor.fetchone()
    return None if row is None else Checkpoint(**row)


async def after(conn: Connection, seq: int) -> list[Checkpoint]:
    """Return the checkpoints of events behind `seq`, in order."""
    cursor = await conn.execute(
        "SELECT seq, body, signature FROM audit_checkpoint WHERE seq > %s ORDER BY seq", (seq,)
    )
    return [Checkpoint(**row) for row in await cursor.fetchall()]
