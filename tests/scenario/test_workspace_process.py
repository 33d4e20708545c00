"""The workspace as a process: started from a file, killed, and started again."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.workspace.client import WorkspaceClient
from bot.workspace.world import App, Channel, Person, Team, World

WORLD = World(
    team=Team(id="T1", name="Larkfield", domain="larkfield"),
    app=App(
        id="A1",
        name="Countersign",
        bot_id="B1",
        bot_user="U0BOT",
        bot_token="xoxb-test",
        app_token="xapp-test",
        scopes=frozenset({"chat:write", "channels:history"}),
        events=frozenset({"message.channels"}),
    ),
    people=(Person(id="U0ADA", name="ada", real_name="Ada Okafor"),),
    channels=(Channel(id="C1", name="general", members=frozenset({"U0ADA", "U0BOT"})),),
)


@contextlib.asynccontextmanager
async def process(*arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot.workspace",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert started.stdout is not None
        async with asyncio.timeout(30):
            yield started, (await started.stdout.readline()).decode().strip()
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def test_what_was_answered_survives_sigkill(tmp_path: Path) -> None:
    file = tmp_path / "world.json"
    file.write_text(WORLD.model_dump_json())
    arguments = ("--world", str(file), "--state", str(tmp_path / "state"))
    async with process(*arguments) as (running, url), WorkspaceClient(url) as people:
        slack = AsyncWebClient(token="xoxb-test", base_url=f"{url}/api/")
        asked = await people.message("hello", as_="U0ADA", channel="C1")
        answered = await slack.chat_postMessage(
            channel="C1",
            text="hi",
            thread_ts=asked,
            metadata={"event_type": "mark", "event_payload": {"id": "1"}},
        )
        running.kill()
        await running.wait()
    async with process(*arguments) as (running, url), WorkspaceClient(url) as people:
        root, reply = await people.messages(as_="U0ADA", channel="C1", thread_ts=asked)
        assert (root["reply_count"], reply["ts"]) == (1, answered["ts"])
        assert reply["metadata"]["event_payload"] == {"id": "1"}
        assert float(await people.message("again", as_="U0ADA", channel="C1")) > float(answered["ts"])
        running.terminate()
        assert await running.wait() == 0


async def test_a_taken_port_is_said_plainly(tmp_path: Path) -> None:
    file = tmp_path / "world.json"
    file.write_text(WORLD.model_dump_json())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        async with process("--world", str(file), "--port", port) as (running, _):
            assert running.stderr is not None
            said = (await running.stderr.read()).decode()
            assert await running.wait() == 1
    assert said.startswith(f"The workspace cannot start on port {port}: ")
    assert "Traceback" not in said


async def test_a_bad_world_is_said_plainly(tmp_path: Path) -> None:
    file = tmp_path / "world.json"
    file.write_text("{}")
    async with process("--world", str(file)) as (running, _):
        assert running.stderr is not None
        said = (await running.stderr.read()).decode()
        assert await running.wait() == 1
    assert "world.json" in said
    assert "Traceback" not in said


@pytest.fixture(autouse=True)
def _from_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
