"""What a message shows, and where: drawn from its record, in the form that Slack has not refused."""

from dataclasses import dataclass, replace
from typing import Protocol

from bot import substitutes
from bot.blocks.parts import Message
from bot.messages import Row


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """A message with its address. `channel` may be a person's id: their conversation with the bot.

    `share`: whose turn it takes in its channel. `urgent`: it is about an emergency, and comes first.
    """

    channel: str
    thread: str | None
    message: Message
    share: str = ""
    urgent: bool = False


class Nowhere(Exception):
    """There is no place for a message: its record is gone."""


class NoChannel(Nowhere):
    """The settings name no channel for a message."""


class NoLongerTrue(Nowhere):
    """There is nothing to say any more: what it was about is over."""


class Drawing(Protocol):
    """Draws what a row is to show, from the record as it now stands."""

    async def draw(self, row: Row) -> Letter:
        """Return the letter. Raises Nowhere."""


def in_its_form(row: Row, letter: Letter) -> Letter:
    """Return the letter in the form, and to the address, that Slack has not refused."""
    message = letter.message
    if row.refused is not None and row.form > 0:
        pieces = substitutes.pieces(message)
        message = (
            substitutes.plain(row.kind, pieces[0], row.refused)
            if row.form < substitutes.LAST
            else substitutes.shortest(row.kind, row.refused)
        )
    if row.detour is None:
        return replace(letter, message=message)
    message = substitutes.moved(message, letter.channel, row.refused or "")
    return replace(letter, channel=row.detour, thread=None, message=message)
