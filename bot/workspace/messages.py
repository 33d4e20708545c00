"""Messages: how they are made, threaded, changed and removed, and who hears of it."""

import copy
from dataclasses import dataclass
from typing import Any

from bot.workspace import events
from bot.workspace.composer import Composer
from bot.workspace.core import Workspace
from bot.workspace.errors import Refused
from bot.workspace.ids import Ids
from bot.workspace.state import Conversation, Message

LONGEST_TEXT = 40_000  # Slack truncates a longer text
NO_TEXT = "This content can't be displayed."


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """What the app wants to say."""

    text: str = ""
    blocks: list[dict[str, Any]] | None = None
    attachments: list[dict[str, Any]] | None = None
    metadata: dict[str, Any] | None = None
    thread_ts: str | None = None
    broadcast: bool = False
    username: str | None = None
    icons: dict[str, str] | None = None


def with_ids(ids: Ids, blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the blocks with the block and action ids that Slack adds where the app gave none."""
    return [_with_ids(ids, block) for block in blocks]


_PASSIVE = frozenset({"image", "plain_text", "mrkdwn"})


def _with_ids(ids: Ids, block: dict[str, Any]) -> dict[str, Any]:
    block = copy.deepcopy(block)
    if not block.get("block_id"):
        block["block_id"] = ids.short()
    found = [block.get("accessory"), block.get("element"), *(block.get("actions") or ())]
    if block["type"] in {"actions", "context_actions"}:
        found += block["elements"]
    for element in found:
        if isinstance(element, dict) and element["type"] not in _PASSIVE:
            element.setdefault("action_id", ids.short())
    if block["type"] == "container":
        block["child_blocks"] = with_ids(ids, block["child_blocks"])
    if block["type"] == "carousel":
        block["elements"] = with_ids(ids, block["elements"])
    return block


def say(
    workspace: Workspace, conversation: Conversation, person: str, text: str, thread_ts: str | None
) -> Message:
    """Post what a person typed. Raises `no_text` and `thread_not_found`."""
    if not text.strip():
        raise Refused("no_text")
    marked, elements = _composer(workspace).compose(text[:LONGEST_TEXT])
    message: Message = {
        "client_msg_id": workspace.ids.uuid(),
        "type": "message",
        "text": marked[:LONGEST_TEXT],
        "user": person,
        "ts": workspace.state.next_ts(),
        "team": workspace.world.team.id,
        "blocks": _rich_text(workspace.ids.short(), elements),
    }
    return _post(workspace, conversation, message, thread_ts)


def rewrite(workspace: Workspace, conversation: Conversation, message: Message, text: str) -> Message:
    """Change what a person typed."""
    marked, elements = _composer(workspace).compose(text[:LONGEST_TEXT])
    fresh = message | {
        "text": marked[:LONGEST_TEXT],
        "blocks": _rich_text(workspace.ids.short(), elements),
        "edited": {"user": message["user"], "ts": workspace.state.next_ts()},
    }
    workspace.changed(conversation, fresh, message)
    if _mentions(workspace, conversation, fresh):
        workspace.publish(events.mention(conversation, fresh), conversation=conversation)
    return fresh


def _composer(workspace: Workspace) -> Composer:
    conversations = workspace.state.conversations.values()
    names = {one.id: one.name for one in conversations if one.kind != "im"}
    return Composer(workspace.state.people, names)


def _rich_text(block_id: str, elements: list[dict[str, Any]]) -> list[dict[str, Any]]:
    section = {"type": "rich_text_section", "elements": elements}
    return [{"type": "rich_text", "block_id": block_id, "elements": [section]}]


def from_app(workspace: Workspace, draft: Draft) -> Message:
    """Return the message object of the bot for `draft`, not yet posted."""
    app, team = workspace.world.app, workspace.world.team
    message: Message = {
        "user": app.bot_user,
        "type": "message",
        "ts": workspace.state.next_ts(),
        "bot_id": app.bot_id,
        "app_id": app.id,
        "text": (draft.text or (NO_TEXT if draft.blocks else ""))[:LONGEST_TEXT],
        "team": team.id,
        "bot_profile": bot_profile(workspace),
    }
    if draft.blocks:
        message["blocks"] = with_ids(workspace.ids, draft.blocks)
    optional = {
        "attachments": draft.attachments,
        "metadata": draft.metadata,
        "username": draft.username,
        "icons": draft.icons,
    }
    return message | {key: value for key, value in optional.items() if value}


def bot_profile(workspace: Workspace) -> dict[str, Any]:
    """Return the profile that Slack adds to every message of an app."""
    app = workspace.world.app
    return {
        "id": app.bot_id,
        "app_id": app.id,
        "user_id": app.bot_user,
        "name": app.name,
        "icons": {f"image_{size}": f"{workspace.origin}/page/app_{size}.png" for size in (36, 48, 72)},
        "deleted": False,
        "updated": 0,
        "team_id": workspace.world.team.id,
    }


def post(workspace: Workspace, conversation: Conversation, draft: Draft) -> Message:
    """Post what the app says. Raises `thread_not_found`."""
    message = from_app(workspace, draft)
    if draft.broadcast and draft.thread_ts is not None:
        message["subtype"] = "thread_broadcast"
    return _post(workspace, conversation, message, draft.thread_ts)


def _post(
    workspace: Workspace, conversation: Conversation, message: Message, thread_ts: str | None
) -> Message:
    root = thread_root(conversation, thread_ts) if thread_ts is not None else None
    if root is not None:
        message["thread_ts"] = root["ts"]
        message["parent_user_id"] = root["user"]
        if message.get("subtype") == "thread_broadcast":
            message["root"] = copy.deepcopy(root)
    workspace.state.keep(conversation, message)
    workspace.tell(conversation, {"type": "message", "message": message})
    if root is not None:
        count_replies(workspace, conversation, root)
    if "bot_id" in message:
        _clear_status(workspace, conversation, message)
    _announce(workspace, conversation, message)
    return message


def _announce(workspace: Workspace, conversation: Conversation, message: Message) -> None:
    workspace.publish(events.posted(conversation, message), conversation=conversation)
    if _mentions(workspace, conversation, message):
        workspace.publish(events.mention(conversation, message), conversation=conversation)


def _mentions(workspace: Workspace, conversation: Conversation, message: Message) -> bool:
    """Whether somebody else names the bot where it is told so: of a direct message it is told anyway."""
    named = f"<@{workspace.bot_user}>" in message["text"]
    return named and conversation.kind != "im" and message["user"] != workspace.bot_user


def _clear_status(workspace: Workspace, conversation: Conversation, message: Message) -> None:
    for thread_ts in {message.get("thread_ts"), message["ts"], ""} - {None}:
        if workspace.assistant.clear(conversation.id, str(thread_ts)):
            workspace.tell(conversation, {"type": "status", "thread_ts": thread_ts or None, "status": ""})


def thread_root(conversation: Conversation, thread_ts: str) -> Message:
    """Return the root of a thread; naming one of its replies will do. Raises `thread_not_found`."""
    named = conversation.messages.get(thread_ts)
    root = conversation.messages.get(str(named.get("thread_ts", thread_ts))) if named is not None else None
    if root is None:
        raise Refused("thread_not_found")
    return root


def count_replies(workspace: Workspace, conversation: Conversation, root: Message) -> None:
    """Write into a thread's root how many replies it has, and tell the pages."""
    replies = list(conversation.replies(root["ts"]))
    for field in events.THREAD_FIELDS:
        root.pop(field, None)
    if replies:
        users = list(dict.fromkeys(reply["user"] for reply in replies))
        root |= {
            "thread_ts": root["ts"],
            "reply_count": len(replies),
            "reply_users_count": len(users),
            "latest_reply": replies[-1]["ts"],
            "reply_users": users[:5],
            "is_locked": False,
            "subscribed": workspace.bot_user in users,
        }
    else:
        root.pop("thread_ts", None)
    workspace.state.keep(conversation, root)
    workspace.tell(conversation, {"type": "message_changed", "message": root})


def whisper(workspace: Workspace, conversation: Conversation, person: str, draft: Draft) -> Message:
    """Show the app's message to one person only; the app gets no event of it."""
    message = from_app(workspace, draft)
    if draft.thread_ts is not None:
        message["thread_ts"] = thread_root(conversation, draft.thread_ts)["ts"]
    workspace.state.keep(conversation, message | {"ephemeral_for": person})
    note = {"type": "ephemeral", "channel": conversation.id, "message": message | {"ephemeral": True}}
    workspace.streams.tell({person}, note)
    return message


def remove(workspace: Workspace, conversation: Conversation, message: Message) -> None:
    """Delete a message. The root of a thread with replies leaves a tombstone behind."""
    ts = message["ts"]
    previous = copy.deepcopy(message)
    if "ephemeral_for" in message:
        workspace.state.drop(conversation, ts)
        note = {"type": "message_deleted", "channel": conversation.id, "ts": ts}
        workspace.streams.tell({message["ephemeral_for"]}, note)
        return
    if message.get("reply_count"):
        kept = {key: message[key] for key in (*events.THREAD_FIELDS, "thread_ts") if key in message}
        tombstone = kept | {
            "type": "message",
            "subtype": "tombstone",
            "text": "This message was deleted.",
            "user": "USLACKBOT",
            "hidden": True,
            "ts": ts,
        }
        workspace.changed(conversation, tombstone, previous)
        return
    workspace.state.drop(conversation, ts)
    workspace.tell(conversation, {"type": "message_deleted", "ts": ts})
    gone = events.deleted(conversation, previous, workspace.state.next_ts())
    workspace.publish(gone, conversation=conversation)
    root = conversation.messages.get(str(message.get("thread_ts", ts)))
    if root is not None:
        count_replies(workspace, conversation, root)


def replace_ephemeral(
    workspace: Workspace, conversation: Conversation, message: Message, draft: Draft
) -> None:
    """Replace what one person was shown, in its place."""
    fresh = from_app(workspace, draft) | {"ts": message["ts"], "ephemeral_for": message["ephemeral_for"]}
    if "thread_ts" in message:
        fresh["thread_ts"] = message["thread_ts"]
    workspace.state.keep(conversation, fresh)
    shown = {key: value for key, value in fresh.items() if key != "ephemeral_for"} | {"ephemeral": True}
    note = {"type": "message_changed", "channel": conversation.id, "message": shown}
    workspace.streams.tell({message["ephemeral_for"]}, note)


def edit(
    workspace: Workspace, conversation: Conversation, message: Message, changes: dict[str, Any]
) -> Message:
    """Change a message of the app. A value of None removes its field."""
    fresh = copy.deepcopy(message) | changes
    if changes.get("blocks"):
        fresh["blocks"] = with_ids(workspace.ids, changes["blocks"])
    fresh = {key: value for key, value in fresh.items() if value is not None}
    fresh["edited"] = {"user": workspace.bot_user, "ts": workspace.state.next_ts()}
    workspace.changed(conversation, fresh, message)
    return fresh
