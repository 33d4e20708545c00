"""The bot starts with a clear word about what is wrong, and ends when it is asked to."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import yaml

from bot.demo.world import world
from bot.workspace.client import WorkspaceClient
from bot.workspace.server import Server, running

ROOT = Path(__file__).parents[2]
SETTINGS = """
[directory]
url = "http://127.0.0.1:9/v2"
issuer = "larkfield"
"""
RIGHT = {
    "SLACK_BOT_TOKEN": "xoxb-start",
    "SLACK_APP_TOKEN": "xapp-start",
    "COUNTERSIGN_DIRECTORY_TOKEN": "directory-start",
    "COUNTERSIGN_DIRECTORY_WRITE_TOKEN": "directory-writes-start",
    "COUNTERSIGN_SECRETS_KEY": "opens the file in which the bot keeps keys of its own",
}


@pytest.fixture
async def workspace() -> AsyncIterator[Server]:
    manifest = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
    async with running(world(manifest, bot_token="xoxb-start", app_token="xapp-start")) as server:
        yield server


async def started(home: Path, environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    home.mkdir(exist_ok=True)
    (home / "countersign.toml").write_text(SETTINGS, encoding="utf-8")
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("SLACK_", "COUNTERSIGN_"))
    }
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot.cli",
        "run",
        "--home",
        str(home),
        cwd=ROOT,
        env={**kept, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def ended(process: asyncio.subprocess.Process) -> bytes:
    """Return all that the process has said, once it has ended by itself."""
    try:
        said, _ = await asyncio.wait_for(process.communicate(), 120)
    finally:
        if process.returncode is None:
            process.kill()
    return said


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"SLACK_BOT_TOKEN": "xoxb-wrong"}, "Set SLACK_BOT_TOKEN"),
        ({"SLACK_APP_TOKEN": "xapp-wrong"}, "Set SLACK_APP_TOKEN"),
        ({"SLACK_API_URL": "http://127.0.0.1:9/api/"}, "cannot be reached"),
        ({"COUNTERSIGN_DIRECTORY__URL": "nowhere"}, "directory.url"),
    ],
    ids=["wrong bot token", "wrong app token", "no network", "unusable setting"],
)
async def test_what_is_wrong_at_the_start_is_said_in_a_sentence(
    workspace: Server, slack_home: Path, changed: Mapping[str, str], expected: str
) -> None:
    environment = {**RIGHT, "SLACK_API_URL": workspace.api_url, **changed}
    process = await started(slack_home, environment)
    said = await ended(process)
    text = " ".join(said.decode().split())
    assert process.returncode not in {0, None}
    assert expected in text
    assert "Traceback" not in text
    assert not [
        value for value in environment.values() if value.startswith(("xoxb-", "xapp-")) and value in text
    ]


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_bot_in_order(
    workspace: Server, slack_home: Path, name: signal.Signals
) -> None:
    process = await started(slack_home, {**RIGHT, "SLACK_API_URL": workspace.api_url})
    async with WorkspaceClient(workspace.url) as people:
        await people.connected(timeout=120)
    process.send_signal(name)
    process.send_signal(name)
    said = await ended(process)
    assert process.returncode == 0
    assert "Traceback" not in said.decode()
