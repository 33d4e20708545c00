"""Which payloads are for us, and what a token that does not work is answered with."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.world import world
from bot.installation import Installation, SlackRefused, discover
from bot.workspace.client import WorkspaceClient
from bot.workspace.server import Server, running

ROOT = Path(__file__).parents[3]
OURS = Installation(app="A1", team="T1", enterprise=None, bot="B1", bot_user="U1")
INNER = Installation(app="A1", team="T1", enterprise="E1", bot="B1", bot_user="U1")


@pytest.fixture
async def workspace() -> AsyncIterator[Server]:
    manifest = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
    async with running(world(manifest, bot_token="xoxb-right", app_token="xapp-right")) as server:
        yield server


def client(url: str, token: str) -> AsyncWebClient:
    return AsyncWebClient(token=token, base_url=url, timeout=5, retry_handlers=[])


EVENT = {"type": "event_callback", "api_app_id": "A1", "team_id": "T1"}
CLICK = {
    "type": "block_actions",
    "api_app_id": "A1",
    "team": {"id": "T1"},
    "user": {"id": "U2", "team_id": "T1"},
}
COMMAND = {"command": "/ask", "team_id": "T1"}


@pytest.mark.parametrize("body", [EVENT, CLICK, COMMAND, {**COMMAND, "api_app_id": "A1"}])
def test_what_our_workspace_sends_to_our_app_is_for_us(body: dict[str, Any]) -> None:
    assert OURS.covers(body)


@pytest.mark.parametrize(
    "body",
    [
        {**EVENT, "api_app_id": "A2"},
        {**EVENT, "team_id": "T2"},
        {**EVENT, "enterprise_id": "E2"},
        {**EVENT, "authorizations": [{"team_id": "T2", "enterprise_id": None}]},
        {"type": "event_callback", "team_id": "T1"},
        {**CLICK, "team": {"id": "T2"}},
        {**CLICK, "team": None, "user": {"id": "U2"}},
        {**CLICK, "user": {"id": "U2", "team_id": "T2"}},
        {**CLICK, "enterprise": {"id": "E2"}},
        {**COMMAND, "api_app_id": "A2"},
        {**COMMAND, "enterprise_id": "E2"},
        {},
    ],
)
def test_what_another_app_workspace_or_organisation_is_meant_by_is_not_for_us(body: dict[str, Any]) -> None:
    assert not OURS.covers(body)


def test_an_organisation_of_our_own_is_known() -> None:
    assert INNER.covers({**EVENT, "enterprise_id": "E1"})
    assert not INNER.covers({**EVENT, "enterprise_id": "E2"})


def test_in_a_shared_channel_the_authorizations_say_for_whom_an_event_is() -> None:
    shared = {**EVENT, "team_id": "T9", "authorizations": [{"team_id": "T1", "enterprise_id": None}]}
    assert OURS.covers(shared)


async def test_who_we_are_is_asked_of_slack(workspace: Server) -> None:
    found = await discover(client(workspace.api_url, "xoxb-right"))
    assert found.team == "T0LARKFIELD"
    assert found.app == "A0COUNTERSIGN"


async def test_a_wrong_token_is_refused_in_words(workspace: Server) -> None:
    with pytest.raises(SlackRefused, match=r"invalid_auth.*SLACK_BOT_TOKEN"):
        await discover(client(workspace.api_url, "xoxb-wrong"))


async def test_no_network_is_said_in_words() -> None:
    with pytest.raises(SlackRefused, match="cannot be reached"):
        await discover(client("http://127.0.0.1:9/api/", "xoxb-right"))


async def test_slack_in_trouble_is_said_in_words(workspace: Server) -> None:
    async with WorkspaceClient(workspace.url) as people:
        await people.faults("auth.test", "http_500")
    with pytest.raises(SlackRefused, match="internal_error"):
        await discover(client(workspace.api_url, "xoxb-right"))


@pytest.mark.parametrize(
    ("body", "workspace", "organisation"),
    [
        ({**CLICK, "user": {"id": "U2", "team_id": "T2"}, "enterprise": {"id": "E1"}}, False, True),
        ({**CLICK, "user": {"id": "U2"}, "enterprise": {"id": "E1"}}, False, True),
        ({**CLICK, "user": {"id": "U2", "team_id": "T2"}}, False, False),
        ({**CLICK, "user": {"id": "U2", "team_id": "T2"}, "enterprise": {"id": "E2"}}, False, False),
        ({**CLICK, "team": {"id": "T2"}, "enterprise": {"id": "E1"}}, False, False),
        ({**CLICK, "team": None, "enterprise": {"id": "E1"}}, False, True),
        ({**EVENT, "authorizations": [{"team_id": None, "enterprise_id": "E1"}]}, False, False),
        ({**EVENT, "authorizations": [{"team_id": "T1", "enterprise_id": "E1"}]}, False, True),
        ({**EVENT, "context_team_id": "T9", "authorizations": [{"team_id": "T1"}]}, True, True),
    ],
)
def test_in_an_organisation_what_was_installed_decides_and_colleagues_of_it_may_click(
    body: dict[str, Any], workspace: bool, organisation: bool
) -> None:
    """Whether somebody of a sister workspace is of ours is asked of Slack, for each click."""
    assert OURS.covers(body) is workspace
    assert INNER.covers(body) is organisation
