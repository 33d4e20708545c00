"""The "Show section" buttons of answers. Who may read the section is asked again at the click."""

from slack_bolt.async_app import AsyncAck

from bot.blocks import answer
from bot.listeners import private
from bot.listeners.surfaces import Body, Surfaces
from bot.wiring import Parts


def register(on: Surfaces, parts: Parts) -> None:
    """Listen to the buttons."""

    async def show(body: Body, ack: AsyncAck) -> None:
        await ack()
        person = await private.person(parts, body)
        if person is not None:
            document, anchor = answer.place(private.value(body))
            await private.show(parts, body, await parts.answering.section(document, anchor, person))

    on.action(answer.SHOW, show)
