"""The record as a whole: written before anything is done, signed, copied, exported, packed and verified."""

import asyncio
import hashlib
import io
import json
import random
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus
from typer.testing import CliRunner

from bot.audit import verifier
from bot.audit.copies import Copies, Rewound
from bot.audit.export import End, export, export_ocsf, resume
from bot.audit.pack import pack
from bot.cli import app
from bot.database import Database, open_owner
from bot.storage.embedded import Embedded
from connectors.keys import Keys
from graphs import audit
from graphs.audit import Vault, checkpoints, head, keeping, vault_of
from graphs.audit.events import GENESIS, canonical, commit
from graphs.records import Verdict
from tests.figures import audit as figures
from tests.scenario.desk import Office

WANTED = {"group": "billing-db", "days": "3", "reason": "close the quarter"}
ADA = {"subject": "larkfield#ada-1", "name": "Ada Okafor", "email": "ada@larkfield.example"}


async def test_a_worker_that_stops_before_it_commits_an_event_keeps_the_record_from_nobody(
    office: Office,
) -> None:
    pool = office.database.pool
    async with pool.connection() as stopped:
        await stopped.execute("SET idle_in_transaction_session_timeout = '300 ms'")
        await audit.append(stopped, "test.event", run=None, facts={}, detail={"by": ADA})
        async with pool.connection() as other:  # waits until the server has ended the one before
            await other.execute("SET LOCAL lock_timeout = '20 s'")
            await audit.append(other, "test.event", run=None, facts={}, detail={"by": ADA})
        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            await stopped.commit()


async def requested(office: Office) -> str:
    """Have Ada ask for access, and do what that brings; return the request."""
    ada = await office.connectors.directory.person_by_email("ada.okafor@larkfield.example")
    run = await office.runs.start(
        workflow="it_access", values=WANTED, requester=ada, origin={}, key="ada asks"
    )
    await office.work()
    return run


async def granted(office: Office) -> str:
    run = await requested(office)
    grace = await office.connectors.directory.person_by_email("grace.lindqvist@larkfield.example")
    await office.runs.decide(office.desk.cards[0], Verdict.APPROVE, by=grace)
    await office.work()
    return run


class Slow(io.BytesIO):
    """A file of which somebody looks how each write goes."""

    def __init__(self, look: Callable[[], None]) -> None:
        super().__init__()
        self._look = look

    def write(self, data: Any, /) -> int:
        self._look()
        return super().write(data)


async def fill(database: Database, count: int) -> None:
    for number in range(count):
        async with database.pool.connection() as conn:
            await audit.append(conn, "test.event", run=None, facts={"number": number}, detail={"by": ADA})


async def exported(database: Database) -> list[bytes]:
    written: list[bytes] = []
    async with database.pool.connection() as conn:
        await export(conn, written.append, End())
    return b"".join(written).splitlines(keepends=True)


async def public_keys(database: Database) -> tuple[str, ...]:
    async with database.pool.connection() as conn:
        return vault_of(conn).public_keys


async def test_nothing_is_done_while_the_record_cannot_be_written(office: Office) -> None:
    run = await requested(office)
    grace = await office.connectors.directory.person_by_email("grace.lindqvist@larkfield.example")
    await office.runs.decide(office.desk.cards[0], Verdict.APPROVE, by=grace)
    async with office.database.pool.connection() as conn:
        tenant = await head.tenant(conn)
    async with open_owner(office.home, None) as owner:
        rule = (
            f"CREATE POLICY broken ON audit_event AS RESTRICTIVE FOR INSERT WITH CHECK (tenant <> '{tenant}')"
        )
        await owner.execute(rule.encode())
        try:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await office.work()
            assert "Ada Okafor" not in await office.members("billing-db")
        finally:
            await owner.execute("DROP POLICY broken ON audit_event")
    office.desk.waiting.append(run)
    await office.work()
    assert "Ada Okafor" in await office.members("billing-db")


