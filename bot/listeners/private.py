"""What listeners share: who clicked, and answers that only they see."""

import logging
from collections.abc import Mapping
from typing import Any

from slack_sdk.errors import SlackApiError

from bot import troubles
from bot.blocks import help as words
from bot.blocks.parts import Message, View
from bot.identity import Refused, Unknown
from bot.listeners.surfaces import Body
from bot.refusals import NETWORK
from bot.wiring import Parts
from connectors.directory import Person

logger = logging.getLogger(__name__)


async def person(parts: Parts, body: Body) -> Person | None:
    """Return who clicked, or None after telling them why we do not act for them."""
    try:
        return await parts.identity.person(user(body))
    except (Refused, Unknown) as error:
        await tell(parts, body, words.said(troubles.refusal(error)))
        return None


async def tell(parts: Parts, body: Body, message: Message) -> None:
    """Tell the person who clicked something that only they see."""
    url = body.get("response_url")
    if isinstance(url, str) and url:
        await parts.outbox.respond(url, message, user=user(body))
        return
    place = _place(body)
    if place is not None:
        await parts.outbox.whisper(channel=place, user=user(body), message=message)
    else:  # from a window or a shortcut
        await parts.outbox.write_to(user(body), message)


async def show(parts: Parts, body: Body, view: View, *, stands: str = "Nothing was done.") -> None:
    """Open a window for the person who clicked; one on top of another where they clicked in a window.

    If it does not open they are told why, and with `stands` what has been done before.
    """
    try:
        if isinstance(body.get("view"), Mapping):
            await parts.slack.views_push(trigger_id=body["trigger_id"], view=view)
        else:
            await parts.slack.views_open(trigger_id=body["trigger_id"], view=view)
    except (SlackApiError, *NETWORK) as error:
        logger.warning("A window did not open: %s", error)
        await tell(parts, body, words.said(troubles.window(error, stands=stands)))


def user(body: Body) -> str:
    """Return the Slack user who acted."""
    acted = body.get("user")
    return str(acted["id"] if isinstance(acted, Mapping) else body["user_id"])


def value(body: Body) -> str:
    """Return the value of the button that was clicked."""
    return str(body["actions"][0].get("value") or "")


def inputs(body: Body) -> list[str]:
    """Return the ids of the blocks of a window that take something in: where Slack shows what is wrong."""
    return [
        str(block["block_id"]) for block in body["view"].get("blocks", []) if block.get("type") == "input"
    ]


def state(body: Body) -> Mapping[str, Any]:
    """Return what was filled in, by block."""
    values: Mapping[str, Any] = (body["view"].get("state") or {}).get("values") or {}
    return values


def _place(body: Body) -> str | None:
    channel = body.get("channel")
    if isinstance(channel, Mapping):
        return str(channel["id"])
    named = body.get("channel_id")
    return None if named is None else str(named)
