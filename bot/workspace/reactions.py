"""Reactions on messages."""

from bot.workspace.core import Workspace
from bot.workspace.state import Conversation, Message


def add(workspace: Workspace, conversation: Conversation, message: Message, person: str, name: str) -> bool:
    """React with `name`, and tell the app. Returns False when this person has already done so."""
    reactions = message.setdefault("reactions", [])
    entry = next((one for one in reactions if one["name"] == name), None)
    if entry is None:
        entry = {"name": name, "users": [], "count": 0}
        reactions.append(entry)
    if person in entry["users"]:
        return False
    entry["users"].append(person)
    entry["count"] = len(entry["users"])
    workspace.state.keep(conversation, message)
    workspace.tell(conversation, {"type": "message_changed", "message": message})
    event = {
        "type": "reaction_added",
        "user": person,
        "item": {"type": "message", "channel": conversation.id, "ts": message["ts"]},
        "reaction": name,
        "item_user": message["user"],
        "event_ts": workspace.state.next_ts(),
    }
    workspace.publish(event, conversation=conversation)
    return True