async def test_an_event_says_who_under_which_rules_at_which_versions(office: Office) -> None:
    run = await granted(office)
    async with office.database.pool.connection() as conn:
        events = {event.kind: event async for event in audit.read(conn, run)}
    intended, decided = events["effect.intended"], events["approval.decided"]
    assert intended.actor is None
    assert intended.approvers == (decided.actor,)
    assert decided.actor != events["run.started"].actor
    assert "approvers-decide" in decided.policies
    assert intended.policy is not None
    assert (intended.level, intended.trace, intended.outcome) == (2, run, "intended")
    assert intended.parameters is not None
    assert intended.versions["edition"] == "e1"
    assert str(intended.versions["connector"]).startswith("directory.add_to_group ")
    assert str(intended.versions["workflow"]).startswith("it_access ")


async def test_values_of_several_people_are_erased_apart(office: Office) -> None:
    run = await granted(office)
    grace = await office.connectors.directory.person_by_email("grace.lindqvist@larkfield.example")
    async with open_owner(office.home, None) as owner:
        assert await audit.erase(office.database.pool, owner, grace.subject, by="clerk")
    async with office.database.pool.connection() as conn:
        events = {event.kind: event async for event in audit.read(conn, run)}
    assert "Grace" not in json.dumps([audit.plain(event) for event in events.values()])
    started = events["run.started"].detail
    assert started is not None
    assert started["requester"]["name"] == "Ada Okafor"
    report = verifier.verify(await exported(office.database), await public_keys(office.database))
    assert report.findings == []
    assert report.missing > 0


async def test_a_rotated_key_still_knows_everybody_and_verifies_what_was_signed_before(
    database: Database,
) -> None:
    old = Keys.fresh()
    for keys in (old, Keys.parse(old.rotated().text())):
        database.book.open(Vault(keys))
        await fill(database, 1)
        async with database.pool.connection() as conn:
            await checkpoints.sign(conn)
    async with database.pool.connection() as conn:
        first, second = [event async for event in audit.read(conn, None)]
        signed = vault_of(conn).public_keys
        cursor = await conn.execute("SELECT count(*) AS people FROM audit_subject")
        assert await cursor.fetchone() == {"people": 1}
    assert first.detail == second.detail == {"by": ADA}
    log = await exported(database)
    assert verifier.verify(log, signed).findings == []
    assert verifier.verify(log, signed[:1]).findings
    assert verifier.verify(log, signed[1:]).findings


async def test_a_hold_beats_retention_and_erasure(office: Office) -> None:
    run = await granted(office)
    ada = await office.connectors.directory.person_by_email("ada.okafor@larkfield.example")
    async with office.database.pool.connection() as conn:
        await keeping.hold(conn, run, by="clerk", reason="a claim")
    async with office.database.pool.connection() as conn:
        assert await keeping.expire(conn, timedelta(0)) == 0
    async with open_owner(office.home, None) as owner:
        with pytest.raises(audit.Held):
            await audit.erase(office.database.pool, owner, ada.subject, by="clerk")
    async with office.database.pool.connection() as conn:
        await keeping.release(conn, run, by="clerk")
    async with office.database.pool.connection() as conn:
        assert await keeping.expire(conn, timedelta(0)) > 0
        kept = [event async for event in audit.read(conn, run) if event.detail]
    assert {event.facts.get("act") for event in kept} >= {"apply"}  # what is needed to end it
    await office.later(timedelta(days=4))
    await office.later(timedelta(days=8))
    assert "Ada Okafor" not in await office.members("billing-db")
    async with office.database.pool.connection() as conn:
        assert await keeping.expire(conn, timedelta(0)) > 5
    async with office.database.pool.connection() as conn:
        assert not [event.detail async for event in audit.read(conn, run) if event.detail]
    assert verifier.verify(await exported(office.database), await public_keys(office.database)).findings == []


async def test_checkpoints_come_after_a_time_and_are_copied_once(database: Database, tmp_path: Path) -> None:
    await fill(database, 3)
    async with database.pool.connection() as conn:
        await checkpoints.sweep(conn)
        assert await checkpoints.latest(conn) is None  # the first event is younger than half a minute
        await checkpoints.sign(conn)
        copies = Copies(tmp_path, "main")
        assert [await copies.sweep(conn), await copies.sweep(conn)] == [1, 0]
        with copies.path.open("ab") as file:
            file.write(b'{"checkpoint":{"half')  # as a crash leaves it
    await fill(database, 2)
    async with database.pool.connection() as conn:
        await checkpoints.sign(conn)
        assert await Copies(tmp_path, "main").sweep(conn) == 1
    assert len(copies.path.read_bytes().splitlines()) == 2


