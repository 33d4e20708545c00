"""Events that somebody else wrote into the record: named, raised as an alarm, counted nowhere."""

import hashlib
import json
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from bot.audit import verifier
from bot.audit.export import End, export, export_ocsf
from bot.audit.rounds import Rounds
from bot.blocks.parts import Message
from bot.database import Database, open_owner
from connectors.keys import Keys
from graphs import audit
from graphs.audit import Vault, checkpoints, head, keyed, vault_of
from graphs.audit.events import GENESIS, canonical

ADA = {"subject": "larkfield#ada-1", "name": "Ada Okafor", "email": "ada@larkfield.example"}
BAD_MAC = "0" * 12 + ":" + "0" * 64


async def fill(database: Database, count: int) -> None:
    for number in range(count):
        async with database.pool.connection() as conn:
            await audit.append(conn, "test.event", run="r", facts={"number": number}, detail={"by": ADA})


async def rows(database: Database, query: str, *values: Any) -> list[dict[str, Any]]:
    async with database.pool.connection() as conn:
        return await (await conn.execute(query.encode(), values)).fetchall()


async def insert(database: Database, seq: int, body: str, **columns: Any) -> None:
    """Write an event as the application's role, with nothing but the database's password."""
    said = {
        "seq": seq,
        "run": "r",
        "trace": "r",
        "kind": "approval.decided",
        "previous": GENESIS,
        "body": body,
    }
    said |= {"hash": hashlib.sha256(body.encode()).hexdigest(), **columns}
    names = sql.SQL(", ").join(map(sql.Identifier, said))
    places = sql.SQL(", ").join(map(sql.Placeholder, said))
    async with database.pool.connection() as conn:
        await conn.execute(sql.SQL("INSERT INTO audit_event ({}) VALUES ({})").format(names, places), said)


async def following(database: Database, **facts: str) -> tuple[int, str, str]:
    """Return the number, the hash before and the body of an event that fits the end of the chain."""
    (last,) = await rows(database, "SELECT seq, hash, body FROM audit_event ORDER BY seq DESC LIMIT 1")
    body = {**json.loads(last["body"]), "seq": last["seq"] + 1, "previous": last["hash"], "details": []}
    body |= {"kind": "approval.decided", "run": "r", "facts": facts, "outcome": "approve"}
    return last["seq"] + 1, last["hash"], canonical(body).decode()


async def a_well_chained_one(database: Database) -> None:
    seq, previous, body = await following(database, approval="a")
    await insert(database, seq, body, previous=previous)


async def with_an_invented_mac(database: Database) -> None:
    seq, previous, body = await following(database, approval="a")
    await insert(database, seq, body, previous=previous, mac=BAD_MAC)


async def with_the_mac_of_another(database: Database) -> None:
    seq, previous, body = await following(database, approval="a")
    (last,) = await rows(database, "SELECT mac FROM audit_event WHERE seq = %s", seq - 1)
    await insert(database, seq, body, previous=previous, mac=last["mac"])


async def a_copy_of_one_of_ours(database: Database) -> None:
    (last,) = await rows(database, "SELECT * FROM audit_event ORDER BY seq DESC LIMIT 1")
    written = {name: value for name, value in last.items() if name != "approval"}  # that is derived
    await insert(database, **{**written, "seq": last["seq"] + 1})


async def with_a_wrong_previous_hash(database: Database) -> None:
    seq, _, body = await following(database, approval="a")
    await insert(database, seq, body, previous="f" * 64)


async def behind_a_gap(database: Database) -> None:
    seq, _, body = await following(database, approval="a")
    await insert(database, seq + 2, body)


async def far_away(database: Database) -> None:
    await insert(database, 2**62, "{}")


async def before_the_first(database: Database) -> None:
    await insert(database, 0, "{}")
    await insert(database, -5, "{}")


async def what_is_no_json(database: Database) -> None:
    seq, _, _ = await following(database)
    await insert(database, seq, 'no "json" {at}\n"at":"x"', hash="not a hash\n", previous="nothing")


async def twelve_at_once(database: Database) -> None:
    seq, _, _ = await following(database)
    for number in range(12):
        await insert(database, seq + number, "[]", trace=None, run=None, kind="audit.foreign")


FORGED = (
    a_well_chained_one,
    with_an_invented_mac,
    with_the_mac_of_another,
    a_copy_of_one_of_ours,
    with_a_wrong_previous_hash,
    behind_a_gap,
    far_away,
    before_the_first,
    what_is_no_json,
    twelve_at_once,
)
NEVER_REACHED = (far_away, before_the_first)


@pytest.mark.parametrize("forge", FORGED)
async def test_a_foreign_event_is_named_and_counts_nowhere_and_the_record_goes_on(
    database: Database, forge: Any, caplog: pytest.LogCaptureFixture
) -> None:
    await fill(database, 3)
    await forge(database)
    await fill(database, 4)
    async with database.pool.connection() as conn:
        await checkpoints.sign(conn)
        await checkpoints.sweep(conn)
        found = [event async for event in audit.read(conn)]
        assert await audit.last(conn, "r", ("approval.decided",), approval="a") is None
        assert await audit.every(conn, "r", ("approval.decided",)) == []
        kinds = [event.kind for event in found]
        lines: list[bytes] = []
        await export(conn, lines.append, End())
        siem: list[bytes] = []
        await export_ocsf(conn, siem.append, End())
        keys = vault_of(conn).public_keys
    assert kinds.count("test.event") == 7
    assert "approval.decided" not in kinds
    report = verifier.verify(b"".join(lines).splitlines(keepends=True), keys)
    assert len(report.findings) == len(report.foreign)
    assert (len(report.foreign) == 0) == (forge in NEVER_REACHED)
    assert kinds.count("audit.foreign") == 1
    assert "did not write" in "".join(r.message for r in caplog.records if r.levelno == logging.ERROR)
    if report.foreign:
        assert "Every other event is as it was written." in report.sentences()
        assert f"event {report.foreign[0]}: foreign" in report.sentences()[0]
    assert b"approval.decided" not in b"".join(siem)


