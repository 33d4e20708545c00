"""Mentions and direct messages: each becomes a job, in the transaction that takes the event."""

from bot.listeners.surfaces import Body, Surfaces
from bot.sayings import Saying
from bot.wiring import Parts


def register(on: Surfaces, parts: Parts) -> None:
    """Listen to what is said to the bot."""

    async def heard(body: Body) -> None:
        async with parts.pool.connection() as conn:
            if await parts.events.take(conn, body["event_id"]) and Saying.read(body) is not None:
                said = await parts.events.just_said(conn, body["event_id"])
                await parts.jobs.reply(conn, body["event_id"], after=said)

    on.event("app_mention", heard)
    on.event("message.im", heard)
