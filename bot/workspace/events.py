"""Events as Slack words them, and whether the app has subscribed to them."""

from typing import Any

from bot.workspace.ids import Ids
from bot.workspace.state import Conversation
from bot.workspace.world import World

Event = dict[str, Any]

_MESSAGE_SUBSCRIPTIONS = {"channel": "message.channels", "group": "message.groups", "im": "message.im"}


def subscription(event: Event) -> str:
    """Return the name under which an app subscribes to `event`."""
    if event["type"] == "message":
        return _MESSAGE_SUBSCRIPTIONS[event["channel_type"]]
    return str(event["type"])


def callback(world: World, ids: Ids, event: Event, *, at: float) -> dict[str, Any]:
    """Wrap `event` as the Events API does."""
    team, app = world.team, world.app
    channel = event.get("channel")
    channel_id = channel if isinstance(channel, str) else event.get("item", {}).get("channel", "")
    return {
        "token": app.verification_token,
        "team_id": team.id,
        "context_team_id": team.id,
        "context_enterprise_id": None,
        "api_app_id": app.id,
        "event": event,
        "type": "event_callback",
        "event_id": ids.named("Ev"),
        "event_time": int(at),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": team.id,
                "user_id": app.bot_user,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
        "event_context": f"4-{team.id}-{app.id}-{channel_id}",
    }


def posted(conversation: Conversation, message: dict[str, Any]) -> Event:
    """A new message."""
    return {
        **without_counts(message),
        "channel": conversation.id,
        "event_ts": message["ts"],
        "channel_type": conversation.channel_type,
    }


def mention(conversation: Conversation, message: dict[str, Any]) -> Event:
    """The same message once more, because it names the bot."""
    return {
        **without_counts(message),
        "type": "app_mention",
        "channel": conversation.id,
        "event_ts": message["ts"],
    }


def changed(conversation: Conversation, message: dict[str, Any], previous: dict[str, Any], ts: str) -> Event:
    """A message that was edited."""
    return {
        "type": "message",
        "subtype": "message_changed",
        "message": message,
        "previous_message": previous,
        "channel": conversation.id,
        "hidden": True,
        "ts": ts,
        "event_ts": ts,
        "channel_type": conversation.channel_type,
    }


def deleted(conversation: Conversation, previous: dict[str, Any], ts: str) -> Event:
    """A message that is gone."""
    return {
        "type": "message",
        "subtype": "message_deleted",
        "previous_message": previous,
        "channel": conversation.id,
        "hidden": True,
        "deleted_ts": previous["ts"],
        "ts": ts,
        "event_ts": ts,
        "channel_type": conversation.channel_type,
    }


def without_counts(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message without what only its thread adds later."""
    return {key: value for key, value in message.items() if key not in THREAD_FIELDS}


THREAD_FIELDS = frozenset(
    {"reply_count", "reply_users_count", "latest_reply", "reply_users", "is_locked", "subscribed"}
)