async def test_a_thousand_events_are_signed_without_waiting(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "EVERY", 4)
    await fill(database, 9)
    async with database.pool.connection() as conn:
        assert [made.seq for made in await checkpoints.after(conn, 0)] == [4, 8]


async def test_a_record_that_was_cut_off_is_found_by_its_copies(
    database: Database, database_home: Path, tmp_path: Path
) -> None:
    await fill(database, 5)
    async with database.pool.connection() as conn:
        tenant = await head.tenant(conn)
        await checkpoints.sign(conn)
        await Copies(tmp_path, tenant).sweep(conn)
    async with open_owner(database_home, None) as owner:
        for table in ("audit_checkpoint", "audit_part", "audit_event"):
            await owner.execute(f"DELETE FROM {table} WHERE tenant = %s AND seq > 3".encode(), (tenant,))
    kept = Copies(tmp_path, tenant)
    lines = await exported(database)
    report = verifier.verify(
        lines, await public_keys(database), kept.path.read_bytes().splitlines(keepends=True)
    )
    assert "it was cut off, or is an older one" in " ".join(report.findings)
    async with database.pool.connection() as conn:
        with pytest.raises(Rewound):
            await kept.sweep(conn)


async def test_an_interrupted_export_goes_on_without_duplicates(database: Database) -> None:
    await fill(database, 12)
    whole = b"".join(await exported(database))
    for place in random.Random(3).sample(range(len(whole)), 12):
        file = io.BytesIO(whole[:place])
        async with database.pool.connection() as conn:
            await export(conn, file.write, resume(file, await head.tenant(conn)))
        assert file.getvalue() == whole


async def test_what_leaves_the_record_may_be_read_slowly(office: Office) -> None:
    """The server cuts off who leaves a transaction open and asks nothing; a reader may take an hour."""
    run = await granted(office)
    async with office.database.pool.connection() as conn:
        seen = []

        def read(_: bytes) -> int:
            seen.append(conn.info.transaction_status)
            return 0

        await export(conn, read, End())
        await export_ocsf(conn, read, End())
        await pack(conn, run, Slow(lambda: seen.append(conn.info.transaction_status)))
    assert len(seen) > 20
    assert set(seen) == {TransactionStatus.IDLE}


async def test_events_leave_as_ocsf_and_name_nobody(office: Office) -> None:
    await granted(office)
    lines: list[bytes] = []
    async with office.database.pool.connection() as conn:
        await export_ocsf(conn, lines.append, End())
    events = [json.loads(line) for line in lines]
    assert [event["metadata"]["sequence"] for event in events] == list(range(1, len(events) + 1))
    for event in events:
        assert (
            event["type_uid"]
            == event["class_uid"] * 100 + event["activity_id"]
            == 600300 + event["activity_id"]
        )
        required = {"category_uid", "severity_id", "time", "metadata", "actor", "api", "src_endpoint"}
        assert required <= event.keys()
        assert {"version", "product"} <= event["metadata"].keys()
        assert event["api"]["operation"]
    assert b"Okafor" not in b"".join(lines)


async def test_a_pack_tells_the_whole_request_and_is_verified_alone(office: Office, tmp_path: Path) -> None:
    await fill(office.database, 3)
    run = await granted(office)
    path = tmp_path / "evidence.zip"
    async with office.database.pool.connection() as conn:
        with path.open("wb") as file:
            count = await pack(conn, run, file)
    keys = await public_keys(office.database)
    report = verifier.verify_pack(path, keys)
    assert (report.findings, report.events, report.missing) == ([], count, 0)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    story = json.loads(files["story.json"])
    assert {"course", "approvals", "effects", "receipts", "read_backs"} <= story.keys()
    assert story["approvals"][0]["detail"]["clause"]["text"] == office.desk.text
    (card,) = [json.loads(files[name]) for name in files if name.startswith("cards/")]
    assert "billing-db" in json.dumps(card["blocks"])
    for name in files:
        forged = tmp_path / "forged.zip"
        with zipfile.ZipFile(forged, "w") as archive:
            for other, content in files.items():
                archive.writestr(other, content.replace(b"e", b"3", 1) if other == name else content)
        assert verifier.verify_pack(forged, keys).findings, name


