"""The audit record on a real database: who may write it, and what it takes to change it unnoticed."""

import asyncio
from pathlib import Path

import psycopg
import pytest

from bot.database import Database, open_owner
from graphs import audit
from graphs.audit import head
from graphs.ports import Connection

ADA = {"subject": "larkfield#ada-1", "name": "Ada Okafor", "email": "ada@larkfield.example"}
GRACE = {"subject": "larkfield#grace-2", "name": "Grace Lindqvist", "email": "grace@larkfield.example"}


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
                detail={"by": ADA, "asked": "Grace Lindqvist", "said": "close the quarter"},
            )
    return database


async def read(database: Database) -> list[audit.Event]:
    async with database.pool.connection() as conn:
        return [event async for event in audit.read(conn)]


async def stored(database: Database) -> str:
    """Return everything that the database keeps of this record, as text."""
    async with database.pool.connection() as conn:
        cursor = await conn.execute(
            "SELECT (SELECT string_agg(audit_event::text, ' ') FROM audit_event)"
            " || (SELECT string_agg(audit_part::text, ' ') FROM audit_part)"
            " || (SELECT string_agg(audit_subject::text, ' ') FROM audit_subject) AS all"
        )
        row = await cursor.fetchone()
    assert row is not None
    return str(row["all"])


@pytest.mark.parametrize(
    "statement",
    [
        b"UPDATE audit_event SET kind = 'other'",
        b"DELETE FROM audit_event",
        b"TRUNCATE audit_event CASCADE",
        b"UPDATE audit_part SET sealed = ''",
        b"UPDATE audit_subject SET handle = ''",
        b"UPDATE audit_checkpoint SET signature = ''",
        b"DELETE FROM audit_checkpoint",
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
        (b"DELETE FROM audit_part WHERE seq = 2", b"DELETE FROM audit_event WHERE seq = 2"),
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


async def test_no_value_of_a_person_stands_readable_in_the_record(record: Database) -> None:
    kept = await stored(record)
    assert not [word for word in (*ADA.values(), *GRACE.values(), "ada-1", "close the") if word in kept]
    assert [event.detail for event in await read(record)] == [
        {"by": ADA, "asked": "Grace Lindqvist", "said": "close the quarter"}
    ] * 3


async def test_one_persons_events_are_linked_until_they_are_erased(
    record: Database, database_home: Path
) -> None:
    events = await read(record)
    assert len({event.actor for event in events}) == 1
    async with open_owner(database_home, None) as owner:
        assert await audit.erase(record.pool, owner, ADA["subject"], by="clerk")
    events = await read(record)
    assert [event.detail for event in events[:3]] == [None] * 3
    assert [event.erased for event in events] == [True, True, True, False]
    async with record.pool.connection() as conn:
        await audit.append(conn, "test.event", run=None, facts={}, detail={"by": ADA})
    *_, last = await read(record)
    assert last.actor not in {event.actor for event in events}


async def of_run(database: Database) -> audit.Event | None:
    async with database.pool.connection() as conn:
        return await audit.last(conn, "r", ("test.event",))


async def write(database: Database, number: int) -> None:
    async with database.pool.connection() as conn:
        await audit.append(conn, "test.event", run="r", facts={"number": number}, detail={"by": ADA})


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (b"UPDATE audit_part SET sealed = sealed || 'x'", audit.Locked),
        (b"UPDATE audit_subject SET sealed = sealed || 'x'", audit.Locked),
        (b"UPDATE audit_event SET body = replace(body, '\"number\":7', '\"number\":8')", audit.ChainBroken),
    ],
)
async def test_an_event_that_has_been_verified_is_verified_again_when_its_row_has_changed(
    database_home: Path, database: Database, change: bytes, error: type[Exception]
) -> None:
    await write(database, 7)
    before = await of_run(database)
    assert await of_run(database) is before, "the same row is verified once"
    async with open_owner(database_home, None) as owner:
        await owner.execute(change)
    with pytest.raises(error):
        await of_run(database)


async def test_what_is_erased_is_gone_from_an_event_that_had_been_read(
    database_home: Path, database: Database
) -> None:
    await write(database, 7)
    before = await of_run(database)
    assert before is not None
    assert before.detail == {"by": ADA}
    async with open_owner(database_home, None) as owner:
        assert await audit.erase(database.pool, owner, ADA["subject"], by="an operator")
    assert not database.book.read, "nor does this process keep it"
    after = await of_run(database)
    assert after is not None
    assert (after.erased, after.detail) == (True, None)


async def until_somebody_waits(conn: Connection) -> None:
    """Return when another connection has looked at the end of the record, and waits for it."""
    while True:
        cursor = await conn.execute("SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        if cursor.rowcount:
            return


async def test_an_event_that_was_written_while_another_waited_is_followed(database: Database) -> None:
    for number in (1, 2):
        await write(database, number)
    async with database.pool.connection() as conn:
        await head.hold(conn)
        writing = asyncio.create_task(write(database, 4))
        await until_somebody_waits(conn)
        await audit.append(conn, "test.event", run="r", facts={"number": 3}, detail={"by": GRACE})
    await writing
    assert [event.facts["number"] for event in await read(database)] == [1, 2, 3, 4]


async def test_nothing_is_closed_with_a_key_that_was_deleted_while_the_writer_waited(
    database_home: Path, database: Database
) -> None:
    await write(database, 1)
    async with database.pool.connection() as conn, open_owner(database_home, None) as owner:
        await head.hold(conn)
        writing = asyncio.create_task(write(database, 2))
        await until_somebody_waits(conn)
        await owner.execute("DELETE FROM audit_part")
        await owner.execute("DELETE FROM audit_subject")
    await writing
    last = await of_run(database)
    assert last is not None
    assert (last.facts["number"], last.detail) == (2, {"by": ADA})


async def test_what_the_record_says_of_an_approval_is_found_by_its_id(database: Database) -> None:
    """Also by the application, whose rows a policy filters."""
    async with database.pool.connection() as conn:
        cursor = await conn.execute(
            "EXPLAIN SELECT seq FROM audit_event WHERE kind IN ('effect.done', 'effect.failed')"
            " AND approval = 'a' ORDER BY seq"
        )
        plan = [str(*row.values()) for row in await cursor.fetchall()]
    assert any("Index Cond" in line and "approval = 'a'" in line for line in plan), plan
