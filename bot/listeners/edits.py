"""Approving with changes: the button, and the window in which an approver changes what is asked for."""

from slack_bolt.async_app import AsyncAck

from bot import sentences, troubles
from bot.blocks import approval as card
from bot.blocks import help as words
from bot.blocks import request as forms
from bot.identity import Refused, Unknown
from bot.listeners import cards, private
from bot.listeners.surfaces import Body, Surfaces
from bot.render import ours
from bot.wiring import Parts
from graphs.records import Answered


def register(on: Surfaces, parts: Parts) -> None:
    """Listen to the button and to the window."""

    async def changing(body: Body, ack: AsyncAck) -> None:
        approval = await cards.clicked(parts, body, ack, "card")
        if approval is None:
            return
        person = await private.person(parts, body)
        await ack()
        if person is None:
            return
        changeable = await parts.runs.changeable(approval, by=person)
        if isinstance(changeable, Answered):
            await private.tell(parts, body, words.said(ours(sentences.ANSWERS[changeable])))
            return
        await private.show(parts, body, card.change(approval, *changeable))

    async def changed(body: Body, ack: AsyncAck) -> None:
        filled = private.state(body)
        first = next(iter(filled), "")
        try:
            person = await parts.identity.person(private.user(body))
        except (Refused, Unknown) as error:
            await ack(response_action="errors", errors={first: troubles.refusal(error)})
            return
        approval = str(body["view"].get("private_metadata") or "")
        answered, problems = await parts.runs.edit(approval, forms.values(filled), by=person)
        if answered is Answered.RECORDED:
            await ack()
            return
        errors = {name: sentences.problem(key) for name, key in problems.items()}
        await ack(response_action="errors", errors=errors or {first: sentences.ANSWERS[answered]})

    on.action(card.EDIT, changing)
    on.view(card.CHANGE, changed)
