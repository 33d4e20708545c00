"""What can be done with tickets: open one, comment on it, assign it, close it; each once, and each undone.

They are findable, and not keyed: Roundup keeps no key of ours, and promises only that one announcement opens
one ticket (see `connectors.tickets.changing`).
"""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, StringConstraints

from connectors.base import Change, Payload, Referable, Result
from connectors.errors import Ambiguous, Conflict
from connectors.tickets.changing import OnTickets, StatusAfter, mark
from connectors.tickets.client import Fields
from connectors.tickets.records import Ticket

RETRACTED_TEXT = (
    "Countersign has taken this ticket back: the request that it came from was withdrawn or could not be "
    "carried out. Nothing needs to be done about it."
)


def _no_number(name: str) -> str:
    if name.isdecimal():
        raise ValueError("a name is wanted, not an id")
    return name


# Roundup takes a number for an id, a comma for the end of a name, and a sign for its addition or removal.
_NAME = r"[^\s,+-][^,\x00-\x1f]{0,99}"
Name = Annotated[str, StringConstraints(pattern=f"^{_NAME}$"), AfterValidator(_no_number)]
NameOrNone = Annotated[str, StringConstraints(pattern=f"^({_NAME})?$"), AfterValidator(_no_number)]
TicketId = Annotated[
    str, StringConstraints(pattern=r"^[1-9]\d{0,9}$"), Referable(pattern=r"[1-9]\d{0,9}", most=10)
]
# Roundup cuts white space off at both ends; so do we, before anybody approves of it.
_STRIPPED = BeforeValidator(lambda value: value.strip() if isinstance(value, str) else value)
Title = Annotated[str, _STRIPPED, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]
Text = Annotated[str, _STRIPPED, StringConstraints(min_length=1, max_length=100_000, pattern=r"^[^\x00]*$")]


class NewTicket(Payload):
    """A ticket to be opened. `about` are the people who hear of it, by user name."""

    title: Title
    text: Text
    priority: NameOrNone = ""
    keywords: tuple[Name, ...] = ()
    about: tuple[Name, ...] = ()


class Opened(Result):
    """A ticket was opened, with `message` as its first."""

    ticket: str
    message: str


class Remark(Payload):
    """Words to be put on a ticket."""

    ticket: TicketId
    text: Text


class Commented(Result):
    """The words are on the ticket."""

    ticket: str
    message: str


class Assignment(Payload):
    """A ticket to be given to somebody, while it is with `instead_of` ("": with nobody)."""

    ticket: TicketId
    to: Name
    instead_of: NameOrNone = ""


class Assigned(Result):
    """The ticket is with somebody. `changed` is False when it was; what `find` finds counts as changed."""

    ticket: str
    changed: bool


class Closing(Payload):
    """A ticket to be closed with these words, while its status is `was`."""

    ticket: TicketId
    was: Name
    text: Text
    status: Name = "resolved"


class Closed(Result):
    """The ticket was closed, with `message` as the reason."""

    ticket: str
    message: str


class OpenTicket(OnTickets[NewTicket, Opened]):
    """Open a ticket.

    To undo it sets the status that means "taken back" and says so on the ticket. It is not removed: people
    have been told of it, may have answered, and shall find what became of it.
    """

    name = "tickets.open"
    title = "Open a ticket"
    effect = "write"
    repeat = "findable"
    scope = "tickets:write"

    async def preview(self, data: NewTicket) -> Change:
        """From no ticket to one. Raises `Invalid` for a priority, keyword or person that is unknown.

        And for the status that an undo would set: what could not be undone is not offered.
        """
        await self._tickets.require("status", self._retracted)
        if data.priority:
            await self._tickets.require("priority", data.priority)
        for keyword in data.keywords:
            await self._tickets.require("keyword", keyword)
        for person in data.about:
            await self._tickets.require("user", person)
        more = ", ".join(filter(None, (data.priority, *data.keywords)))
        return Change(
            target="a new ticket",
            before="none",
            after=data.title + (f" ({more})" if more else ""),
            needed=True,
        )

    async def find(self, data: NewTicket, key: str) -> Opened | None:
        """The ticket with the mark of this key, unless it was taken back."""
        found = await self._ours(key)
        if found is None or found[0].status == self._retracted:
            return None
        return Opened(ticket=found[0].id, message=found[1].id)

    async def apply(self, data: NewTicket, key: str) -> Opened:
        """Open the ticket, unless it is. Raises `Conflict` for one that was taken back."""
        found = await self._ours(key)
        if found is not None:
            if found[0].status == self._retracted:
                raise Conflict("the ticket was opened and taken back; another request opens another one")
            return Opened(ticket=found[0].id, message=found[1].id)
        message = await self._written(await self._tickets.marked(mark(key)), data.text, mark(key))
        fields: Fields = {"title": data.title, "messages": [message]}
        named = {"priority": data.priority, "keyword": data.keywords, "nosy": data.about}
        fields |= {name: value for name, value in named.items() if value}
        ticket = await self._tickets.open(fields)
        if ticket is not None:
            return Opened(ticket=ticket, message=message)
        found = await self._ours(key)
        if found is None:
            raise Ambiguous("the ticket system took the request and does not show the ticket")
        return Opened(ticket=found[0].id, message=found[1].id)

    async def undo(self, data: NewTicket, result: Opened, key: str) -> None:
        """Mark the ticket as taken back, and say so on it."""
        await self._append(result.ticket, RETRACTED_TEXT, mark(f"{key}/undo"), StatusAfter(self._retracted))