async def test_the_verifier_runs_alone(database: Database, tmp_path: Path) -> None:
    await fill(database, 4)
    script = Path(shutil.copy(verifier.__file__, tmp_path / "verifier.py"))
    export_file, forged = tmp_path / "export.jsonl", tmp_path / "forged.jsonl"
    lines = await exported(database)
    export_file.write_bytes(b"".join(lines))
    forged.write_bytes(b"".join([*lines[:3], *lines[5:]]))
    (key,) = await public_keys(database)

    def run(path: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", str(script), str(path), "--key", key]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (run(export_file).returncode, run(forged).returncode) == (0, 1)
    assert "line 4, event 3: 2 is missing before it" in run(forged).stdout
    assert "import graphs" not in script.read_text(encoding="utf-8")


async def test_no_forgery_of_a_log_goes_unseen(database_home: Path, tmp_path: Path) -> None:
    rng = random.Random(7)
    log = await figures.written(database_home, events=40, every=12)
    for figure in (figures.every_byte(log, rng, most=1_000), *figures.forged(log, rng, each=12)):
        assert figure.holds, figure.line()


async def test_what_an_earlier_release_left_in_plain_is_taken_over(
    database: Database, database_home: Path
) -> None:
    async with database.pool.connection() as conn:
        tenant = await head.tenant(conn)
    values, salt = canonical({"by": ADA, "said": "close the quarter"}).decode(), "salt"
    old = {"seq": 1, "previous": GENESIS, "at": "2026-01-01T00:00:00.000+00:00", "kind": "test.old"}
    body = canonical({**old, "run": None, "facts": {}, "commitment": commit(salt, values)})
    async with open_owner(database_home, None) as owner:
        await owner.execute(
            "INSERT INTO audit_event (tenant, seq, kind, previous, hash, body)"
            " VALUES (%s, 1, 'test.old', %s, %s, %s)",
            (tenant, GENESIS, hashlib.sha256(body).hexdigest(), body.decode()),
        )
        await owner.execute("INSERT INTO audit_detail VALUES (%s, 1, %s, %s)", (tenant, salt, values))
    await fill(database, 1)
    async with database.pool.connection() as conn:
        assert await keeping.adopt(conn, vault_of(conn)) == 1
    async with database.pool.connection() as conn:
        cursor = await conn.execute("SELECT count(*) AS left FROM audit_detail")
        assert await cursor.fetchone() == {"left": 0}
        first, second = [event async for event in audit.read(conn)]
    assert (first.detail, second.detail) == (json.loads(values), {"by": ADA})
    assert verifier.verify(await exported(database), await public_keys(database)).findings == []


def test_the_commands_export_sign_and_verify(tmp_path: Path) -> None:
    home, file = tmp_path / "home", tmp_path / "record.jsonl"
    runner = CliRunner(env={"COUNTERSIGN_SECRETS_KEY": "opens the file of this test, and no other"})

    def run(*arguments: str, code: int = 0) -> str:
        result = runner.invoke(app, ["audit", *arguments])
        assert result.exit_code == code, result.output
        return result.stdout

    with asyncio.Runner() as loop:
        server = Embedded(home)
        loop.run(server.__aenter__())
        try:
            key = run("key", "--home", str(home)).strip()
            assert "Signed up to event 0" in run("checkpoint", "--home", str(home))
            run("export", str(file), "--home", str(home))
            assert json.loads(run("verify", "--home", str(home), "--json"))["holds"]
            assert "knows nobody" in runner.invoke(app, ["audit", "erase", "x#1", "--home", str(home)]).output
            assert "no such request" in runner.invoke(app, ["audit", "pack", "x", "--home", str(home)]).output
        finally:
            loop.run(server.__aexit__(None, None, None))
    assert "Each as it was written" in run("verify", str(file), "--key", key)
    run("verify", str(file), "--key", "nothing", code=2)
    file.write_bytes(b"")
    assert "it is empty" in run("verify", str(file), "--key", key, code=1)
