"""Who belongs where."""

from bot.workspace.core import Workspace
from bot.workspace.state import Conversation, direct_message_id

_CHANNEL_LETTER = {"channel": "C", "private": "G"}


def direct_message(workspace: Workspace, person: str) -> Conversation:
    """Return the direct message between the bot and `person`."""
    return workspace.state.conversation(direct_message_id(person))


def join(workspace: Workspace, conversation: Conversation, person: str, inviter: str | None = None) -> bool:
    """Add somebody to a channel and tell the app. Returns False for a member."""
    if person in conversation.members:
        return False
    workspace.state.set_members(conversation, [*conversation.members, person])
    event = _event(workspace, "member_joined_channel", conversation, person)
    workspace.publish(event | ({"inviter": inviter} if inviter else {}), conversation=conversation)
    workspace.tell(conversation, {"type": "members"})
    return True


def leave(workspace: Workspace, conversation: Conversation, person: str) -> bool:
    """Take somebody out of a channel and tell the app. Returns False for somebody who was not in it."""
    if person not in conversation.members:
        return False
    workspace.publish(
        _event(workspace, "member_left_channel", conversation, person), conversation=conversation
    )
    workspace.state.set_members(conversation, [one for one in conversation.members if one != person])
    workspace.tell(conversation, {"type": "members"})
    return True


def _event(workspace: Workspace, kind: str, conversation: Conversation, person: str) -> dict[str, str]:
    return {
        "type": kind,
        "user": person,
        "channel": conversation.id,
        "channel_type": _CHANNEL_LETTER[conversation.kind],
        "team": workspace.world.team.id,
        "event_ts": workspace.state.next_ts(),
    }
