"""The buttons of cards: a click counts on the very message that was posted for its record.

What somebody decides is committed before their click is acknowledged.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

from slack_bolt.async_app import AsyncAck

from bot import sentences, troubles
from bot.blocks import help as words
from bot.blocks import reason
from bot.blocks.parts import View
from bot.identity import Refused, Unknown
from bot.listeners import private
from bot.listeners.surfaces import Body, OnClick
from bot.render import ours
from bot.wiring import Parts
from connectors.directory import Person
from graphs.records import Answered

logger = logging.getLogger(__name__)

Kind = Literal["card", "doubt", "review"]
Decide = Callable[[str, Person], Awaitable[Answered]]  # on the record of that id
Refuse = Callable[[str, Person, str], Awaitable[Answered]]  # with the reason, or ""


def deciding(parts: Parts, kind: Kind, decide: Decide) -> OnClick:
    """Make the listener of a button that decides at once."""

    async def listener(body: Body, ack: AsyncAck) -> None:
        record = await clicked(parts, body, ack, kind)
        if record is None:
            return
        person = await private.person(parts, body)
        if person is None:
            await ack()
            return
        answered = await decide(record, person)
        await ack()
        if answered is not Answered.RECORDED:
            await _say(parts, body, answered)

    return listener


def refusing(parts: Parts, kind: Kind, refuse: Refuse, ask: Callable[[str], View]) -> OnClick:
    """Make the listener of a button that needs a reason: whoever may say no is asked for it in a window."""

    async def listener(body: Body, ack: AsyncAck) -> None:
        record = await clicked(parts, body, ack, kind)
        if record is None:
            return
        person = await private.person(parts, body)
        await ack()
        if person is None:
            return
        answered = await refuse(record, person, "")
        if answered is Answered.REASON_MISSING:  # they may, and only have to say why
            await private.show(parts, body, ask(record))
        else:
            await _say(parts, body, answered)

    return listener


def reasoned(parts: Parts, refuse: Refuse) -> OnClick:
    """Make the listener of that window."""

    async def listener(body: Body, ack: AsyncAck) -> None:
        written = (private.state(body).get(reason.REASON, {}).get(reason.REASON) or {}).get("value")
        try:
            person = await parts.identity.person(private.user(body))
        except (Refused, Unknown) as error:
            await _object(ack, troubles.refusal(error))
            return
        record = str(body["view"].get("private_metadata") or "")
        answered = await refuse(record, person, str(written or ""))
        if answered is Answered.RECORDED:
            await ack()
        else:
            await _object(ack, sentences.ANSWERS[answered])

    return listener


async def clicked(parts: Parts, body: Body, ack: AsyncAck, kind: Kind) -> str | None:
    """Return the id of the record whose button was clicked.

    None where the click comes from anywhere but the message that shows the record, such as a copy of it in
    another channel; it is acknowledged then, and whoever clicked is told.
    """
    named, place = private.value(body), _place(body)
    if place is not None and await parts.outbox.has_posted(f"{kind}:{named}", channel=place[0], ts=place[1]):
        return named
    logger.warning("Refused a click of %s: it does not come from the card", private.user(body))
    await ack()
    channel, ts = place or ("", "")
    known = await parts.outbox.knows(f"{kind}:{named}", channel=channel, ts=ts)
    said = sentences.ELSEWHERE if known else sentences.FOREIGN
    await private.tell(parts, body, words.said(ours(said)))
    return None


async def _say(parts: Parts, body: Body, answered: Answered) -> None:
    await private.tell(parts, body, words.said(ours(sentences.ANSWERS[answered])))


async def _object(ack: AsyncAck, sentence: str) -> None:
    await ack(response_action="errors", errors={reason.REASON: sentence})


def _place(body: Body) -> tuple[str, str] | None:
    """Return the channel and the timestamp of the message, where everything in the payload says the same."""
    container, channel, message = (_part(body, name) for name in ("container", "channel", "message"))
    place = (str(channel.get("id")), str(message.get("ts")))
    same = place == (str(container.get("channel_id")), str(container.get("message_ts")))
    return place if same and container.get("type") == "message" else None


def _part(body: Body, name: str) -> Mapping[str, object]:
    found = body.get(name)
    return found if isinstance(found, Mapping) else {}
