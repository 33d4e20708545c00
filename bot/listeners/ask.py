"""`/ask`: an answer that only the person who asked sees."""

from slack_bolt.async_app import AsyncAck

from bot import mishaps
from bot.blocks import help as words
from bot.listeners import private
from bot.listeners.surfaces import Body, Surfaces
from bot.wiring import Parts

COMMAND = "/ask"


def register(on: Surfaces, parts: Parts) -> None:
    """Listen to the command."""

    async def asked(body: Body, ack: AsyncAck) -> None:
        await ack()
        understood = await parts.understanding.message(str(body.get("text") or ""))
        question = understood.route.text
        if not question:
            await private.tell(parts, body, words.usage())
            return
        if understood.is_cut:
            await private.tell(parts, body, words.said(mishaps.too_long(understood.length)))
            return
        person = await private.person(parts, body)
        if person is not None:
            await private.tell(parts, body, await parts.answering.privately(question, person))

    on.command(COMMAND, asked)
