"""The rows of a person: found in every table, and changed by what each column is declared to hold."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, dict_row
from psycopg.types.json import Jsonb

from bot.privacy.people import Traces, needles
from bot.privacy.stores import TABLES
from graphs.erasing import GONE, Mask
from graphs.stores import Fate, Holds, Table

Owner = AsyncConnection[TupleRow]
Row = Mapping[str, Any]
Touched = Mapping[str, list[tuple[Any, ...]]]  # keys of rows, by their table
THEIRS = "theirs_"
PERSONAL = {Holds.NAMES, Holds.WORDS}


def personal(table: Table) -> bool:
    """Whether its rows may name anybody in plain."""
    return any(holds in PERSONAL for holds in table.columns.values())


async def found(conn: Owner, tenant: str, table: Table, traces: Traces) -> AsyncIterator[dict[str, Any]]:
    """Yield the rows that are a person's or name them; `theirs_` says which of both."""
    where = "tenant = %(tenant)s AND" if table.tenant else ""
    query = (
        f"SELECT t.*, ({table.theirs}) AS {THEIRS} FROM {table.name} AS t WHERE {where}"
        f" (({table.theirs}) OR lower(to_jsonb(t)::text) LIKE ANY(%(needles)s))"
    )
    values = {**traces.values, "tenant": tenant, "needles": needles(traces.marks.words)}
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query.encode(), values)
        async for row in cursor:
            yield row


async def erase(conn: Owner, tenant: str, traces: Traces, mask: Mask, harmless: frozenset[str]) -> Touched:
    """Change or delete what names the person, in the caller's transaction; return the keys of those rows."""
    types = await _types(conn)
    touched: dict[str, list[tuple[Any, ...]]] = {}
    for table in TABLES:
        if table.fate is Fate.RECORDED or not personal(table):
            continue
        keys = await _deleted(conn, tenant, table, traces) if table.fate is Fate.DELETED else []
        for row in [row async for row in found(conn, tenant, table, traces)]:
            changes = changed(table, row, mask, harmless)
            if changes:
                await _update(conn, (tenant, table), row, changes, types)
                keys.append(tuple(row[column] for column in table.key))
        if keys:
            touched[table.name] = keys
    return touched


def changed(table: Table, row: Row, mask: Mask, harmless: frozenset[str]) -> dict[str, Any]:
    """Return the columns of a row that are another value without the person."""
    if table.name == "message" and row[THEIRS]:
        return _message(row)
    changes: dict[str, Any] = {}
    for column, holds in table.columns.items():
        value = row[column]
        if holds not in PERSONAL or value is None or isinstance(value, bytes):
            continue
        new = mask.value(value)
        if row[THEIRS] and holds is Holds.WORDS:
            new = _emptied(new, table.kept | harmless)
        if new != value:
            changes[column] = new
    return {**changes, **_besides(table, row, changes)}


def _emptied(value: Any, kept: frozenset[str]) -> Any:
    if isinstance(value, Mapping):
        return {name: inner for name, inner in value.items() if name in kept}
    if isinstance(value, list):
        return []
    return GONE if value else value


def _besides(table: Table, row: Row, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what goes with the changes of a row."""
    if table.name == "approval":
        more: dict[str, Any] = {"digest": GONE} if "action" in changes else {}
        card = changes.get("card", row["card"])
        if row[THEIRS] and card["reason"]:
            more["card"] = {**card, "reason": ""}
        return more
    if table.name == "question" and changes:
        return {"vector": None, "embedder": None}  # of what was said before
    if table.name == "event" and row[THEIRS]:
        new = {"about": None, "thread": None, "taken_at": row["taken_at"] or row["received_at"]}
        return {column: value for column, value in new.items() if row[column] != value}  # nobody answers it
    return {}


_PLACES = ("channel", "thread", "to_user", "ts", "posted_in", "refused_in", "detour", "error")


def _message(row: Row) -> dict[str, Any]:
    """Return what changes of a message to them, or about their request.

    A sentence takes its place in Slack, and only then is forgotten where that is. What tells them that their
    request is withdrawn stays there for them to read, without naming them.
    """
    payload = row["payload"] or {}
    is_farewell = (payload.get("facts") or {}).get("key") == "withdrawn"
    is_over = row["ts"] is None or (row["state"] == "done" and (row["unwanted"] or row["wanted"] > 1))
    new: dict[str, Any] = {} if is_farewell else {"payload": None, "unwanted": True}
    if is_over:
        new |= {**dict.fromkeys(_PLACES), "state": "done"}
    elif not is_farewell and not row["unwanted"]:
        new |= {"state": "due", "tries": 0, "next_at": row["created_at"]}
    return {column: value for column, value in new.items() if row[column] != value}


async def _deleted(conn: Owner, tenant: str, table: Table, traces: Traces) -> list[tuple[Any, ...]]:
    where = "tenant = %(tenant)s AND" if table.tenant else ""
    cursor = await conn.execute(
        f"DELETE FROM {table.name} WHERE {where} ({table.theirs}) RETURNING {', '.join(table.key)}".encode(),
        {**traces.values, "tenant": tenant},
    )
    return [tuple(row) for row in await cursor.fetchall()]


async def _update(
    conn: Owner, place: tuple[str, Table], row: Row, changes: Mapping[str, Any], types: Mapping[str, str]
) -> None:
    tenant, table = place
    assignments = ", ".join(f"{column} = %({column})s" for column in changes)
    keys = " AND ".join(f"{column} = %(key_{column})s" for column in table.key)
    where = f"tenant = %(tenant)s AND {keys}" if table.tenant else keys
    values = {
        column: Jsonb(value) if types[f"{table.name}.{column}"] == "jsonb" and value is not None else value
        for column, value in changes.items()
    }
    keyed = {f"key_{column}": row[column] for column in table.key}
    await conn.execute(
        f"UPDATE {table.name} SET {assignments} WHERE {where}".encode(),
        {**values, **keyed, "tenant": tenant},
    )


async def _types(conn: Owner) -> dict[str, str]:
    cursor = await conn.execute(
        "SELECT table_name || '.' || column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = current_schema()"
    )
    return {str(name): str(kind) for name, kind in await cursor.fetchall()}