async def test_whoever_is_first_at_a_number_does_not_stop_the_record(database: Database) -> None:
    """Somebody holds the next number in a transaction of their own, and commits when we come."""
    await fill(database, 1)
    async with database.pool.connection() as other:
        seq, previous, body = await following(database, approval="a")
        await other.execute(
            "INSERT INTO audit_event (seq, kind, previous, hash, body) VALUES (%s, 'x', %s, 'x', %s)",
            (seq, previous, body),
        )
        await other.commit()
    await fill(database, 1)
    async with database.pool.connection() as conn:
        kinds = [event.kind async for event in audit.read(conn)]
    assert kinds == ["test.event", "audit.foreign", "test.event"]


async def test_a_checkpoint_that_somebody_else_wrote_is_passed_over(database: Database) -> None:
    await fill(database, 2)
    async with database.pool.connection() as conn:
        made = await checkpoints.sign(conn)
        assert made is not None
    await fill(database, 1)
    async with database.pool.connection() as conn:
        await conn.execute(
            "INSERT INTO audit_checkpoint (seq, body, signature) VALUES (3, %s, %s)",
            (made.body, made.signature),
        )
        await conn.execute("INSERT INTO audit_checkpoint (seq, body, signature) VALUES (1, '{}', 'x')")
    async with database.pool.connection() as conn:
        lines: list[bytes] = []
        await export(conn, lines.append, End())
        assert [one.seq for one in await checkpoints.after(conn, 0)] == [2, 4]
        assert (
            verifier.verify(b"".join(lines).splitlines(keepends=True), vault_of(conn).public_keys).findings
            == []
        )


async def test_after_a_rotation_events_of_before_are_ours_and_a_running_process_learns_the_new_key(
    database: Database,
) -> None:
    old = Keys.fresh()
    new = old.rotated()
    database.book.open(Vault(old))
    await fill(database, 1)

    async def reopen() -> Vault:
        return Vault(new)

    database.book.open(Vault(new))
    await fill(database, 1)
    database.book.open(Vault(old), reopen)  # a process that was started before the rotation
    await fill(database, 1)
    async with database.pool.connection() as conn:
        assert [event.kind async for event in audit.read(conn)] == ["test.event"] * 3


async def keyless(database: Database, home: Path, count: int) -> str:
    """Leave events as the release before wrote them: chained, without an HMAC."""
    await fill(database, count)
    async with database.pool.connection() as conn:
        tenant = await head.tenant(conn)
    async with open_owner(home, None) as owner:
        await owner.execute("UPDATE audit_event SET mac = NULL WHERE tenant = %s", (tenant,))
    database.book.end = None
    return tenant


async def test_what_was_there_before_events_had_keys_is_taken_over_once(
    database: Database, database_home: Path
) -> None:
    tenant = await keyless(database, database_home, 4)
    async with open_owner(database_home, None) as owner:
        await owner.execute("INSERT INTO audit_before_keys VALUES (%s, 3)", (tenant,))
    async with database.pool.connection() as conn:
        assert await keyed.adopt(conn) == 3  # the fourth was written after the upgrade, and without a key
    await fill(database, 1)
    async with open_owner(database_home, None) as owner:  # whatever the owner's role says later
        await owner.execute("UPDATE audit_before_keys SET through = 99 WHERE tenant = %s", (tenant,))
    async with database.pool.connection() as conn:
        assert await keyed.adopt(conn) == 0
        found = [event async for event in audit.read(conn)]
        assert (await audit.last(conn, "r", ("test.event",))) == found[-1]
    assert [(event.seq, event.kind) for event in found] == [
        (1, "test.event"),
        (2, "test.event"),
        (3, "test.event"),
        (5, "audit.foreign"),
        (6, "test.event"),
    ]


async def test_in_an_empty_record_nobody_can_put_old_events(database: Database) -> None:
    body = canonical({"seq": 1, "previous": GENESIS, "kind": "approval.decided", "facts": {"approval": "a"}})
    await insert(database, 1, body.decode())
    async with database.pool.connection() as conn:
        assert await keyed.adopt(conn) == 0
        assert await audit.last(conn, "r", ("approval.decided",), approval="a") is None
    await fill(database, 1)
    async with database.pool.connection() as conn:
        assert [event.kind async for event in audit.read(conn)] == ["audit.foreign", "test.event"]


async def test_those_who_run_the_bot_are_told_once(database: Database, tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []

    async def tell(name: str, message: Message) -> None:
        told.append((name, str(message.text)))

    await fill(database, 1)
    rounds = Rounds(database.pool, tmp_path, timedelta(days=1), tell)
    await rounds.sweep()
    assert told == []
    await a_well_chained_one(database)
    await fill(database, 1)
    for _ in range(2):
        await rounds.sweep()
    assert [name for name, _ in told] == ["foreign:3"]
    assert "without its key" in told[0][1]
