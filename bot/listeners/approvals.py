"""The buttons of approval cards: who approves, who denies and why, and the clause."""

from slack_bolt.async_app import AsyncAck

from bot import sentences
from bot.blocks import approval as card
from bot.blocks import help as words
from bot.listeners import cards, private
from bot.listeners.surfaces import Body, Surfaces
from bot.render import ours
from bot.wiring import Parts
from connectors.directory import Person
from graphs.records import Answered, Verdict


def register(on: Surfaces, parts: Parts) -> None:
    """Listen to approvals, denials and the clause."""

    async def approve(approval: str, person: Person) -> Answered:
        return await parts.runs.decide(approval, Verdict.APPROVE, by=person)

    async def deny(approval: str, person: Person, reason: str) -> Answered:
        return await parts.runs.decide(approval, Verdict.DENY, by=person, reason=reason)

    async def clause(body: Body, ack: AsyncAck) -> None:
        named = await cards.clicked(parts, body, ack, "card")
        if named is None:
            return
        await ack()
        person = await private.person(parts, body)
        approval = None if person is None else await parts.runs.approval(named)
        if person is not None and approval is None:
            await private.tell(parts, body, words.said(ours(sentences.FOREIGN)))
        if person is not None and approval is not None:
            view = await parts.answering.section(approval.clause.document, approval.clause.anchor, person)
            await private.show(parts, body, view)

    async def look_after(approval: str, person: Person) -> Answered:
        return await parts.runs.look_after(approval, by=person)

    on.action(card.LOOKED_AFTER, cards.deciding(parts, "card", look_after))
    on.action(card.APPROVE, cards.deciding(parts, "card", approve))
    on.action(card.DENY, cards.refusing(parts, "card", deny, card.denial))
    on.view(card.DENIAL, cards.reasoned(parts, deny))
    on.action(card.CLAUSE, clause)
