"""A person is erased from every store after the office has been used; what belongs to others stays."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.database import Database, open_owner
from bot.privacy import people, rows, stores
from bot.privacy.erase import Erasing, Report
from bot.privacy.files import Mentions
from bot.privacy.working import Hands
from connectors.sandbox import company
from connectors.sandbox.process import Running
from tests.scenario.slack_office import ADA, APPROVERS, BEN, Office, open_office, texts

HARMLESS = frozenset({"group", "days", "minutes"})


@pytest.fixture
async def office(
    database: Database, database_home: Path, slack_home: Path, server: Running
) -> AsyncIterator[Office]:
    async with open_office(database, database_home, slack_home, server) as opened:
        yield opened


async def test_every_table_and_column_is_declared(database: Database, database_home: Path) -> None:
    async with open_owner(database_home, None) as conn:
        cursor = await conn.execute(
            "SELECT relname, attname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid"
            " WHERE relnamespace = 'countersign'::regnamespace AND relkind IN ('r', 'p', 'm', 'v', 'f')"
            " AND attnum > 0 AND NOT attisdropped"
        )
        there = {(str(table), str(column)) for table, column in await cursor.fetchall()}
    declared = {(table.name, column) for table in stores.TABLES for column in table.columns}
    assert there - declared == set(), "declare them in graphs/stores.py or bot/privacy/stores.py"
    assert declared - there == set()
    assert len(stores.TABLES) == len({table.name for table in stores.TABLES})


async def erase(office: Office, database: Database, person: str) -> Report:
    """Erase somebody as the command does, while the bot runs."""
    pool = database.pool
    found = await people.find(pool, person, person=None, harmless=HARMLESS)
    assert found is not None

    async def no_files(words: frozenset[str]) -> Mentions:
        return Mentions()

    async with open_owner(office.database_home, None) as owner:
        hands = Hands(queue=office.parts.jobs, notifier=office.parts.outbox)
        return await Erasing(
            database=database, owner=owner, hands=hands, files=no_files, by="dpo", harmless=HARMLESS
        ).erase(found)


async def dump(office: Office, database: Database) -> dict[str, list[str]]:
    """Every row of this test's tenant as text, what is binary as it is written out."""
    found: dict[str, list[str]] = {}
    async with database.pool.connection() as conn:
        cursor = await conn.execute("SELECT current_setting('countersign.tenant') AS tenant")
        row = await cursor.fetchone()
        assert row is not None
        tenant = row["tenant"]
    async with open_owner(office.database_home, None) as conn:
        for table in stores.TABLES:
            where = f"WHERE tenant = '{tenant}'" if table.tenant else ""
            cursor = await conn.execute(f"SELECT to_jsonb(t) FROM {table.name} AS t {where}".encode())
            found[table.name] = [json.dumps(one, ensure_ascii=False) for (one,) in await cursor.fetchall()]
    return found


def forms(word: str) -> set[str]:
    raw = word.encode()
    inner = {base64.b64encode(b"\0" * n + raw).decode()[(0, 2, 3)[n] : -4] for n in range(3)}
    return {word.lower(), json.dumps(word)[1:-1].lower(), raw.hex()} | {one for one in inner if len(one) > 8}


def left_of(found: dict[str, list[str]], words: list[str]) -> dict[str, set[str]]:
    """Which words stand in which tables still."""
    left: dict[str, set[str]] = {}
    for table, said in found.items():
        for row in said:
            for word in words:
                if any(form in row or form in row.lower() for form in forms(word)):
                    left.setdefault(table, set()).add(f"{word}: {row[:400]}")
    return left


async def post(office: Office, name: str, **values: Any) -> Any:
    import httpx

    async with httpx.AsyncClient(trust_env=False, timeout=120) as client:
        return (await client.post(f"{office.server.url}/control/{name}", json=values)).json()


async def until(look: Any, what: str) -> Any:
    for _ in range(600):
        if seen := await look():
            return seen
        await asyncio.sleep(0.1)
    raise AssertionError(what)


async def test_a_person_is_erased(office: Office, database: Database) -> None:
    reason = "because my divorce lawyer Zebulon wants the figures"
    dm = await office.dm(ADA)
    await office.people.message(f"I need billing-db for 3 days {reason}", as_=ADA, channel=dm)

    async def carded() -> Any:
        seen = await office.people.messages(as_=BEN, channel=APPROVERS)
        return next((one for one in reversed(seen) if "Zebulon" in texts(one)), None)

    card = await until(carded, "no card")
    await office.people.action(
        "approval.approve", as_=BEN, channel=APPROVERS, message_ts=card["ts"], value=""
    )

    async def granted() -> bool:
        return "Ada Okafor" in await office.members("billing-db")

    await until(granted, "not granted")
    await asyncio.sleep(2)
    report = await erase(office, database, company.ADA.email)
    print(report)
    words = ["Zebulon", "Okafor", "ada.okafor", company.ADA.id, ADA, dm, "divorce"]
    left = left_of(await dump(office, database), words)
    for table, what in left.items():
        for one in sorted(what):
            print(table, one)
    assert left == {}
    assert await office.members("billing-db") == set()
    assert report.is_complete
    assert rows
