"""The buttons of cards about effects that may have happened or not. An answer is committed first."""

from slack_bolt.async_app import AsyncAck

from bot import sentences
from bot.blocks import doubt as card
from bot.blocks import help as words
from bot.listeners import cards, private
from bot.listeners.surfaces import Body, Surfaces
from bot.render import ours
from bot.wiring import Parts
from graphs.records import Answered


def register(on: Surfaces, parts: Parts) -> None:
    """Listen to what people say happened."""

    async def said(body: Body, ack: AsyncAck) -> None:
        doubt = await cards.clicked(parts, body, ack, "doubt")
        if doubt is None:
            return
        person = await private.person(parts, body)
        if person is None:
            await ack()
            return
        answer = card.ACTIONS[str(body["actions"][0]["action_id"])]
        answered = await parts.runs.resolve(doubt, answer, by=person)
        await ack()
        if answered is not Answered.RECORDED:
            await private.tell(parts, body, words.said(ours(sentences.ANSWERS[answered])))

    for action in card.ACTIONS:
        on.action(action, said)
