"""What somebody said to the bot, as one of Slack's events tells it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# A person's own messages, as Slack tells them apart; every other subtype is an app's, or about the channel.
_SAID = {None, "file_share", "thread_broadcast", "me_message"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Saying:
    """One thing that somebody said to the bot, or what they have made of it since.

    `before`: what the message said before it was edited, None where it was not. `more`: it also carries files
    or other people's messages, which are not read.
    """

    event: str
    user: str
    channel: str
    text: str
    ts: str
    thread: str
    direct: bool
    before: str | None = None
    edited: bool = False
    more: bool = False

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "Saying | None":
        """Read a mention, a direct message or the edit of one; None where the event is none of them."""
        event = body.get("event")
        if not isinstance(event, Mapping):
            return None
        direct = event.get("type") == "message" and event.get("channel_type") == "im"
        if not direct and event.get("type") != "app_mention":
            return None
        said, before = event, None
        if event.get("subtype") == "message_changed":
            said, before = _part(event, "message"), str(_part(event, "previous_message").get("text") or "")
            if str(said.get("text") or "") == before:  # Slack has added a preview, or counted the replies
                return None
        if said.get("bot_id") or said.get("subtype") not in _SAID:
            return None
        user, channel, ts = said.get("user"), event.get("channel"), said.get("ts")
        if not (isinstance(user, str) and isinstance(channel, str) and isinstance(ts, str)):
            return None
        return cls(
            event=str(body["event_id"]),
            user=user,
            channel=channel,
            text=str(said.get("text") or ""),
            ts=ts,
            thread=str(said.get("thread_ts") or ts),
            direct=direct,
            before=before,
            edited=before is not None or bool(said.get("edited")),
            more=bool(said.get("files") or said.get("attachments")),
        )


def _part(event: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = event.get(name)
    return found if isinstance(found, Mapping) else {}
