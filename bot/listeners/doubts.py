"""The buttons of cards about effects that may have happened or not."""

from functools import partial

from bot.blocks import doubt as card
from bot.listeners import cards
from bot.listeners.surfaces import Surfaces
from bot.wiring import Parts
from connectors.directory import Person
from graphs.records import Answered, Resolution


def register(on: Surfaces, parts: Parts) -> None:
    """Listen to what people say happened."""

    async def resolve(answer: Resolution, doubt: str, person: Person) -> Answered:
        return await parts.runs.resolve(doubt, answer, by=person)

    for action, answer in card.ACTIONS.items():
        on.action(action, cards.deciding(parts, "doubt", partial(resolve, answer)))
