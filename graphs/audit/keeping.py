"""How long the values beside the record are kept: until a person is erased, or their time is over.

A legal hold on a request beats both. Every one of these acts is an event itself, so that whoever verifies the
record knows why values are missing.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from graphs.audit import chain, head, people
from graphs.audit.chain import place
from graphs.audit.events import canonical
from graphs.audit.reading import standing
from graphs.audit.values import HOUSE
from graphs.audit.vault import Vault, book_of, seal, vault_of
from graphs.ports import Connection

_PORTION = 1_000  # events whose values one sweep deletes
_AT = 'substring(body from \'"at":"([^"]+)"\')'  # as text: what is foreign may hold anything there
_FORM = "'YYYY-MM-DD\"T\"HH24:MI:SS.MS+00:00'"


class Held(Exception):
    """A legal hold keeps it. `traces` are the requests that are held."""

    def __init__(self, traces: list[str]) -> None:
        super().__init__(", ".join(traces))
        self.traces = traces


async def erase(
    pool: AsyncConnectionPool[Connection], owner: AsyncConnection[Any], subject: str, *, by: str
) -> bool:
    """Erase a person from the record: their key, and every value that it takes their key to read.

    The record says so first, and then the owner's role deletes, in autocommit: called again after a crash, it
    is said again and done. False where the record does not know them. Raises Held while a request that names
    them is under hold.
    """
    async with pool.connection() as conn:
        book, tenant = book_of(conn), await head.hold(conn)
        name = await people.pseudonym(conn, book.vault, tenant, subject)
        if name is None or subject == HOUSE:
            return False
        if traces := await _held_of(conn, name):
            raise Held(traces)
        facts = {"erased": name}
        await chain.append(conn, "audit.erased", run=None, facts=facts, detail={"by": {"name": by}})
    await owner.execute("DELETE FROM audit_part WHERE tenant = %s AND owners @> ARRAY[%s]", (tenant, name))
    await owner.execute("DELETE FROM audit_subject WHERE tenant = %s AND pseudonym = %s", (tenant, name))
    book.read.clear()
    return True


async def held(conn: Connection) -> list[str]:
    """Return the requests under hold, as the record has them: the rows of `audit_hold` alone neither keep
    anything nor give it up."""
    found = [(event.run, event.kind) for event in await standing(conn, ("audit.held", "audit.released"))]
    return sorted(run for run, kind in dict(found).items() if run is not None and kind == "audit.held")


async def held_of(conn: Connection, subject: str) -> list[str]:
    """Return the requests under hold that name a person: while there are any, they are not erased."""
    name = await people.pseudonym(conn, vault_of(conn), await head.tenant(conn), subject)
    return [] if name is None else await _held_of(conn, name)


async def _held_of(conn: Connection, name: str) -> list[str]:
    cursor = await conn.execute(
        "SELECT DISTINCT trace FROM audit_part JOIN audit_event USING (tenant, seq)"
        " WHERE trace = ANY(%s) AND owners @> ARRAY[%s] ORDER BY trace",
        (await held(conn), name),
    )
    return [str(row["trace"]) for row in await cursor.fetchall()]


async def hold(conn: Connection, trace: str, *, by: str, reason: str) -> bool:
    """Keep what belongs to a request until it is released. False where it was held already."""
    await head.hold(conn)
    if trace in await held(conn):
        return False
    await conn.execute("INSERT INTO audit_hold (trace) VALUES (%s) ON CONFLICT DO NOTHING", (trace,))
    detail = {"by": {"name": by}, "reason": reason}
    await chain.append(conn, "audit.held", run=trace, facts={}, detail=detail)
    return True


async def release(conn: Connection, trace: str, *, by: str) -> bool:
    """End a hold. False where there was none."""
    await head.hold(conn)
    if trace not in await held(conn):
        return False
    await conn.execute("DELETE FROM audit_hold WHERE trace = %s", (trace,))
    await chain.append(conn, "audit.released", run=trace, facts={}, detail={"by": {"name": by}})
    return True


async def expire(conn: Connection, keep: timedelta) -> int:
    """Delete values whose time is over and that no hold keeps, in one transaction with its own event.

    What tells how something ends is kept until it has. Returns of how many events; 0 when nothing is left.
    """
    await head.hold(conn)
    cursor = await conn.execute(
        "WITH old AS (SELECT DISTINCT seq FROM audit_part JOIN audit_event AS event USING (tenant, seq)"
        f"  WHERE {_AT} <= to_char((moment() - %s::interval) AT TIME ZONE 'UTC', {_FORM})"
        "  AND (event.trace = ANY(%s)) IS NOT TRUE AND NOT ends_by(tenant, seq) ORDER BY seq LIMIT %s),"
        " gone AS (DELETE FROM audit_part USING old WHERE audit_part.seq = old.seq RETURNING audit_part.seq)"
        " SELECT count(DISTINCT seq) AS events, max(seq) AS through FROM gone",
        (keep, await held(conn), _PORTION),
    )
    row = await cursor.fetchone()
    assert row is not None
    if not row["events"]:
        return 0
    facts = {"events": row["events"], "through": row["through"]}
    await chain.append(conn, "audit.expired", run=None, facts=facts, detail={})
    return int(row["events"])


async def forget(conn: Connection) -> None:
    """Delete the keys of people of whom nothing is kept any more."""
    await conn.execute(
        "DELETE FROM audit_subject AS someone WHERE NOT EXISTS"
        " (SELECT 1 FROM audit_part WHERE owners @> ARRAY[someone.pseudonym])"
    )


async def adopt(conn: Connection, vault: Vault) -> int:
    """Close what an earlier release has left in plain beside the record. Returns of how many events."""
    tenant = await head.hold(conn)
    cursor = await conn.execute(
        "SELECT kept.seq, salt, detail, run.requester ->> 'subject' AS requester FROM audit_detail AS kept"
        " JOIN audit_event USING (tenant, seq) LEFT JOIN run ON run.id = audit_event.run ORDER BY kept.seq"
    )
    rows = await cursor.fetchall()
    for row in rows:
        values: Mapping[str, Any] = json.loads(row["detail"])
        by = values.get("by") or {}
        subjects = {row["requester"], by.get("subject") or by.get("name")} - {None} or {HOUSE}
        known = await people.known(conn, vault, tenant, subjects)
        plain = canonical({"salt": row["salt"], "values": values})
        await conn.execute(
            "INSERT INTO audit_part (seq, part, owners, sealed) VALUES (%s, 0, %s, %s)",
            (
                row["seq"],
                sorted(one.pseudonym for one in known.values()),
                seal(list(known.values()), place(tenant, row["seq"], 0), plain),
            ),
        )
    await conn.execute("DELETE FROM audit_detail")
    return len(rows)
