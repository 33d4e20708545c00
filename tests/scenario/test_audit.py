"""The audit record on a real database: who may write it, and what it takes to change it unnoticed."""

from pathlib import Path

import psycopg
import pytest

from bot.database import Database, open_owner
from graphs import audit


@pytest.fixture
async def record(database: Database) -> Database:
    """A database whose record holds three events."""
    for number in range(3):
        async with database.pool.connection() as conn:
            await audit.append(
                conn,
                "test.event",
                run=None,
                facts={"number": number},
                detail={"who": "Ada Okafor", "said": "close the quarter"},
            )
    return database


async def read(database: Database) -> list[audit.Event]:
    async with database.pool.connection() as conn:
        return [event async for event in audit.read(conn)]


@pytest.mark.parametrize(
    "statement",
    [
        b"UPDATE audit_event SET kind = 'other'",
        b"DELETE FROM audit_event",
        b"TRUNCATE audit_event CASCADE",
        b"UPDATE audit_detail SET detail = '{}'",
        b"INSERT INTO authority_level (operation, level) VALUES ('directory.add_to_group', 4)",
        b"UPDATE clock SET shift = interval '1 day'",
    ],
)
async def test_the_application_can_neither_rewrite_the_record_nor_raise_itself(
    record: Database, statement: bytes
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with record.pool.connection() as conn:
            await conn.execute(statement)
    assert [event.facts["number"] for event in await read(record)] == [0, 1, 2]


@pytest.mark.parametrize(
    "tampering",
    [
        (b"UPDATE audit_event SET body = replace(body, 'test.event', 'test.other') WHERE seq = 2",),
        (b"UPDATE audit_event SET hash = repeat('0', 64) WHERE seq = 2",),
        (b"UPDATE audit_event SET previous = repeat('0', 64) WHERE seq = 2",),
        (b"UPDATE audit_detail SET detail = replace(detail, 'Ada', 'Ben') WHERE seq = 2",),
        (b"DELETE FROM audit_detail WHERE seq = 2", b"DELETE FROM audit_event WHERE seq = 2"),
    ],
)
async def test_a_change_behind_our_back_breaks_the_chain(
    record: Database, database_home: Path, tampering: tuple[bytes, ...]
) -> None:
    async with record.pool.connection() as conn:
        cursor = await conn.execute("SELECT DISTINCT tenant FROM audit_event")
        (found,) = await cursor.fetchall()
    async with open_owner(database_home, None) as owner:
        for statement in tampering:
            await owner.execute(statement + b" AND tenant = %s", (found["tenant"],))
    with pytest.raises(audit.ChainBroken):
        await read(record)


async def test_erasing_what_somebody_said_leaves_the_chain_whole(record: Database) -> None:
    async with record.pool.connection() as conn:
        await conn.execute("DELETE FROM audit_detail")
        cursor = await conn.execute("SELECT string_agg(body, ' ') AS bodies FROM audit_event")
        (kept,) = await cursor.fetchall()
    assert [event.detail for event in await read(record)] == [None, None, None]
    assert "Ada" not in kept["bodies"]
