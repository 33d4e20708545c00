"""The socket to Slack: kept open with pauses where Slack refuses it, and shared with no other deployment."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot import connection
from bot.app import make_app
from bot.bots import Bots, bots
from bot.connection import Connection
from bot.database import Database
from bot.installation import SlackRefused
from bot.wiring import Parts
from bot.workspace.client import WorkspaceClient
from bot.workspace.server import Server
from tests.scenario.slack_office import APP_TOKEN, open_parts


@dataclass(frozen=True, kw_only=True)
class Rig:
    """A workspace, and parts that nobody has connected to it yet."""

    server: Server
    parts: Parts
    people: WorkspaceClient

    def connection(self, app: str = "ours") -> Connection:
        """Return a bot's connection. Bots that name another app share no database, as if."""
        return Connection(make_app(self.parts)[0], APP_TOKEN, Bots(self.parts.pool, app))


@pytest.fixture
async def rig(database: Database, slack_home: Path) -> AsyncIterator[Rig]:
    nowhere = "http://127.0.0.1:9/v2"
    async with (
        open_parts(database, slack_home, url=nowhere, token="none") as (server, parts),
        WorkspaceClient(server.url) as people,
    ):
        yield Rig(server=server, parts=parts, people=people)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pauses be short."""
    monkeypatch.setattr(connection, "LONGEST", 0.02)
    monkeypatch.setattr(connection, "RECHECKS", (0.02, 0.02))


@asynccontextmanager
async def kept(socket: Connection) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(socket.keep())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await look():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("reason", ["too_many_websockets", "link_disabled"])
async def test_a_socket_that_slack_refuses_is_tried_again_and_said_once(
    rig: Rig, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bot.connection")
    await rig.people.faults("connection", "refused", times=20, error=reason)
    socket = rig.connection()
    async with kept(socket), asyncio.timeout(60):
        await socket.connected.wait()
    assert caplog.text.count(f"Not connected to Slack ({reason})") == 1
    assert caplog.text.count("Connected to Slack again") == 1


async def test_a_token_that_was_revoked_is_tried_again_and_said_once(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    await rig.people.faults("apps.connections.open", "refused", times=20, error="invalid_auth")
    socket = rig.connection()
    async with kept(socket), asyncio.timeout(60):
        await socket.attempted.wait()
        await socket.connected.wait()
    assert caplog.text.count("Not connected to Slack (invalid_auth)") == 1
    assert "SLACK_APP_TOKEN" in caplog.text


@pytest.mark.parametrize(("reason", "most"), [("internal_error", 8), ("link_disabled", 4)])
async def test_half_a_minute_of_refusals_is_a_handful_of_attempts(
    rig: Rig, reason: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LONGEST", 60.0)
    socket = rig.connection()
    seconds, attempts, pauses = 0.0, 0, []
    while seconds < 30:
        attempts += 1
        await socket._failed(reason)
        pauses.append(socket._pause())
        seconds += pauses[-1]
    assert attempts <= most
    for _ in range(50):
        await socket._failed(reason)
    assert 30 <= socket._pause() <= 60


@pytest.mark.parametrize("before", ["", "link_disabled"], ids=["down", "down after refusals"])
async def test_a_network_that_is_down_is_tried_again_within_seconds(
    rig: Rig, before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rig.parts.slack, "base_url", "http://127.0.0.1:9/api/")
    socket = rig.connection()
    async with kept(socket), asyncio.timeout(60):
        for _ in range(9 if before else 0):
            await socket._failed(before)
        socket.attempted.clear()
        for _ in range(9):
            await socket.attempted.wait()
            socket.attempted.clear()
    monkeypatch.setattr(connection, "LONGEST", 60.0)
    assert 0 < socket._pause() <= 5


async def test_a_socket_that_slack_wants_replaced_is_replaced(rig: Rig) -> None:
    socket = rig.connection()
    async with kept(socket), asyncio.timeout(60):
        await socket.connected.wait()
        before = len(await rig.people.log("apps.connections.open"))
        await rig.people._post("refresh", {})

        async def another() -> bool:
            return len(await rig.people.log("apps.connections.open")) > before

        await until(another)


async def test_bots_that_share_a_database_share_an_app(rig: Rig) -> None:
    first, second = rig.connection(), rig.connection()
    async with kept(first), kept(second), asyncio.timeout(60):
        await first.connected.wait()
        await second.connected.wait()
        async with rig.parts.pool.connection() as conn:
            assert sum(bot.sockets for bot in await bots(conn, "ours")) == 2
    async with rig.parts.pool.connection() as conn:
        assert not await bots(conn, "ours"), "they have left"


async def test_another_deployment_with_the_same_app_is_refused_with_what_to_do(rig: Rig) -> None:
    first, stranger = rig.connection(), rig.connection("of another database")
    async with kept(first):
        async with asyncio.timeout(60):
            await first.connected.wait()
            with pytest.raises(SlackRefused, match="Another deployment uses this Slack app"):
                await stranger.keep()
        assert not stranger.connected.is_set()
        assert await rig.people.connections() == 1, "the first goes on"


async def test_a_bot_that_was_killed_is_not_taken_for_another_deployment(rig: Rig) -> None:
    """Slack may still count its socket, and so do we."""
    await Bots(rig.parts.pool, "ours").hold(1)
    killed = rig.connection()
    async with kept(killed), asyncio.timeout(60):
        await killed.connected.wait()
        socket = rig.connection()
        async with kept(socket):
            await socket.connected.wait()
