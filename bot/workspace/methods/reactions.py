"""reactions.add and reactions.get."""

import re

from bot.workspace import reactions
from bot.workspace.errors import Refused
from bot.workspace.methods.base import Answer, Call, Family
from bot.workspace.state import Conversation, Message

family = Family()
_NAME = re.compile(r"[a-z0-9_+'\-]+(?:::skin-tone-[2-6])?")


def _item(call: Call) -> tuple[Conversation, Message]:
    if call.text("channel") is None or call.text("timestamp") is None:
        raise Refused("no_item_specified")
    conversation = call.joined(call.text("channel"))
    return conversation, call.workspace.state.message(conversation, call.text("timestamp"))


@family.method("reactions.add", "reactions:write")
def add(call: Call) -> Answer:
    """Add the bot's reaction to a message."""
    name = call.required("name").strip(":")
    if not _NAME.fullmatch(name):
        raise Refused("invalid_name")
    conversation, message = _item(call)
    if conversation.archived:
        raise Refused("is_archived")
    if not reactions.add(call.workspace, conversation, message, call.workspace.bot_user, name):
        raise Refused("already_reacted")
    return {}


@family.method("reactions.get", "reactions:read")
def get(call: Call) -> Answer:
    """Show a message with its reactions."""
    conversation, message = _item(call)
    return {"type": "message", "channel": conversation.id, "message": message}
