"""chat.postMessage, update, delete, postEphemeral, getPermalink."""

import json
from typing import Any

from bot.workspace import messages
from bot.workspace.errors import Refused, invalid
from bot.workspace.memberships import direct_message
from bot.workspace.messages import Draft
from bot.workspace.methods.base import Answer, Call, Family
from bot.workspace.state import Conversation, Message
from bot.workspace.validate.surfaces import message_problems, too_long

family = Family()

_LONGEST_MARKDOWN = 12_000
_LONGEST_UPDATE = 4_000  # chat.update refuses what chat.postMessage would truncate
_LARGEST_METADATA = 8_000
_MOST_ATTACHMENTS = 100


def blocks_of(call: Call) -> list[dict[str, Any]] | None:
    """Return the valid blocks of a call, or None. Raises as `checked_blocks` does."""
    given = call.json("blocks", "invalid_blocks_format")
    if given is None:
        return None
    return checked_blocks(given)


def checked_blocks(given: object) -> list[dict[str, Any]]:
    """Return blocks that a message may have.

    Raises `invalid_blocks_format`, `invalid_blocks` and `msg_blocks_too_long`.
    """
    if not isinstance(given, list) or not all(isinstance(block, dict) for block in given):
        raise Refused("invalid_blocks_format")
    if problems := message_problems(given):
        raise invalid("invalid_blocks", problems)
    if too_long(given):
        raise Refused("msg_blocks_too_long")
    return given


def metadata_of(call: Call) -> dict[str, Any] | None:
    """Return the metadata of a call; an empty object stays one. Raises Slack's refusals of metadata."""
    given = call.json("metadata", "invalid_metadata_format")
    if given is None:
        return None
    if not isinstance(given, dict):
        raise Refused("invalid_metadata_format")
    if not given:
        return {}
    event_type, payload = given.get("event_type"), given.get("event_payload")
    if (
        set(given) - {"event_type", "event_payload", "entities"}
        or not isinstance(event_type, str)
        or not event_type
    ):
        raise Refused("invalid_metadata_schema")
    if not isinstance(payload, dict):
        raise Refused("invalid_metadata_schema")
    if len(json.dumps(given, ensure_ascii=False).encode()) > _LARGEST_METADATA:
        raise Refused("metadata_too_large")
    return given


def _attachments(call: Call) -> list[dict[str, Any]] | None:
    given = call.json("attachments", "invalid_attachments")
    if given is None:
        return None
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise Refused("invalid_attachments")
    if len(given) > _MOST_ATTACHMENTS:
        raise Refused("too_many_attachments")
    return given


def markdown_blocks(call: Call, error: str = "msg_too_long") -> list[dict[str, Any]] | None:
    """Return the block of `markdown_text`. Raises `markdown_text_conflict` and `error`."""
    given = call.text("markdown_text")
    if given is None:
        return None
    if call.text("text") is not None or call.args.get("blocks"):
        raise Refused("markdown_text_conflict")
    if len(given) > _LONGEST_MARKDOWN:
        raise Refused(error)
    return [{"type": "markdown", "text": given}]


def draft_of(call: Call) -> Draft:
    """Return what a call wants to say. Raises `no_text` when that is nothing."""
    blocks = markdown_blocks(call) or blocks_of(call)
    attachments = _attachments(call)
    text = call.text("text") or call.text("markdown_text") or ""
    if not text.strip() and not blocks and not attachments:
        raise Refused("no_text")
    icon = {key: value for key in ("icon_url", "icon_emoji") if (value := call.text(key)) is not None}
    if icon or call.text("username") is not None:
        call.need("chat:write.customize")
    return Draft(
        text=text,
        blocks=blocks,
        attachments=attachments,
        metadata=metadata_of(call),
        thread_ts=call.text("thread_ts"),
        broadcast=call.flag("reply_broadcast"),
        username=call.text("username"),
        icons={key.removeprefix("icon_"): value for key, value in icon.items()} or None,
    )


