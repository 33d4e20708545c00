"""The manifest says what the listeners register and what the methods we call need: no more and no less."""

import json
import re
from pathlib import Path
from typing import Any, cast

import jsonschema
import pytest
import yaml
from slack_bolt.async_app import AsyncApp

from bot.app import SURFACES
from bot.blocks.help import PROMPTS
from bot.listeners.surfaces import Surfaces
from bot.wiring import Parts

ROOT = Path(__file__).parents[3]
BOT = ROOT / "bot"

# Slack: the scope that each method needs (docs.slack.dev, "Required scopes").
SCOPES: dict[str, set[str]] = {
    "auth_test": set(),
    "apps_connections_open": set(),  # with the app-level token
    "bots_info": {"users:read"},
    "users_info": {"users:read", "users:read.email"},
    "chat_postMessage": {"chat:write"},
    "chat_postEphemeral": {"chat:write"},
    "chat_update": {"chat:write"},
    "conversations_history": {"channels:history", "groups:history", "im:history"},
    "conversations_replies": {"channels:history", "groups:history", "im:history"},
    "conversations_info": {"channels:read", "groups:read"},
    "conversations_members": {"channels:read", "groups:read"},
    "users_list": {"users:read"},
    "conversations_open": {"im:write"},
    "views_open": set(),
    "views_push": set(),
    "assistant_threads_setStatus": {"assistant:write"},
    "assistant_threads_setSuggestedPrompts": {"assistant:write"},
}
EVENTS = {"app_mention": {"app_mentions:read"}, "message.im": {"im:history"}, "app_home_opened": set()}


@pytest.fixture(scope="module")
def manifest() -> Any:
    return yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def surfaces() -> Surfaces:
    found = Surfaces(AsyncApp(token="xoxb-none", signing_secret="none"))
    for surface in SURFACES:
        surface.register(found, cast(Parts, None))  # parts are for what happens later
    return found


def test_the_manifest_is_valid(manifest: Any, shared_data: Path) -> None:
    schema = json.loads((shared_data / "slack" / "manifest.schema.json").read_text(encoding="utf-8"))
    jsonschema.validators.validator_for(schema)(schema).validate(manifest)
    assert len(manifest["display_information"]["name"]) <= 35
    assert len(manifest["display_information"]["description"]) <= 140
    assert 175 <= len(manifest["display_information"]["long_description"]) <= 4000


def test_the_manifest_subscribes_to_what_the_listeners_handle(manifest: Any, surfaces: Surfaces) -> None:
    assert set(manifest["settings"]["event_subscriptions"]["bot_events"]) == surfaces.events
    assert {each["command"] for each in manifest["features"]["slash_commands"]} == surfaces.commands
    assert {each["callback_id"] for each in manifest["features"]["shortcuts"]} == surfaces.shortcuts


def test_the_scopes_are_the_least_that_the_bot_needs(manifest: Any, surfaces: Surfaces) -> None:
    needed = {"commands"}
    for event in surfaces.events:
        needed |= EVENTS[event]
    for method in _methods():
        needed |= SCOPES[method]
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == needed


def test_the_prompts_of_the_manifest_are_those_that_the_bot_suggests(manifest: Any) -> None:
    prompts = [
        (each["title"], each["message"]) for each in manifest["features"]["agent_view"]["suggested_prompts"]
    ]
    assert prompts == list(PROMPTS)
    assert len(prompts) <= 4


def test_every_method_that_is_called_is_known_here() -> None:
    assert _methods() == set(SCOPES)


def test_only_the_outbox_posts() -> None:
    posting = re.compile(r"chat_(?:post|update)\w+|AsyncWebhookClient|\brespond\(|\bsay\(")
    for file in BOT.rglob("*.py"):
        if "workspace" not in file.parts and file.name != "outbox.py":
            found = [each for each in posting.findall(file.read_text(encoding="utf-8")) if each != "respond("]
            assert not found, file


def _methods() -> set[str]:
    """Return the Web API methods that our own code calls."""
    call = re.compile(r"\b(?:_?slack|client|parts\.slack)\.([a-z]+_\w+)\(")
    return {
        name
        for file in BOT.rglob("*.py")
        if not {"workspace", "demo"} & set(file.parts)
        for name in call.findall(file.read_text(encoding="utf-8"))
    }
