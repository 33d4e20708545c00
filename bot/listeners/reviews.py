"""The buttons of review cards. A finding is committed before the click is acknowledged."""

from slack_bolt.async_app import AsyncAck

from bot import sentences
from bot.blocks import help as words
from bot.blocks import review as card
from bot.identity import Refused, Unknown
from bot.listeners import cards, private
from bot.listeners.surfaces import Body, Surfaces
from bot.render import ours
from bot.wiring import Parts
from graphs.records import Answered, Finding


def register(on: Surfaces, parts: Parts) -> None:
    """Listen to both findings and to the window of the second."""

    async def in_order(body: Body, ack: AsyncAck) -> None:
        review = await cards.clicked(parts, body, ack, "review")
        if review is None:
            return
        person = await private.person(parts, body)
        if person is None:
            await ack()
            return
        answered = await parts.runs.review(review, Finding.IN_ORDER, by=person)
        await ack()
        if answered is not Answered.RECORDED:
            await private.tell(parts, body, words.said(ours(sentences.ANSWERS[answered])))

    async def objecting(body: Body, ack: AsyncAck) -> None:
        review = await cards.clicked(parts, body, ack, "review")
        if review is None:
            return
        person = await private.person(parts, body)
        await ack()
        if person is None:
            return
        answered = await parts.runs.review(review, Finding.NOT_IN_ORDER, by=person)
        if answered is Answered.REASON_MISSING:  # they may, and only have to say why
            await private.show(parts, body, card.objection(review))
            return
        await private.tell(parts, body, words.said(ours(sentences.ANSWERS[answered])))

    async def objected(body: Body, ack: AsyncAck) -> None:
        reason = (private.state(body).get(card.REASON, {}).get(card.REASON) or {}).get("value")
        try:
            person = await parts.identity.person(private.user(body))
        except (Refused, Unknown) as error:
            await _object(ack, sentences.REFUSALS[error.key])
            return
        review = str(body["view"].get("private_metadata") or "")
        answered = await parts.runs.review(review, Finding.NOT_IN_ORDER, by=person, reason=str(reason or ""))
        if answered is Answered.RECORDED:
            await ack()
        else:
            await _object(ack, sentences.ANSWERS[answered])

    on.action(card.IN_ORDER, in_order)
    on.action(card.NOT_IN_ORDER, objecting)
    on.view(card.OBJECTION, objected)


async def _object(ack: AsyncAck, sentence: str) -> None:
    await ack(response_action="errors", errors={card.REASON: sentence})