def _target(call: Call) -> Conversation:
    """Return where to post: an id, a channel's name, or a person's id for their direct message."""
    wanted = call.required("channel")
    state = call.workspace.state
    person = state.people.get(wanted)
    if person is not None:
        if person.deleted or person.is_bot:
            raise Refused("channel_not_found")
        return direct_message(call.workspace, person.id)
    named = wanted.removeprefix("#")
    by_name = next(
        (one.id for one in state.conversations.values() if one.kind != "im" and one.name == named), wanted
    )
    found = call.conversation(by_name)
    if call.workspace.bot_user not in found.members and "chat:write.public" not in call.scopes:
        raise Refused("not_in_channel")
    if found.archived:
        raise Refused("is_archived")
    return found


@family.method("chat.postMessage", "chat:write")
def post_message(call: Call) -> Answer:
    """Post a message."""
    conversation = _target(call)
    draft = draft_of(call)
    if wait := call.workspace.post_limit.wait(conversation.id):
        raise Refused("ratelimited", retry_after=wait)
    message = messages.post(call.workspace, conversation, draft)
    return {"channel": conversation.id, "ts": message["ts"], "message": message}


def own_message(call: Call, refusal: str) -> tuple[Conversation, Message]:
    """Return the bot's message that `channel` and `ts` name. Raises `message_not_found` and `refusal`."""
    conversation = call.conversation(call.required("channel"))
    message = call.workspace.state.message(conversation, call.required("ts"))
    if message.get("bot_id") != call.workspace.world.app.bot_id:
        raise Refused(refusal)
    return conversation, message


@family.method("chat.update", "chat:write")
def update(call: Call) -> Answer:
    """Change one of the bot's messages. Blocks, attachments and metadata that are not given stay."""
    conversation, message = own_message(call, "cant_update_message")
    if conversation.archived:
        raise Refused("is_archived")
    if message.get("streaming_state") == "in_progress":
        raise Refused("streaming_state_conflict")
    text, blocks = call.text("text"), markdown_blocks(call) or blocks_of(call)
    attachments, metadata = _attachments(call), metadata_of(call)
    if text is None and blocks is None and attachments is None:
        raise Refused("no_text")
    if text is not None and len(text) > _LONGEST_UPDATE:
        raise Refused("msg_too_long")
    changes: dict[str, Any] = {"text": text} if text is not None else {}
    if text is None and blocks:
        changes["text"] = call.text("markdown_text") or messages.NO_TEXT
    for name, value in (("blocks", blocks), ("attachments", attachments), ("metadata", metadata)):
        if value is not None:
            changes[name] = value or None
    if not changes.get("text", message["text"]) and not changes.get("blocks", message.get("blocks")):
        raise Refused("no_text")
    fresh = messages.edit(call.workspace, conversation, message, changes)
    return {"channel": conversation.id, "ts": fresh["ts"], "text": fresh["text"], "message": fresh}


@family.method("chat.delete", "chat:write")
def delete(call: Call) -> Answer:
    """Delete one of the bot's messages."""
    conversation, message = own_message(call, "cant_delete_message")
    messages.remove(call.workspace, conversation, message)
    return {"channel": conversation.id, "ts": message["ts"]}


@family.method("chat.postEphemeral", "chat:write")
def post_ephemeral(call: Call) -> Answer:
    """Show a message to one person."""
    conversation = _target(call)
    person = call.workspace.state.people.get(call.required("user"))
    if person is None or person.id not in conversation.members or person.deleted:
        raise Refused("user_not_in_channel")
    message = messages.whisper(call.workspace, conversation, person.id, draft_of(call))
    return {"message_ts": message["ts"]}


@family.method("chat.getPermalink")
def permalink(call: Call) -> Answer:
    """Return a link to a message."""
    conversation = call.conversation(call.required("channel"))
    message = call.workspace.state.message(conversation, call.required("message_ts"))
    link = f"{call.workspace.origin}/archives/{conversation.id}/p{message['ts'].replace('.', '')}"
    if message.get("thread_ts", message["ts"]) != message["ts"]:
        link += f"?thread_ts={message['thread_ts']}&cid={conversation.id}"
    return {"channel": conversation.id, "permalink": link}
