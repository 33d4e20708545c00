"""What operators do at the command line: delegations, requests that rest, effects, reviews."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bot.audit.keys import unlock
from bot.cli import app
from bot.database import open_database
from bot.storage.embedded import Embedded
from connectors.breaker import REST
from connectors.sandbox.process import Running
from connectors.secrets import open_secrets
from graphs import audit, cases
from graphs.records import RunStatus, Verdict
from tests.scenario.desk import Office, open_office
from tests.scenario.duty import ADA, BEN, GRACE, ask, person

KEY = "opens the file of these operators alone"


@pytest.fixture
async def office(tmp_path: Path, server: Running, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    """An office with a home of its own, as the commands find it."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("COUNTERSIGN_HOME", str(home))
    monkeypatch.setenv("COUNTERSIGN_SECRETS_KEY", KEY)
    async with (
        Embedded(home),
        open_database(home, None) as database,
        open_office(database, home, server) as opened,
    ):
        await unlock(database, lambda: open_secrets(home=home, key=KEY))
        (home / "countersign.toml").write_text(f'[directory]\nurl = "{server.url}"\nissuer = "larkfield"\n')
        monkeypatch.setenv("COUNTERSIGN_DIRECTORY_TOKEN", server.read_token)
        yield opened


async def run(*words: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, list(words))


async def told(*words: str) -> Any:
    result = await run(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


async def kinds(office: Office, run: str | None = None) -> list[str]:
    async with office.database.pool.connection() as conn:
        return [event.kind async for event in audit.read(conn, run)]


@asynccontextmanager
async def leaving_alone(office: Office, system: str) -> AsyncIterator[None]:
    """Have a system rest for as long as the block lasts: a command may take longer to start than one rest."""

    async def rest() -> None:
        while True:
            async with office.database.pool.connection() as conn:
                await cases.outage(conn, system, due_in=REST, reason="connector.resting")
            rested.set()
            await asyncio.sleep(REST / 5)

    rested = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        resting = tasks.create_task(rest())
        await rested.wait()
        yield
        resting.cancel()


async def test_a_delegation_is_made_listed_and_ended(office: Office) -> None:
    until = f"{datetime.now(UTC).date() + timedelta(days=3)}"
    grace, ben = (f"{one}@larkfield.example" for one in (GRACE, BEN))
    made = await run("delegate", "add", grace, ben, "--until", until)
    assert made.exit_code == 0, made.output
    assert f"decides for Grace Lindqvist ({grace}) until" in " ".join(made.output.split())
    (one,) = (await told("delegate", "list"))["delegations"]
    assert (one["holder"]["email"], one["stand_in"]["email"]) == (grace, ben)
    assert "Ben" in (await run("delegate", "list")).output
    for wrong, why in (((ben, ben), "themselves"), ((grace, f"{ADA}@nowhere"), "no")):
        refused = await run("delegate", "add", *wrong, "--until", until)
        assert (refused.exit_code, why in refused.output) == (2, True), refused.output
    assert (await run("delegate", "add", grace, ben, "--until", "2020-01-01")).exit_code == 2
    assert (await run("delegate", "end", one["id"][:8])).exit_code == 0
    assert (await told("delegate", "list"))["delegations"] == []
    assert (await run("delegate", "end", one["id"][:8])).exit_code == 2
    assert await kinds(office) == ["delegation.made", "delegation.ended"]


async def test_a_request_that_rests_is_listed_and_tried_again(office: Office) -> None:
    asked = await ask(office)
    await office.runs.decide(office.desk.cards[0], Verdict.APPROVE, by=await person(office, GRACE))
    async with office.database.pool.connection() as conn:
        await cases.bury(conn, asked, {"error": "connector.unavailable", "system": "directory"})
    (dead,) = await told("effects", "dead")
    assert (dead["request"], dead["requester"], dead["error"]) == (
        asked,
        "Ada Okafor",
        "connector.unavailable",
    )
    async with leaving_alone(office, "directory"):
        assert [one["system"] for one in await told("effects", "systems")] == ["directory"]
        assert "directory" in (await run("effects", "systems")).output
    assert await told("effects", "unknown") == []
    assert await told("effects", "unfinished") == []
    assert "Nothing is left" in (await run("effects", "unfinished")).output
    assert await told("reviews") == {"reviews": []}
    replayed = await run("effects", "replay", asked)
    assert replayed.exit_code == 0, replayed.output
    assert (await office.runs.run(asked)).status is RunStatus.RETRYING
    assert (await kinds(office, asked))[-1] == "run.replayed"
    assert (await run("effects", "replay", asked)).exit_code == 2
    assert "No request rests" in (await run("effects", "dead")).output


async def test_a_message_that_slack_refuses_is_listed_and_sent_again(office: Office) -> None:
    assert "accepted every message" in (await run("outbox", "list")).output
    async with office.database.pool.connection() as conn:
        await conn.execute(
            "INSERT INTO message (id, kind, ref, next_at, state, error, refused, refused_in, refused_at,"
            " tries) SELECT 'card:' || name, 'card', name, clock_timestamp() + interval '50 s', 'waiting',"
            " 'not_in_channel', 'not_in_channel', 'C0APPROVALS', clock_timestamp(), 9"
            " FROM unnest(ARRAY['a', 'b']) AS name"
        )
    first, second = await told("outbox", "list")
    assert (first["id"], first["state"], first["channel"]) == ("card:a", "waiting", "C0APPROVALS")
    assert "Invite the bot" in first["helps"]
    assert "card:b" in (await run("outbox", "list")).output
    assert await told("outbox", "resend", "card:a") == ["card:a"]
    assert [one["id"] for one in await told("outbox", "list")] == [second["id"]]
    refused = await run("outbox", "resend", "card:nowhere")
    assert (refused.exit_code, "card:nowhere" in refused.output) == (2, True)
    assert await told("outbox", "resend") == ["card:b"]
    assert "nothing to send again" in (await run("outbox", "resend")).output
