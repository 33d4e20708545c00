"""Somebody opens the conversation with the bot: a greeting the first time, and what they might ask."""

import logging

from slack_sdk.errors import SlackApiError

from bot.blocks import help as words
from bot.listeners.surfaces import Body, Surfaces
from bot.refusals import NETWORK
from bot.wiring import Parts

logger = logging.getLogger(__name__)


def register(on: Surfaces, parts: Parts) -> None:
    """Listen to the conversation being opened."""

    async def opened(body: Body) -> None:
        event = body["event"]
        user, channel = event.get("user"), event.get("channel")
        messages = event.get("tab") == "messages" and isinstance(user, str) and isinstance(channel, str)
        async with parts.pool.connection() as conn:
            if not await parts.events.take(conn, body["event_id"]) or not messages:
                return
            if await parts.outbox.is_first(conn, channel):
                await parts.outbox.reply(
                    conn,
                    event=body["event_id"],
                    channel=channel,
                    thread=None,
                    message=words.greeting(),
                    for_user=user,
                )
        await _suggest(parts, channel)

    on.event("app_home_opened", opened)


async def _suggest(parts: Parts, channel: str) -> None:
    """Offer prompts. It does no harm if it fails."""
    prompts = [{"title": title, "message": message} for title, message in words.PROMPTS]
    try:
        await parts.slack.assistant_threads_setSuggestedPrompts(channel_id=channel, prompts=prompts)
    except (SlackApiError, *NETWORK) as error:
        logger.debug("No prompts shown: %s", error)
