"""`/delegate`: who decides for somebody while they are away."""

import asyncio
from datetime import date

from slack_bolt.async_app import AsyncAck

from bot import troubles
from bot.blocks import delegation as blocks
from bot.identity import Refused, Unknown
from bot.listeners import private
from bot.listeners.surfaces import Body, Surfaces
from bot.schedule import zone_of
from bot.wiring import Parts
from connectors.directory import Person
from graphs import delegations
from graphs.delegations import NotDelegable
from graphs.records import Delegation

COMMAND = "/delegate"
LOOK = 1.2  # seconds for both people at once; Slack wants its answer within three


def register(on: Surfaces, parts: Parts) -> None:
    """Listen to the command, its window and the button that ends it."""

    async def asked(body: Body, ack: AsyncAck) -> None:
        await ack()
        person = await private.person(parts, body)
        if person is None:
            return
        async with parts.pool.connection() as conn:
            current = await delegations.of_holder(conn, person.human)
            lent = await delegations.lent_to(conn, person.human)
        await private.show(parts, body, blocks.form(current, lent))

    async def ended(body: Body, ack: AsyncAck) -> None:
        await ack()
        person = await private.person(parts, body)
        if person is None:
            return
        over = await _end(parts, person, private.value(body))
        stands = "Nothing was done." if over is None else "It has ended: they no longer decide for you."
        await private.show(parts, body, blocks.over(over), stands=stands)

    on.command(COMMAND, asked)
    on.action(blocks.END, ended)
    on.view(blocks.FORM, _Sending(parts))


class _StandInUnknown(Exception):
    """Nobody can say at the moment who it is that was chosen."""

    def __init__(self, unknown: Unknown) -> None:
        super().__init__(str(unknown))
        self.unknown = unknown


class _Sending:
    """Takes the window. It is committed before it is acknowledged."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, body: Body, ack: AsyncAck) -> None:
        parts, state = self._parts, private.state(body)
        chosen = str(state.get(blocks.PERSON, {}).get(blocks.PERSON, {}).get("selected_user") or "")
        day = str(state.get(blocks.DAY, {}).get(blocks.DAY, {}).get("selected_date") or "")
        try:
            holder, stand_in = await asyncio.gather(
                parts.identity.person(private.user(body), within=LOOK), self._stand_in(chosen)
            )
        except _StandInUnknown as error:
            said = troubles.refusal(error.unknown, of_another=True)
            await ack(response_action="errors", errors={blocks.PERSON: said})
            return
        except (Refused, Unknown) as error:
            await ack(response_action="errors", errors={blocks.PERSON: troubles.refusal(error)})
            return
        except NotDelegable as error:
            await _object(ack, error)
            return
        try:
            async with parts.pool.connection() as conn:
                made = await delegations.delegate(
                    conn,
                    holder=holder,
                    stand_in=stand_in,
                    last_day=_day(day),
                    by=holder.email,
                    zone=zone_of(parts.identity.zone(private.user(body)), parts.time_zone),
                )
                news = blocks.news(made)
                await parts.outbox.reply(
                    conn, event=f"delegation:{made.id}", channel=chosen, thread=None, message=news
                )
        except NotDelegable as error:
            await _object(ack, error)
            return
        await ack(response_action="update", view=blocks.made(made))

    async def _stand_in(self, user: str) -> Person:
        try:
            return await self._parts.identity.person(user, within=LOOK)
        except Refused as error:
            raise NotDelegable("refused") from error
        except Unknown as error:
            raise _StandInUnknown(error) from error


async def _end(parts: Parts, person: Person, delegation: str) -> Delegation | None:
    """End a person's own delegation, and tell who stood in, once."""
    async with parts.pool.connection() as conn:
        current = await delegations.of_holder(conn, person.human)
        if current is None or current.id != delegation:  # nobody ends another's
            return None
        users = await parts.identity.users({current.stand_in.subject})
        over = await delegations.end(conn, current.id, by=person.email)
        user = users.get(current.stand_in.subject)
        if over is not None and user is not None:
            event = f"delegation-over:{over.id}"
            await parts.outbox.reply(
                conn, event=event, channel=user, thread=None, message=blocks.no_more(over)
            )
        return over


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise NotDelegable("past") from error


async def _object(ack: AsyncAck, problem: NotDelegable) -> None:
    block, sentence = blocks.PROBLEMS[problem.key]
    await ack(response_action="errors", errors={block: sentence})
