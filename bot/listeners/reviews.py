"""The buttons of review cards: somebody who had no part in an emergency says what they found."""

from bot.blocks import review as card
from bot.listeners import cards
from bot.listeners.surfaces import Surfaces
from bot.wiring import Parts
from connectors.directory import Person
from graphs.records import Answered, Finding


def register(on: Surfaces, parts: Parts) -> None:
    """Listen to both findings and to the window of the second."""

    async def sign(review: str, person: Person) -> Answered:
        return await parts.runs.review(review, Finding.IN_ORDER, by=person)

    async def object_to(review: str, person: Person, reason: str) -> Answered:
        return await parts.runs.review(review, Finding.NOT_IN_ORDER, by=person, reason=reason)

    on.action(card.IN_ORDER, cards.deciding(parts, "review", sign))
    on.action(card.NOT_IN_ORDER, cards.refusing(parts, "review", object_to, card.objection))
    on.view(card.OBJECTION, cards.reasoned(parts, object_to))
