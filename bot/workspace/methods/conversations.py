"""conversations.list, info, history, replies, open, members, join."""

from typing import Any

from bot.workspace import memberships
from bot.workspace.errors import Refused
from bot.workspace.methods.base import Answer, Call, Family
from bot.workspace.state import Conversation, Message

family = Family()

_TYPES = {"public_channel": "channel", "private_channel": "private", "im": "im", "mpim": "mpim"}
_READ = ("channels:read", "groups:read", "im:read", "mpim:read")
_HISTORY = ("channels:history", "groups:history", "im:history", "mpim:history")


def described(call: Call, conversation: Conversation) -> Answer:
    """Return a conversation as Slack does."""
    if conversation.kind == "im":
        return {
            "id": conversation.id,
            "created": 0,
            "is_archived": False,
            "is_im": True,
            "is_org_shared": False,
            "context_team_id": call.workspace.world.team.id,
            "user": conversation.partner,
            "is_user_deleted": call.workspace.state.people[conversation.partner or ""].deleted,
            "priority": 0,
        }
    private = conversation.kind == "private"
    shared = ("is_im", "is_mpim", "is_shared", "is_org_shared", "is_ext_shared", "is_pending_ext_shared")
    return {
        "id": conversation.id,
        "name": conversation.name,
        "name_normalized": conversation.name,
        "is_channel": not private,
        "is_group": private,
        "is_private": private,
        "is_archived": conversation.archived,
        "is_general": conversation.name == "general",
        "is_member": call.workspace.bot_user in conversation.members,
        "created": 0,
        "creator": "",
        "unlinked": 0,
        "context_team_id": call.workspace.world.team.id,
        "topic": {"value": conversation.topic, "creator": "", "last_set": 0},
        "purpose": {"value": "", "creator": "", "last_set": 0},
        "num_members": len(conversation.members),
        **{flag: flag in conversation.shared for flag in shared},
    }


@family.method("conversations.list", *_READ)
def list_conversations(call: Call) -> Answer:
    """List what the bot may know of, of the types asked for."""
    asked = (call.text("types") or "public_channel").split(",")
    if not set(asked) <= set(_TYPES):
        raise Refused("invalid_types")
    families = {"public_channel": "channels", "private_channel": "groups"}
    for kind in asked:
        call.need(f"{families.get(kind, kind)}:read")
    bot, wanted = call.workspace.bot_user, {_TYPES[kind] for kind in asked}
    found = [
        described(call, one)
        for one in call.workspace.state.conversations.values()
        if one.kind in wanted
        and (one.kind == "channel" or bot in one.members)
        and not (one.archived and call.flag("exclude_archived"))
    ]
    page, cursor = call.page(found, default=100)
    return {"channels": page, "response_metadata": {"next_cursor": cursor}}


@family.method("conversations.info", *_READ)
def info(call: Call) -> Answer:
    """Describe one conversation."""
    conversation = call.conversation(call.required("channel"))
    call.need_family(conversation, "read")
    answer = described(call, conversation)
    if not call.flag("include_num_members"):
        answer.pop("num_members", None)
    return {"channel": answer}


@family.method("conversations.members", *_READ)
def members(call: Call) -> Answer:
    """List the ids of a conversation's members."""
    conversation = call.conversation(call.required("channel"))
    call.need_family(conversation, "read")
    page, cursor = call.page(conversation.members, default=100)
    return {"members": page, "response_metadata": {"next_cursor": cursor}}


def _shown(call: Call, message: Message) -> Message:
    """Return a message as history does: its metadata only when asked for."""
    if call.flag("include_all_metadata"):
        return message
    return {key: value for key, value in message.items() if key != "metadata"}


def _within(call: Call, found: list[Message]) -> list[Message]:
    """Keep what lies between `oldest` and `latest`; the ends count only with `inclusive`."""
    bounds: dict[str, float] = {}
    for name, default in (("oldest", 0.0), ("latest", float("inf"))):
        try:
            bounds[name] = float(call.text(name) or default)
        except ValueError:
            raise Refused(f"invalid_ts_{name}") from None
    inclusive = call.flag("inclusive")
    return [
        message
        for message in found
        if bounds["oldest"] < float(message["ts"]) < bounds["latest"]
        or (inclusive and float(message["ts"]) in bounds.values())
    ]


def _listing(call: Call, found: list[Message], default: int) -> Answer:
    page, cursor = call.page(found, default=default, most=999)
    answer: dict[str, Any] = {
        "messages": [_shown(call, message) for message in page],
        "has_more": bool(cursor),
    }
    return answer | ({"response_metadata": {"next_cursor": cursor}} if cursor else {})


@family.method("conversations.history", *_HISTORY)
def history(call: Call) -> Answer:
    """List messages, the newest first; replies only if they were broadcast."""
    conversation = call.conversation(call.required("channel"))
    call.need_family(conversation, "history")
    conversation = call.joined(conversation.id)
    top = [
        message
        for message in conversation.messages.values()
        if message.get("thread_ts", message["ts"]) == message["ts"]
        or message.get("subtype") == "thread_broadcast"
    ]
    return _listing(call, _within(call, top)[::-1], 100) | {"pin_count": 0}


@family.method("conversations.replies", *_HISTORY)
def replies(call: Call) -> Answer:
    """List a thread, its root first."""
    conversation = call.conversation(call.required("channel"))
    call.need_family(conversation, "history")
    conversation = call.joined(conversation.id)
    named = conversation.messages.get(call.required("ts"))
    root = conversation.messages.get(str(named.get("thread_ts", named["ts"]))) if named is not None else None
    if root is None:
        raise Refused("thread_not_found")
    return _listing(call, [root, *_within(call, list(conversation.replies(root["ts"])))], 1000)


@family.method("conversations.open", "im:write", "mpim:write")
def open_direct(call: Call) -> Answer:
    """Open the direct message with one person."""
    if (channel := call.text("channel")) is not None:
        conversation = call.conversation(channel)
    else:
        users = [user.strip() for user in call.required("users").split(",")]
        if len(users) != 1:
            raise Refused("not_supported", detail="group direct messages do not exist in this workspace")
        person = call.workspace.state.person(users[0])
        if person.is_bot:
            raise Refused("cannot_dm_bot")
        if person.deleted:
            raise Refused("user_disabled")
        conversation = memberships.direct_message(call.workspace, person.id)
    answer = described(call, conversation) if call.flag("return_im") else {"id": conversation.id}
    return {"channel": answer, "no_op": True, "already_open": True}


@family.method("conversations.join", "channels:join")
def join(call: Call) -> Answer:
    """Let the bot into a public channel."""
    conversation = call.conversation(call.required("channel"))
    if conversation.kind != "channel":
        raise Refused("method_not_supported_for_channel_type")
    if conversation.archived:
        raise Refused("is_archived")
    if not memberships.join(call.workspace, conversation, call.workspace.bot_user):
        return {
            "channel": described(call, conversation),
            "warning": "already_in_channel",
            "response_metadata": {"warnings": ["already_in_channel"]},
        }
    return {"channel": described(call, conversation)}
