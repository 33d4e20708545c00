"""The buttons of approval cards. A decision is committed before the click is acknowledged."""

from slack_bolt.async_app import AsyncAck

from bot import sentences
from bot.blocks import approval as card
from bot.blocks import help as words
from bot.identity import Refused, Unknown
from bot.listeners import cards, private
from bot.listeners.surfaces import Body, Surfaces
from bot.render import ours
from bot.wiring import Parts
from graphs.records import Answered, Verdict


def register(on: Surfaces, parts: Parts) -> None:
    """Listen to approvals, denials and the clause."""

    async def approved(body: Body, ack: AsyncAck) -> None:
        approval = await cards.clicked(parts, body, ack, "card")
        if approval is None:
            return
        person = await private.person(parts, body)
        if person is None:
            await ack()
            return
        answered = await parts.runs.decide(approval, Verdict.APPROVE, by=person)
        await ack()
        if answered is not Answered.RECORDED:
            await private.tell(parts, body, words.said(ours(sentences.ANSWERS[answered])))

    async def denying(body: Body, ack: AsyncAck) -> None:
        approval = await cards.clicked(parts, body, ack, "card")
        if approval is None:
            return
        person = await private.person(parts, body)
        await ack()
        if person is None:
            return
        answered = await parts.runs.decide(approval, Verdict.DENY, by=person)
        if answered is Answered.REASON_MISSING:  # they may, and only have to say why
            await private.show(parts, body, card.denial(approval))
            return
        await private.tell(parts, body, words.said(ours(sentences.ANSWERS[answered])))

    async def denied(body: Body, ack: AsyncAck) -> None:
        reason = (private.state(body).get(card.REASON, {}).get(card.REASON) or {}).get("value")
        try:
            person = await parts.identity.person(private.user(body))
        except (Refused, Unknown) as error:
            await _object(ack, sentences.REFUSALS[error.key])
            return
        denial = str(body["view"].get("private_metadata") or "")
        answered = await parts.runs.decide(denial, Verdict.DENY, by=person, reason=str(reason or ""))
        if answered is Answered.RECORDED:
            await ack()
        else:
            await _object(ack, sentences.ANSWERS[answered])

    async def clause(body: Body, ack: AsyncAck) -> None:
        named = await cards.clicked(parts, body, ack, "card")
        if named is None:
            return
        await ack()
        person = await private.person(parts, body)
        approval = None if person is None else await parts.runs.approval(named)
        if person is not None and approval is not None:
            view = await parts.answering.section(approval.clause.document, approval.clause.anchor, person)
            await private.show(parts, body, view)

    on.action(card.APPROVE, approved)
    on.action(card.DENY, denying)
    on.action(card.CLAUSE, clause)
    on.view(card.DENIAL, denied)


async def _object(ack: AsyncAck, sentence: str) -> None:
    await ack(response_action="errors", errors={card.REASON: sentence})
