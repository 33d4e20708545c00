"""The append-only, hash-chained record of what was decided and done.

An event is canonical JSON (RFC 8785) with the hash of the one before it. Facts that name nobody stand in the
event; personal values stand beside the chain, which commits to them with a salt that can be erased.
"""

import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import rfc8785

from graphs.ports import Connection

GENESIS = "0" * 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One event, with the personal values beside it where they have not been erased."""

    seq: int
    at: datetime
    kind: str
    run: str | None
    facts: Mapping[str, Any]
    detail: Mapping[str, Any] | None
    hash: str


class ChainBroken(Exception):
    """An event is not what was written, or one is missing."""


async def append(
    conn: Connection,
    kind: str,
    *,
    run: str | None,
    facts: Mapping[str, str | int | bool],
    detail: Mapping[str, Any],
) -> None:
    """Append one event in the caller's transaction. Call it last: it holds the chain's head until commit."""
    salt = secrets.token_urlsafe(16)
    kept = rfc8785.dumps(dict(detail)).decode()
    await conn.execute(
        "SELECT pg_advisory_xact_lock(hashtext('audit ' || current_setting('countersign.tenant')))"
    )
    cursor = await conn.execute(
        "SELECT moment() AS at, last.seq, last.hash FROM (SELECT 1) AS one LEFT JOIN LATERAL"
        " (SELECT seq, hash FROM audit_event ORDER BY seq DESC LIMIT 1) AS last ON true"
    )
    head = await cursor.fetchone()
    assert head is not None
    seq, previous = (head["seq"] or 0) + 1, head["hash"] or GENESIS
    body = rfc8785.dumps(
        {
            "seq": seq,
            "previous": previous,
            "at": head["at"].isoformat(timespec="milliseconds"),
            "kind": kind,
            "run": run,
            "facts": dict(facts),
            "commitment": commit(salt, kept),
        }
    )
    await conn.execute(
        "INSERT INTO audit_event (seq, run, kind, previous, hash, body) VALUES (%s, %s, %s, %s, %s, %s)",
        (seq, run, kind, previous, hashlib.sha256(body).hexdigest(), body.decode()),
    )
    await conn.execute("INSERT INTO audit_detail (seq, salt, detail) VALUES (%s, %s, %s)", (seq, salt, kept))


def commit(salt: str, detail: str) -> str:
    """Return the commitment to `detail`: without the salt a guess of it cannot be confirmed."""
    return hashlib.sha256(f"{salt}\0{detail}".encode()).hexdigest()


async def read(conn: Connection, run: str | None = None) -> AsyncIterator[Event]:
    """Yield the events in order, of one run or all. Raises ChainBroken where one is not what was written."""
    last: tuple[int, str] | None = None if run else (0, GENESIS)
    async with conn.cursor(name="audit_read") as cursor:  # in portions, however long the record is
        await cursor.execute(_READ, {"run": run})
        async for row in cursor:
            body = json.loads(row["body"])
            _check(row, body, last)
            last = (row["seq"], row["hash"]) if last else None
            yield Event(
                seq=row["seq"],
                at=datetime.fromisoformat(body["at"]),
                kind=body["kind"],
                run=body["run"],
                facts=body["facts"],
                detail=json.loads(row["detail"]) if row["detail"] is not None else None,
                hash=row["hash"],
            )


_READ = (
    "SELECT event.*, kept.salt, kept.detail FROM audit_event AS event"
    " LEFT JOIN audit_detail AS kept USING (tenant, seq)"
    " WHERE %(run)s::text IS NULL OR event.run = %(run)s ORDER BY seq"
)


def _check(row: Mapping[str, Any], body: Mapping[str, Any], last: tuple[int, str] | None) -> None:
    intact = (
        hashlib.sha256(row["body"].encode()).hexdigest() == row["hash"]
        and (body["seq"], body["previous"]) == (row["seq"], row["previous"])
        and (row["detail"] is None or commit(row["salt"], row["detail"]) == body["commitment"])
        and (last is None or (row["seq"] == last[0] + 1 and row["previous"] == last[1]))
    )
    if not intact:
        raise ChainBroken(f"event {row['seq']} is not as it was written, or the one before it is missing")