class Comment(OnTickets[Remark, Commented]):
    """Put words on a ticket. Its status stays. To undo it takes them off; mails that were sent stay sent."""

    name = "tickets.comment"
    title = "Write on a ticket"
    effect = "write"
    repeat = "findable"
    scope = "tickets:write"

    async def preview(self, data: Remark) -> Change:
        """From the number of messages to one more."""
        ticket = await self._tickets.ticket(data.ticket)
        count = len(ticket.messages)
        return Change(
            target=_titled(ticket),
            before=f"{count} message{'s' * (count != 1)}",
            after=f"one more: {data.text}",
            needed=True,
            basis=(("title", ticket.title),),
        )

    async def find(self, data: Remark, key: str) -> Commented | None:
        """The words with the mark of this key, while they are on the ticket."""
        found = await self._ours(key, data.ticket)
        return Commented(ticket=data.ticket, message=found[1].id) if found else None

    async def apply(self, data: Remark, key: str) -> Commented:
        """Put the words on the ticket, unless they are there."""
        message = await self._append(data.ticket, data.text, mark(key), StatusAfter())
        return Commented(ticket=data.ticket, message=message)

    async def undo(self, data: Remark, result: Commented, key: str) -> None:
        """Take the words off the ticket."""
        await self._remove(result.ticket, result.message, StatusAfter())


class Assign(OnTickets[Assignment, Assigned]):
    """Give a ticket to somebody, while it is with whom the request says. It leaves no mark of its key."""

    name = "tickets.assign"
    title = "Give a ticket to somebody"
    effect = "write"
    repeat = "findable"
    scope = "tickets:write"

    async def preview(self, data: Assignment) -> Change:
        """From whom the ticket is with to whom it will be."""
        await self._tickets.require("user", data.to)
        ticket = await self._tickets.ticket(data.ticket)
        return Change(
            target=_titled(ticket),
            before=f"with {ticket.assignee or 'nobody'}",
            after=f"with {data.to}",
            needed=ticket.assignee != data.to,
            basis=(("title", ticket.title), ("assignee", ticket.assignee)),
        )

    async def find(self, data: Assignment, key: str) -> Assigned | None:
        """That the ticket is with them, whatever the key."""
        ticket = await self._tickets.ticket(data.ticket)
        return Assigned(ticket=data.ticket, changed=True) if ticket.assignee == data.to else None

    async def apply(self, data: Assignment, key: str) -> Assigned:
        """Give them the ticket. Raises `Conflict` when it is with somebody else than was said."""

        async def elsewhere(ticket: Ticket) -> Fields | None:
            if ticket.assignee == data.to:
                return None
            if ticket.assignee != data.instead_of:
                raise Conflict("the ticket has been given to somebody else meanwhile")
            return {"assignedto": data.to}

        return Assigned(ticket=data.ticket, changed=await self._settle(data.ticket, elsewhere))

    async def undo(self, data: Assignment, result: Assigned, key: str) -> None:
        """Give it back, unless it was passed on since. Who was told of the ticket stays on its list."""

        async def still_theirs(ticket: Ticket) -> Fields | None:
            return {"assignedto": data.instead_of} if ticket.assignee == data.to != data.instead_of else None

        if result.changed:
            await self._settle(data.ticket, still_theirs)


class Close(OnTickets[Closing, Closed]):
    """Close a ticket and say why, while its status is what the request says.

    To undo it takes the words off and sets the former status, unless somebody has set another one since.
    """

    name = "tickets.close"
    title = "Close a ticket"
    effect = "write"
    repeat = "findable"
    scope = "tickets:write"

    async def preview(self, data: Closing) -> Change:
        """From one status to another."""
        await self._tickets.require("status", data.status)
        ticket = await self._tickets.ticket(data.ticket)
        return Change(
            target=_titled(ticket),
            before=ticket.status,
            after=f"{data.status}: {data.text}",
            needed=ticket.status != data.status,
            basis=(("title", ticket.title), ("status", ticket.status)),
        )

    async def find(self, data: Closing, key: str) -> Closed | None:
        """The words with the mark of this key, while they are on the ticket."""
        found = await self._ours(key, data.ticket)
        return Closed(ticket=data.ticket, message=found[1].id) if found else None

    async def apply(self, data: Closing, key: str) -> Closed:
        """Close the ticket, unless this did before. Raises `Conflict` when its status is another one."""
        found = await self.find(data, key)
        if found is not None:
            return found
        ticket = await self._tickets.ticket(data.ticket)
        if ticket.status not in (data.was, data.status):
            raise Conflict("the ticket's status has changed meanwhile")
        message = await self._append(
            data.ticket, data.text, mark(key), StatusAfter(data.status, only=data.was)
        )
        return Closed(ticket=data.ticket, message=message)

    async def undo(self, data: Closing, result: Closed, key: str) -> None:
        """Set the former status again, and take the words off."""
        await self._remove(result.ticket, result.message, StatusAfter(data.was, only=data.status))


def _titled(ticket: Ticket) -> str:
    return f"ticket {ticket.id}, {ticket.title}"
