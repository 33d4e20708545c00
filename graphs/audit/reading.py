"""Reading the record back, with the personal values beside it as far as they have not been erased."""

import hashlib
import json
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from graphs.audit import people
from graphs.audit.chain import place
from graphs.audit.events import GENESIS, ChainBroken, Event, canonical, commit
from graphs.audit.values import merged
from graphs.audit.vault import Someone, unseal, vault_of
from graphs.ports import Connection

_PORTION = 500  # events


@dataclass(frozen=True, kw_only=True, slots=True)
class Detail:
    """One part of an event's values, opened."""

    part: int
    salt: str
    values: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """An event as the database keeps it: the bytes that were hashed, and what stands beside them."""

    seq: int
    hash: str
    body: str
    details: tuple[Detail, ...]


async def read(conn: Connection, trace: str | None = None) -> AsyncIterator[Event]:
    """Yield the events in order, of one request or all. Raises ChainBroken where one is not as written."""
    last: tuple[int, str] | None = None if trace else (0, GENESIS)
    async for kept in kept_events(conn, trace=trace):
        body = json.loads(kept.body)
        _check(kept, body, last)
        last = (kept.seq, kept.hash) if last else None
        yield _event(kept, body)


async def kept_events(conn: Connection, *, after: int = 0, trace: str | None = None) -> AsyncIterator[Kept]:
    """Yield the events behind `after` as they are kept, in portions, however long the record is."""
    vault = vault_of(conn)
    while True:
        cursor = await conn.execute(_READ, {"after": after, "trace": trace, "limit": _PORTION})
        rows = await cursor.fetchall()
        if not rows:
            return
        tenant = str(rows[0]["tenant"])
        wanted = {owner for row in rows for part in row["parts"] for owner in part["owners"]}
        known = await people.keys(conn, vault, tenant, wanted)
        for row in rows:
            details = tuple(_opened(tenant, row["seq"], row["parts"], known))
            yield Kept(seq=row["seq"], hash=row["hash"], body=row["body"], details=details)
        after = rows[-1]["seq"]


async def last(conn: Connection, run: str, kinds: Collection[str], **fact: str) -> Event | None:
    """Return the last event of a run that is of one of these kinds and tells this fact.

    Raises ChainBroken where it is not as it was written, and Locked where what stands beside it is not.
    """
    cursor = await conn.execute(_LAST, {"run": run, "kinds": list(kinds), "fact": Jsonb(fact)})
    row = await cursor.fetchone()
    if row is None:
        return None
    known = {one["pseudonym"]: people.someone(vault_of(conn), row["tenant"], one) for one in row["known"]}
    details = tuple(_opened(row["tenant"], row["seq"], row["parts"], known))
    kept = Kept(seq=row["seq"], hash=row["hash"], body=row["body"], details=details)
    body = json.loads(kept.body)
    _check(kept, body, None)
    return _event(kept, body)


_EVENTS = (
    "SELECT tenant, seq, hash, body, coalesce((SELECT jsonb_agg(jsonb_build_object('part', part,"
    "  'owners', owners, 'sealed', encode(sealed, 'hex')) ORDER BY part) FROM audit_part AS kept"
    "  WHERE kept.tenant = event.tenant AND kept.seq = event.seq), '[]') AS parts{more}"
    " FROM audit_event AS event"
)
_LAST = (
    _EVENTS.format(more=f", ARRAY({people.OWNERS}) AS known")
    + " WHERE run = %(run)s AND kind = ANY(%(kinds)s) AND body::jsonb -> 'facts' @> %(fact)s"
    " ORDER BY seq DESC LIMIT 1"
)
_READ = (
    _EVENTS.format(more="") + " WHERE seq > %(after)s AND (%(trace)s::text IS NULL OR trace = %(trace)s)"
    " ORDER BY seq LIMIT %(limit)s"
)


def _opened(
    tenant: str, seq: int, parts: Iterable[Mapping[str, Any]], known: Mapping[str, Someone]
) -> Iterable[Detail]:
    for part in parts:
        with suppress(KeyError):  # somebody whose key is gone has been erased
            owners = [known[one] for one in part["owners"]]
            plain = unseal(owners, place(tenant, seq, part["part"]), bytes.fromhex(part["sealed"]))
            yield Detail(part=part["part"], **json.loads(plain))


def _event(kept: Kept, body: Mapping[str, Any]) -> Event:
    committed = commitments(body)
    return Event(
        seq=kept.seq,
        at=datetime.fromisoformat(body["at"]),
        kind=body["kind"],
        run=body["run"],
        trace=body.get("trace", body["run"]),
        actor=body.get("actor"),
        approvers=tuple(body.get("approvers", ())),
        policies=tuple(body.get("policies", ())),
        policy=body.get("policy"),
        level=body.get("level"),
        outcome=body.get("outcome"),
        parameters=body.get("parameters"),
        versions=body.get("versions", {}),
        facts=body["facts"],
        detail=merged(one.values for one in kept.details) if kept.details or not committed else None,
        erased=len(kept.details) < len(committed),
        hash=kept.hash,
    )


def commitments(body: Mapping[str, Any]) -> list[str]:
    """Return what an event commits to, part by part. Before version 2 there was one part."""
    if "v" not in body:
        return [body["commitment"]]
    return [one["commitment"] for one in body["details"]]


def _check(kept: Kept, body: Mapping[str, Any], last: tuple[int, str] | None) -> None:
    committed = commitments(body)
    intact = (
        hashlib.sha256(kept.body.encode()).hexdigest() == kept.hash
        and body["seq"] == kept.seq
        and (last is None or (body["seq"], body["previous"]) == (last[0] + 1, last[1]))
        and all(
            commit(one.salt, canonical(one.values).decode()) == committed[one.part] for one in kept.details
        )
    )
    if not intact:
        raise ChainBroken(f"event {kept.seq} is not as it was written, or the one before it is missing")
