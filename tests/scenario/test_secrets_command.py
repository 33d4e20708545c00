"""`countersign secrets check` and `rotate`, against a real workspace and a real directory server."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from bot import accepted
from bot.commands import secrets as command
from bot.demo.world import world
from bot.settings import Settings
from bot.workspace.server import Server, running
from connectors.keys import Keys
from connectors.sandbox import process
from connectors.sandbox.process import Running
from connectors.secrets import open_secrets

KEY = "opens the file of this test, and no other"


@pytest.fixture
async def workspace() -> AsyncIterator[Server]:
    manifest = yaml.safe_load((Path(__file__).parents[2] / "manifest.yml").read_text(encoding="utf-8"))
    async with running(world(manifest, bot_token="xoxb-right", app_token="xapp-right")) as server:
        yield server


@pytest.fixture
async def directory(tmp_path: Path) -> AsyncIterator[Running]:
    async with process.directory(tmp_path / "directory") as server:
        yield server


async def states(settings: Settings) -> dict[str, str]:
    return {one.name: one.state async for one in accepted.look(settings)}


async def test_each_secret_is_found_accepted_refused_or_missing(
    workspace: Server, directory: Running, tmp_path: Path
) -> None:
    kept = open_secrets(home=tmp_path, key=KEY)
    kept.set("slack_bot_token", "xoxb-right")
    kept.set("directory_token", directory.read_token)
    kept.set("directory_write_token", "a token of yesterday")
    given = {
        "home": tmp_path,
        "secrets_key": KEY,
        "slack_api_url": workspace.api_url,
        "directory": {"url": directory.url, "issuer": "larkfield"},
    }
    assert await states(Settings(**given)) == {
        "slack_bot_token": "accepted",
        "slack_app_token": "missing",
        "directory_token": "accepted",
        "directory_write_token": "refused",
        "checkpoint_key": "not yet made",
        "audit_key": "not yet made",
    }
    kept.set("checkpoint_key", Keys.fresh().text())
    kept.set("audit_key", "torn")
    nowhere = {"url": "http://127.0.0.1:9/v2", "issuer": "larkfield"}
    model = {"provider": "anthropic", "name": "m"}
    others = {"slack_app_token": "xapp-wrong", "model_key": "k", "model": model, "directory": nowhere}
    assert await states(Settings(**{**given, **others})) == {
        "slack_bot_token": "accepted",
        "slack_app_token": "refused",
        "directory_token": "unreachable",
        "directory_write_token": "unreachable",
        "model_key": "there",
        "checkpoint_key": "there",
        "audit_key": "missing",
    }


def test_the_command_names_what_is_missing_and_exits_with_one(tmp_path: Path) -> None:
    said = CliRunner().invoke(
        command.app, ["check", "--json", "--home", str(tmp_path)], env={"COUNTERSIGN_SECRETS_KEY": KEY}
    )
    assert said.exit_code == 1
    found = json.loads(said.stdout)["secrets"]
    assert [(one["name"], one["state"]) for one in found] == [
        ("slack_bot_token", "missing"),
        ("slack_app_token", "missing"),
        ("checkpoint_key", "not yet made"),
        ("audit_key", "not yet made"),
    ]
    assert "countersign secrets set slack_bot_token" in found[0]["detail"]


@pytest.mark.parametrize("name", ["checkpoint_key", "audit_key"])
def test_rotating_puts_a_new_key_before_the_old_ones(tmp_path: Path, name: str) -> None:
    run = CliRunner().invoke
    where = ["rotate", name, "--home", str(tmp_path)]
    assert run(command.app, where, env={"COUNTERSIGN_SECRETS_KEY": KEY}).exit_code == 2
    old = Keys.fresh()
    open_secrets(home=tmp_path, key=KEY).set(name, old.text())
    said = run(command.app, where, env={"COUNTERSIGN_SECRETS_KEY": KEY})
    assert said.exit_code == 0
    kept = Keys.parse(open_secrets(home=tmp_path, key=KEY).get(name) or "")
    assert kept.keys[1:] == old.keys
    assert kept.newest.id in said.stdout
    assert kept.text()[15:50] not in said.stdout
    others = ["rotate", "directory_token", "--home", str(tmp_path)]
    assert run(command.app, others, env={"COUNTERSIGN_SECRETS_KEY": KEY}).exit_code == 2
