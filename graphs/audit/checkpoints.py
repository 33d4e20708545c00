"""Signed checkpoints: what the record held at a moment, so that its end cannot be cut off unseen.

A checkpoint names the last event, the hashes of those since the checkpoint before it, and that checkpoint.
Its hashes are of our own events only. What is foreign among them is listed, so that whoever has no secret
knows.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from graphs.audit import chain, foreign, head, merkle
from graphs.audit.events import GENESIS, canonical
from graphs.audit.vault import vault_of
from graphs.ports import Connection

log = logging.getLogger(__name__)

EVERY = 1_000  # events
AFTER = timedelta(seconds=30)  # since the first event that none covers; sweeps may be late
PURPOSE = b"countersign audit checkpoint\0"  # so that the signature serves for nothing else


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """One signed checkpoint: the canonical JSON that was signed, and the signature in hexadecimal."""

    seq: int
    body: str
    signature: str

    @property
    def said(self) -> Mapping[str, Any]:
        """What was signed."""
        said: Mapping[str, Any] = json.loads(self.body)
        return said

    @property
    def hash(self) -> str:
        """The hash of the last event that it covers."""
        return str(self.said["hash"])

    @property
    def digest(self) -> str:
        """What the next checkpoint names this one by."""
        return hashlib.sha256(self.body.encode()).hexdigest()


async def sweep(conn: Connection) -> None:
    """Sign the end of the record if it is time. Any number of workers may ask; one of them does it.

    It is also time where the event is of a time still to come: it was written by a clock that was wrong.
    """
    last = await latest(conn)
    cursor = await conn.execute(
        "SELECT body, moment() AS now FROM audit_event WHERE seq > %s ORDER BY seq LIMIT 1",
        (last.seq if last is not None else 0,),
    )
    row = await cursor.fetchone()
    if row is not None and _is_due(row["body"], row["now"]):
        await sign(conn)


def _is_due(body: str, now: datetime) -> bool:
    """Whether an event is that old, or of a time to come; one that does not say so is not ours and is."""
    try:
        return not now - AFTER < datetime.fromisoformat(json.loads(body)["at"]) <= now
    except (ValueError, KeyError, TypeError):
        return True


async def sign(conn: Connection) -> Checkpoint | None:
    """Sign the end of the record as it stands. None where the last checkpoint covers it already.

    What is foreign in it is named first, by an event of ours.
    """
    tenant = await head.hold(conn)
    last = await latest(conn)
    covered = last.seq if last is not None else 0
    ours, strange = await foreign.behind(conn, covered)
    if await chain.name(conn, [*await foreign.before(conn), *strange]):
        ours, strange = await foreign.behind(conn, covered)
    if not ours:
        return None
    among = await foreign.hashes(conn, [seq for seq in strange if seq < ours[-1]["seq"]])
    cursor = await conn.execute("SELECT moment() AS at")
    here = await cursor.fetchone()
    assert here is not None
    vault = vault_of(conn)
    end = ours[-1]
    body = canonical(
        {
            "v": 2,
            "tenant": tenant,
            "after": covered,
            "seq": end["seq"],
            "hash": end["hash"],
            "root": merkle.root([row["hash"] for row in ours]),
            "foreign": [{"seq": seq, "sha256": found} for seq, found in among.items()],
            "previous": GENESIS if last is None else last.digest,
            "at": here["at"].isoformat(timespec="milliseconds"),
            "key": vault.public_keys[0],
        }
    )
    made = Checkpoint(seq=end["seq"], body=body.decode(), signature=vault.signer.sign(PURPOSE + body).hex())
    cursor = await conn.execute(
        "INSERT INTO audit_checkpoint (seq, body, signature) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (made.seq, made.body, made.signature),
    )
    if cursor.rowcount == 1:
        return made
    log.error(
        "Somebody else has written a checkpoint into the record, up to event %d. It is not ours.", made.seq
    )
    facts = {"checkpoint": made.seq}
    await chain.append(conn, foreign.KIND, run=None, facts=facts, detail={})  # moves the end on
    return await sign(conn)


async def latest(conn: Connection) -> Checkpoint | None:
    """Return the last checkpoint that one of our keys has signed for its place; another proves nothing."""
    before: int | None = None
    while True:
        cursor = await conn.execute(
            "SELECT tenant, seq, body, signature FROM audit_checkpoint"
            " WHERE %(before)s::bigint IS NULL OR seq < %(before)s ORDER BY seq DESC LIMIT 1",
            {"before": before},
        )
        row = await cursor.fetchone()
        if row is None:
            return None
        made = Checkpoint(seq=row["seq"], body=row["body"], signature=row["signature"])
        signed = vault_of(conn).has_signed(PURPOSE + made.body.encode(), made.signature)
        if signed and (made.said["tenant"], made.said["seq"]) == (row["tenant"], made.seq):
            return made
        before = made.seq


async def after(conn: Connection, seq: int) -> list[Checkpoint]:
    """Return our checkpoints of events behind `seq`, in order: each names the one before it."""
    last = await latest(conn)
    if last is None:
        return []
    cursor = await conn.execute(
        "SELECT seq, body, signature FROM audit_checkpoint WHERE seq > %s AND seq < %s ORDER BY seq DESC",
        (seq, last.seq),
    )
    found = [last] if last.seq > seq else []
    async for row in cursor:
        made, expected = Checkpoint(**row), (found[-1] if found else last).said["previous"]
        if made.digest == expected and made.said["seq"] == made.seq:
            found.append(made)
    return found[::-1]
