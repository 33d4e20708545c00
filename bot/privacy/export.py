"""Everything that is kept of a person, as plain JSON that they can read."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from bot.database import Database
from bot.privacy import rows
from bot.privacy.files import Mentions
from bot.privacy.people import Traces
from bot.privacy.rows import Owner
from bot.privacy.stores import TABLES
from graphs import audit
from graphs.audit import head, vault_of
from graphs.audit.people import pseudonym
from graphs.stores import Fate

_SEALED = ("checkpoints", "checkpoint_writes", "checkpoint_blobs")  # where a workflow stands, for machines


async def export(database: Database, owner: Owner, traces: Traces, mentions: Mentions) -> dict[str, Any]:
    """Return what each store holds of a person: rows that are theirs or name them, events, documents."""
    marks = traces.marks
    async with database.pool.connection() as conn:
        tenant = await head.tenant(conn)
    return {
        "person": {
            "subjects": sorted(marks.subjects),
            "names": sorted(marks.names),
            "addresses": sorted(marks.emails),
            "accounts": sorted(marks.accounts),
        },
        "tables": await _tables(owner, tenant, traces),
        "record": await _events(database, tenant, traces),
        "documents": list(mentions.documents),
        "files": list(mentions.files),
        "old_editions": list(mentions.editions),
    }


async def _tables(owner: Owner, tenant: str, traces: Traces) -> dict[str, Any]:
    found = {}
    for table in TABLES:
        if table.fate is Fate.RECORDED or not rows.personal(table) or table.name in _SEALED:
            continue
        kept = [_plain(row) async for row in rows.found(owner, tenant, table, traces)]
        if kept:
            found[table.name] = kept
    return found


async def _events(database: Database, tenant: str, traces: Traces) -> list[dict[str, Any]]:
    """Return the events of the record in which they had a part, with what stands beside them."""
    async with database.pool.connection() as conn:
        known = {
            name
            for subject in traces.marks.subjects
            if (name := await pseudonym(conn, vault_of(conn), tenant, subject)) is not None
        }
        cursor = await conn.execute(
            "SELECT DISTINCT seq FROM audit_part WHERE owners && %s", (sorted(known),)
        )
        theirs = {row["seq"] for row in await cursor.fetchall()}
        return [
            audit.plain(event)
            async for event in audit.read(conn)
            if event.seq in theirs or known & {event.actor, *event.approvers}
        ]


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in row.items() if name != rows.THEIRS and value is not None}
    return {name: _value(value) for name, value in kept.items()}


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value.hex() if isinstance(value, bytes) else value
