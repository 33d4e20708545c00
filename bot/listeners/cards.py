"""On which card a button was clicked: it counts on the very message that was posted for its record."""

import logging
from collections.abc import Mapping
from typing import Literal

from slack_bolt.async_app import AsyncAck

from bot import sentences
from bot.blocks import help as words
from bot.listeners import private
from bot.listeners.surfaces import Body
from bot.render import ours
from bot.wiring import Parts

logger = logging.getLogger(__name__)

Kind = Literal["card", "doubt", "review"]


async def clicked(parts: Parts, body: Body, ack: AsyncAck, kind: Kind) -> str | None:
    """Return the id of the record whose button was clicked.

    None where the click comes from anywhere but the message that shows the record, such as a copy of it in
    another channel; it is acknowledged then, and whoever clicked is told.
    """
    named, place = private.value(body), _place(body)
    if place is not None and await parts.outbox.has_posted(f"{kind}:{named}", channel=place[0], ts=place[1]):
        return named
    logger.warning("Refused a click of %s: it does not come from the card", private.user(body))
    await ack()
    await private.tell(parts, body, words.said(ours(sentences.ELSEWHERE)))
    return None


def _place(body: Body) -> tuple[str, str] | None:
    """Return the channel and the timestamp of the message, where everything in the payload says the same."""
    container, channel, message = (_part(body, name) for name in ("container", "channel", "message"))
    place = (str(channel.get("id")), str(message.get("ts")))
    same = place == (str(container.get("channel_id")), str(container.get("message_ts")))
    return place if same and container.get("type") == "message" else None


def _part(body: Body, name: str) -> Mapping[str, object]:
    found = body.get(name)
    return found if isinstance(found, Mapping) else {}
