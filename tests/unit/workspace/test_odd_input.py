"""Odd input is refused with a code; it never breaks the workspace."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.workspace.client import ControlError
from bot.workspace.errors import Refused
from bot.workspace.methods.base import Call
from bot.workspace.webapi import METHODS

ADA, GENERAL = "U0ADA", "C0GENERAL"
ODD: tuple[Any, ...] = (
    None,
    7,
    -1,
    True,
    1.5,
    "",
    "x",
    "{",
    "[1]",
    "null",
    [],
    [[]],
    [7],
    {},
    {"type": 7},
    "\ud83d",
    "\x00",
)
NAMES = (
    "attachments", "blocks", "bot", "channel", "channel_id", "chunks", "cursor", "email", "error",
    "hash", "icon_url", "latest", "limit", "loading_messages", "markdown_text", "message",
    "message_ts", "metadata", "name", "oldest", "prompts", "recipient_user_id", "status",
    "task_display_mode", "text", "thread_ts", "timestamp", "title", "token", "trigger_id", "ts",
    "types", "user", "user_id", "users", "view", "view_id",
)  # fmt: skip


def outcome(call: Call, method: str) -> str:
    """The answer as JSON, or the code of the refusal."""
    try:
        return json.dumps(METHODS[method].handler(call))
    except Refused as refused:
        return refused.error


@pytest.mark.parametrize("method", sorted(METHODS))
async def test_odd_arguments_are_refused_with_a_code(
    open_rig: Any, make_world: Any, tmp_path: Path, method: str
) -> None:
    rig = await open_rig(world=make_world(events=frozenset()), state=tmp_path)
    workspace, scopes = rig.server.workspace, make_world().app.scopes
    ts = (await rig.slack.chat_postMessage(channel=GENERAL, text="x"))["ts"]
    usual = {
        "channel": GENERAL,
        "channel_id": "D0ADA",
        "ts": ts,
        "timestamp": ts,
        "text": "x",
        "name": "eyes",
    }
    for name in NAMES:
        for odd in ODD:
            assert outcome(Call(workspace=workspace, args=usual | {name: odd}, scopes=scopes), method)
    workspace.store.flush()


CONTROL = {
    "message": {"channel": GENERAL, "text": "x"},
    "edit": {"channel": GENERAL, "ts": "1.1", "text": "x"},
    "delete": {"channel": GENERAL, "ts": "1.1"},
    "react": {"channel": GENERAL, "ts": "1.1", "name": "eyes"},
    "invite": {"channel": GENERAL, "user": ADA},
    "leave": {"channel": "C0FINANCE", "user": ADA},
    "command": {"channel": GENERAL, "command": "/ask", "text": "x"},
    "action": {"channel": GENERAL, "message_ts": "1.1", "block_id": "b", "action_id": "a", "state": {}},
    "options": {"channel": GENERAL, "message_ts": "1.1", "block_id": "b", "action_id": "a", "value": "x"},
    "submit": {"view_id": "V1", "values": {}},
    "close": {"view_id": "V1"},
    "home": {"tab": "home"},
    "shortcut": {"callback_id": "start", "channel": GENERAL, "message_ts": "1.1"},
    "faults": {"method": "chat.postMessage", "kind": "delay", "times": 1, "seconds": 0, "retry_after": 1},
    "limits": {"posts": True, "burst": 9, "per_second": 1},
    "clock": {"days": 1, "hours": 1},
}


@pytest.mark.parametrize("name", sorted(CONTROL))
async def test_odd_acts_are_refused_with_a_code(rig: Any, name: str) -> None:
    view = {
        "type": "modal",
        "title": {"type": "plain_text", "text": "T"},
        "submit": {"type": "plain_text", "text": "S"},
        "blocks": [
            {
                "type": "input",
                "block_id": kind,
                "label": {"type": "plain_text", "text": "L"},
                "element": {"type": kind, "action_id": "a"} | more,
            }
            for kind, more in (
                ("plain_text_input", {}),
                ("email_text_input", {}),
                ("number_input", {"is_decimal_allowed": True, "min_value": "1"}),
                ("multi_users_select", {}),
            )
        ],
    }
    trigger = rig.server.workspace.triggers.issue(ADA)
    view_id = (await rig.slack.views_open(trigger_id=trigger, view=view))["view"]["id"]
    usual = {"as": ADA, **CONTROL[name]} | ({"view_id": view_id} if name == "submit" else {})
    trials = [usual | {key: odd} for key in usual for odd in ODD]
    if name == "submit":
        values = [{block["block_id"]: {"a": {"value": odd}}} for block in view["blocks"][:3] for odd in ODD]
        values += [{"multi_users_select": {"a": {"selected_users": odd}}} for odd in ODD]
        trials += [usual | {"values": each} for each in values]
    for body in trials:
        async with rig.people._http.post(f"{rig.server.url}/control/{name}", json=body) as response:
            assert response.status == 200, body
            answer = await response.json()
            assert answer["ok"] or answer["error"], body


async def test_an_odd_body_is_invalid_json(rig: Any) -> None:
    for body in (b"", b"{", b"[]", b"7", b"\xff\xfe"):
        headers = {"Content-Type": "application/json"}
        url = f"{rig.server.url}/control/message"
        async with rig.people._http.post(url, data=body, headers=headers) as response:
            assert response.status == 200
            assert not (await response.json())["ok"]


async def test_text_keeps_every_character(rig: Any) -> None:
    text = "Zürich 東京 𝄞 👩‍🔬 \u202eevil\u202c \u0000 'quotes' \"double\" \\ `code`"
    await rig.people.message(text, as_=ADA, channel=GENERAL)
    (message,) = await rig.people.messages(as_=ADA, channel=GENERAL)
    assert message["text"] == text
    await rig.people.message("x" * 40_000, as_=ADA, channel=GENERAL)
    assert len((await rig.people.messages(as_=ADA, channel=GENERAL))[-1]["text"]) == 40_000
    with pytest.raises(ControlError):
        await rig.people.message(" \n ", as_=ADA, channel=GENERAL)
