"""A running workspace with people, a control client, a bare Slack client and a Bolt app that connects."""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Protocol

import pytest
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.workspace.client import WorkspaceClient
from bot.workspace.core import Clocks
from bot.workspace.server import Server, running
from bot.workspace.timing import PostLimit, Timing
from bot.workspace.world import App, Channel, Command, Person, Shortcut, Team, World

SCOPES = frozenset(
    {
        "app_mentions:read",
        "assistant:write",
        "channels:history",
        "channels:join",
        "channels:read",
        "chat:write",
        "commands",
        "groups:history",
        "groups:read",
        "im:history",
        "im:read",
        "im:write",
        "reactions:read",
        "reactions:write",
        "team:read",
        "users:read",
        "users:read.email",
    }
)
EVENTS = frozenset(
    {
        "app_home_opened",
        "app_mention",
        "member_joined_channel",
        "message.channels",
        "message.groups",
        "message.im",
        "reaction_added",
    }
)
ADA, BEN, NOOR, JUN, BOT = "U0ADA", "U0BEN", "U0NOOR", "U0JUN", "U0BOT"


def small_world(*, scopes: frozenset[str] = SCOPES, events: frozenset[str] = EVENTS) -> World:
    return World(
        team=Team(id="T0LARK", name="Larkfield", domain="larkfield"),
        app=App(
            id="A0APP",
            name="Countersign",
            bot_id="B0BOT",
            bot_user=BOT,
            bot_token="xoxb-test",
            app_token="xapp-test",
            scopes=scopes,
            events=events,
            commands=(Command(command="/ask", description="Ask", usage_hint="a question"),),
            shortcuts=(
                Shortcut(callback_id="start", name="Start", type="global"),
                Shortcut(callback_id="explain", name="Explain", type="message"),
            ),
        ),
        people=(
            Person(
                id=ADA, name="ada", real_name="Ada Okafor", email="ada@larkfield.example", title="Analyst"
            ),
            Person(id=BEN, name="ben", real_name="Ben Castellanos", email="ben@larkfield.example"),
            Person(id=NOOR, name="noor", real_name="Noor Haddad", is_restricted=True),
            Person(id=JUN, name="jun", real_name="Jun Park", email="jun@larkfield.example", deleted=True),
        ),
        channels=(
            Channel(id="C0GENERAL", name="general", members=frozenset({ADA, BEN, NOOR, BOT})),
            Channel(id="C0FINANCE", name="finance", members=frozenset({ADA})),
            Channel(id="G0APPROVALS", name="approvals", private=True, members=frozenset({BEN, BOT})),
            Channel(id="G0QUIET", name="quiet", private=True, members=frozenset({BEN})),
            Channel(id="C0OLD", name="old", archived=True, members=frozenset({ADA, BOT})),
        ),
    )


class Rig:
    """One workspace and the two ways to talk to it: as a person, and as the app."""

    def __init__(self, server: Server, people: WorkspaceClient) -> None:
        self.server = server
        self.people = people
        self.slack = AsyncWebClient(token="xoxb-test", base_url=server.api_url, retry_handlers=[])

    @contextlib.asynccontextmanager
    async def bolt(self, register: Callable[[AsyncApp], Any]) -> AsyncIterator[AsyncApp]:
        """An unchanged Bolt app on Socket Mode, with the listeners that `register` adds."""
        app = AsyncApp(client=AsyncWebClient(token="xoxb-test", base_url=self.server.api_url))
        register(app)
        handler = AsyncSocketModeHandler(app, "xapp-test")
        handler.client.ping_interval = 0.2
        before = await self.people.connections()
        await handler.connect_async()
        await self.people.wait_for(lambda: self._more_than(before), what="the app's connection")
        try:
            yield app
        finally:
            await handler.close_async()

    async def _more_than(self, count: int) -> bool:
        return await self.people.connections() > count

    async def refusal(self, call: Any) -> dict[str, Any]:
        """The answer to a call that Slack refuses."""
        with pytest.raises(SlackApiError) as caught:
            await call
        answer = caught.value.response.data
        assert isinstance(answer, dict)
        return answer


class OpenRig(Protocol):
    async def __call__(
        self,
        *,
        world: World | None = None,
        timing: Timing | None = None,
        post_limit: PostLimit | None = None,
        clocks: Clocks | None = None,
        state: Path | None = None,
        **_: Any,
    ) -> Rig: ...


@pytest.fixture
async def open_rig() -> AsyncIterator[OpenRig]:
    """Starts workspaces with times and limits of the test's choosing."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(*, world: World | None = None, **options: Any) -> Rig:
            server = await stack.enter_async_context(running(world or small_world(), **options))
            people = await stack.enter_async_context(WorkspaceClient(server.url))
            return Rig(server, people)

        yield start


@pytest.fixture
async def rig(open_rig: OpenRig) -> Rig:
    return await open_rig()


@pytest.fixture
def make_world() -> Callable[..., World]:
    return small_world
