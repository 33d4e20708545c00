"""How a ticket is changed so that it is sure, happens once, and overwrites nothing of others.

Roundup keeps no key of ours, so each act that writes words leaves its mark: the Message-ID of its message is
made from the key, and is searched for before anything is written.
"""

import hashlib
from collections.abc import Awaitable, Callable

from connectors.base import DataT, Health, Operation, ResultT
from connectors.errors import Ambiguous, Conflict, ConnectorError
from connectors.tickets.client import Fields, Tickets
from connectors.tickets.records import Message, Ticket

ATTEMPTS = 6  # at a change that others get in the way of; the last one only looks


def mark(key: str) -> str:
    """The Message-ID of what an act under this key writes."""
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:40]}@countersign.invalid>"


class OnTickets(Operation[DataT, ResultT]):
    """An operation on tickets: what was done under its key, and changes that overwrite nobody else's."""

    def __init__(self, tickets: Tickets, *, retracted: str = "retracted") -> None:
        self._tickets = tickets
        self._retracted = retracted

    async def ping(self) -> Health:
        """A sign of life from the ticket system."""
        return await self._tickets.ping()

    async def _ours(self, key: str, ticket: str | None = None) -> tuple[Ticket, Message] | None:
        """The ticket that carries the mark of this key, and the message with it."""
        messages = await self._tickets.marked(mark(key))
        found = [
            one for one in await self._tickets.with_messages(messages) if ticket is None or one.id == ticket
        ]
        if not found:
            return None
        if len(found) > 1:
            raise Conflict("two tickets carry the mark of one request; somebody has to look at them")
        return found[0], next(one for one in messages if one.id in found[0].messages)

    async def _append(self, ticket_id: str, text: str, marked: str, status: "StatusAfter") -> str:
        """Put words on a ticket, unless they are there. Returns the id of the message."""
        message = ""

        async def missing(ticket: Ticket) -> Fields | None:
            nonlocal message
            # Looked for behind the ticket: what another worker puts on it from here on changes its version.
            there = await self._tickets.marked(marked)
            on = sorted((one.id for one in there if one.id in ticket.messages), key=int)
            if len(on) == 1:
                message = on[0]
                return None
            if on:  # another worker was quicker, and Roundup let us both
                return {"messages": ",".join(f"-{one}" for one in on[1:]), "status": ticket.status}
            added = await self._written(there, text, marked)
            # Without a status, Roundup would set one by itself: a closed ticket is opened by a comment.
            return {"messages": f"+{added}", "status": status(ticket)}

        await self._settle(ticket_id, missing)
        return message

    async def _written(self, there: tuple[Message, ...], text: str, marked: str) -> str:
        """The id of a message with these words: of an attempt that came no further, or a new one."""
        unused = next((one.id for one in there if one.text == text), None)
        return unused or await self._tickets.write(text, marked)

    async def _remove(self, ticket_id: str, message: str, status: "StatusAfter") -> None:
        """Take words off a ticket again, unless they are gone."""

        async def there(ticket: Ticket) -> Fields | None:
            if message not in ticket.messages:
                return None
            return {"messages": f"-{message}", "status": status(ticket)}

        await self._settle(ticket_id, there)

    async def _settle(self, ticket_id: str, wanting: Callable[[Ticket], Awaitable[Fields | None]]) -> bool:
        """Change a ticket until a look shows that nothing is wanting. Returns whether anything was changed.

        Roundup compares versions, and two changes at the same instant may both pass. So messages are added
        and removed one by one, never as a whole list, and a change counts once it is seen.
        """
        changed = False
        try:
            for _ in range(ATTEMPTS):
                ticket = await self._tickets.ticket(ticket_id)
                fields = await wanting(ticket)
                if fields is None:
                    return changed
                changed = await self._changed(ticket, fields) or changed
        except ConnectorError as error:
            if changed and not isinstance(error, Ambiguous):
                raise Ambiguous("the ticket was changed, and cannot be seen since") from error
            raise
        if changed:
            raise Ambiguous("the ticket was changed, and does not show it")
        raise Conflict("the ticket keeps changing under our hands")

    async def _changed(self, ticket: Ticket, fields: Fields) -> bool:
        """Change a ticket. False when somebody else did meanwhile."""
        try:
            await self._tickets.change(ticket, fields)
        except Conflict:
            return False
        return True


class StatusAfter:
    """Which status a ticket has after a change: its own, or another while it has the one expected."""

    def __init__(self, to: str = "", *, only: str = "") -> None:
        self._to = to
        self._only = only

    def __call__(self, ticket: Ticket) -> str:
        """The name of the status."""
        changes = self._to and ticket.status == (self._only or ticket.status)
        return self._to if changes else ticket.status
