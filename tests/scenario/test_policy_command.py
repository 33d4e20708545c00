"""`countersign policy`, as a security officer uses it."""

import asyncio
import json
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bot import policies
from bot.audit.keys import unlock
from bot.cli import app
from bot.database import open_database
from bot.settings import load
from bot.storage.embedded import Embedded
from connectors.sandbox import process
from connectors.secrets import open_secrets
from graphs import delegations
from graphs.policy.engine import Policy
from tests.scenario import town_hall
from tests.scenario.desk import open_office
from tests.scenario.duty import BEN, TOMAS, person, ruled
from tests.unit.graphs.test_policy import LONG


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["policy", *(str(word) for word in words)])


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A home with a policy of its own."""
    (tmp_path / "own.cedar").write_text(LONG)
    (tmp_path / "countersign.toml").write_text('[policy]\nfile = "own.cedar"\n')
    return tmp_path


def test_check_lists_the_policies_in_words_with_their_hash(own: Path) -> None:
    shown = run("check", "--home", own)
    assert shown.exit_code == 0, shown.output
    assert f"{len(Policy.shipped(LONG).rules)} policies fit the schema" in shown.output
    found = json.loads(run("check", "--home", own, "--json").stdout)
    assert found["hash"] == policies.of(load(own)).hash
    assert found["policies"][-1] == {
        "id": "long-access",
        "effect": "forbid",
        "says": "More than a week needs security.",
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (LONG.replace("forbid", "permit"), "only forbid"),
        (LONG.replace("context.lasts > 7", "context.mood > 7"), "mood"),
        (LONG.replace("has lasts", "has lsats"), "asks for context.lsats, which no action in its scope has"),
        (LONG.replace("action in", "action =="), 'write `action in Action::"approve"`'),
        ("permit it all", "cannot be used"),
    ],
)
def test_check_refuses_what_the_bot_would_not_start_with(own: Path, text: str, says: str) -> None:
    (own / "own.cedar").write_text(text)
    refused = run("check", "--home", own)
    assert refused.exit_code == 2
    assert says in " ".join(refused.stderr.split())
    assert run("check", own / "missing.cedar", "--home", own).exit_code == 2


def test_test_runs_the_cases_that_ship_and_those_of_a_file(own: Path) -> None:
    assert "0 not as expected" in run("test", "--home", own).output
    cases = own / "cases.yaml"
    cases.write_text(
        "cases:\n"
        "  - case: Eight days are too long for a data owner\n"
        "    who: {subject: grace, groups: [data-owners]}\n"
        "    does: approve\n"
        "    to: {Approval: {workflow: it_access, operation: directory.add_to_group, requester: [ada],"
        " beneficiary: [ada], authors: [], approvers: [data-owners], quorum: 1, escalation: [],"
        " confirmed: false}}\n"
        "    context: {level: 2, escalated: false, parameters: {group: g, person: ada}, effect: write,"
        " scope: 'groups:write', lasts: 691200, plan: {operations: [directory.add_to_group], steps: 1}}\n"
        "    expected: forbid\n"
        "    by: [long-access]\n"
    )
    assert run("test", cases, "--home", own).exit_code == 0
    (own / "countersign.toml").unlink()
    failed = run("test", cases, "--home", own)
    assert failed.exit_code == 1
    assert "allow by [approvers-decide], expected forbid by [long-access]" in " ".join(failed.output.split())
    assert json.loads(run("test", cases, "--home", own, "--json").stdout)["failed"] == 1
    cases.write_text("cases: {")
    assert run("test", cases, "--home", own).exit_code == 2


async def test_explain_says_who_could_decide_and_why_not_me(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, secret = own / "explained", "opens the file of these operators alone"
    home.mkdir()
    monkeypatch.setenv("COUNTERSIGN_SECRETS_KEY", secret)
    async with (
        process.directory(own / "directory") as server,
        Embedded(home),
        open_database(home, None) as database,
        open_office(database, home, server, rules=ruled(escalate_to="people-team")) as office,
    ):
        await unlock(database, lambda: open_secrets(home=home, key=secret))
        await town_hall.found_group(server, "security", [])  # which the policies of this installation name
        grace = await office.connectors.directory.person_by_email("grace.lindqvist@larkfield.example")
        values = {"group": "billing-db", "days": "9", "reason": "close the quarter"}
        key = secrets.token_hex(8)
        asked = await office.runs.start(
            workflow="it_access", values=values, requester=grace, origin={}, key=key
        )
        await office.work()
        config = own / "explain.toml"
        config.write_text(f'[directory]\nurl = "{server.url}"\nissuer = "larkfield"\n')
        monkeypatch.setenv("COUNTERSIGN_DIRECTORY_TOKEN", server.token)

        async def explain(*words: str | Path) -> Result:
            return await asyncio.to_thread(run, "explain", *words, "--home", home, "--config", config)

        async def people(*words: str | Path) -> dict[str, Any]:
            said = await explain(*words, "--json")
            assert said.exit_code == 0, (said.output, said.exception)
            told = json.loads(said.stdout)["people"]
            return {one["email"].partition("@")[0]: (one["allowed"], one["policies"]) for one in told}

        everyone = await people(asked[:12])
        assert everyone["ben.castellanos"] == (True, ["approvers-decide"])
        assert everyone["grace.lindqvist"] == (False, ["nobody-decides-on-their-own-request"])
        assert everyone["ines.moreau"] == (False, [])
        ines = " ".join((await explain(asked, "--as", "ines.moreau@larkfield.example")).output.split())
        assert "UTC people-team decide as well. Ines Moreau" in ines
        tomas = await explain(office.desk.cards[0], "--as", "tomas.varga@larkfield.example")
        assert "they are not in data-owners" in " ".join(tomas.output.split())
        async with database.pool.connection() as conn:
            await delegations.delegate(
                conn,
                holder=await person(office, BEN),
                stand_in=await person(office, TOMAS),
                last_day=datetime.now(UTC).date() + timedelta(days=1),
                by="Ben",
            )
        assert (await people(asked))["tomas.varga"] == (True, ["stand-ins-decide"])
        assert "could decide for Ben Castellanos" in " ".join((await explain(asked)).output.split())
        jun = await people(asked, "--as", "jun.park@larkfield.example")
        assert jun == {"jun.park": (False, ["inactive-people-do-nothing"])}
        config.write_text(f'{config.read_text()}[policy]\nfile = "{own / "own.cedar"}"\n')
        assert (await people(asked))["ben.castellanos"] == (False, ["long-access"])
        assert (await explain("nothing-like-it")).exit_code == 2
