"""Reads and writes tickets, and never hands out another record than was asked for."""

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from connectors.base import Health
from connectors.errors import Ambiguous, Denied, Invalid, Mismatch, NotFound
from connectors.tickets import records
from connectors.tickets.records import MESSAGE_FIELDS, TICKET_FIELDS, Hits, Message, Ticket

if TYPE_CHECKING:
    from connectors.tickets.transport import Answer, Rest

MOST = 50  # tickets of a search, unless less is asked for
MOST_MARKED = 20  # messages with one mark; more than one is rare
LIFETIME = 30  # seconds in which Roundup lets a ticket be opened that was announced to it

Fields = dict[str, Any]


class Tickets:
    """The tickets of one tracker. `account` is the name that we have there.

    Every method raises `Denied`, `Unavailable`, `NotFound`, `Invalid` or `Mismatch` (the answer does not fit
    the question). Changes go through `writer`, a connection with the credential for them; without one there
    are none. They run within a permitted act only (`NotPermitted`), and raise `Ambiguous` when one may have
    been made, `Conflict` when somebody else changed the ticket meanwhile.
    """

    def __init__(self, reader: "Rest", *, account: str, writer: "Rest | None" = None) -> None:
        self._reader = reader
        self._writer = writer
        self.account = account

    async def ticket(self, ticket_id: str) -> Ticket:
        """The ticket of that id, with the version that a change of it must name."""
        _require_id(ticket_id)
        answer = await self._reader.get(f"issue/{ticket_id}", **{"@fields": TICKET_FIELDS, "@verbose": "2"})
        attributes = answer.data.get("attributes")
        if answer.data.get("id") != ticket_id or not isinstance(attributes, dict):
            raise Mismatch("the ticket system answered with another ticket than the one asked for")
        return records.ticket({**attributes, "id": ticket_id}, version=answer.etag)

    async def messages(self, ticket: Ticket) -> tuple[Message, ...]:
        """What is written on a ticket, in order."""
        if not ticket.messages:
            return ()
        answer = await self._reader.get(
            "msg", id=list(ticket.messages), **{"@fields": MESSAGE_FIELDS, "@verbose": "3"}
        )
        found = {one.id: one for one in map(records.message, _collection(answer))}
        if found.keys() - set(ticket.messages):
            raise Mismatch("the ticket system answered with messages of another ticket")
        return tuple(found[one] for one in ticket.messages if one in found)

    async def like(self, words: Iterable[str], *, most: int = MOST) -> Hits:
        """Tickets with all of these words in the title, in any case of letters: perhaps the same matter."""
        wanted = [word.strip() for word in words if word.strip()]
        if not wanted:
            raise Invalid("a search for tickets needs a word")
        hits = await self._search(most, title=wanted)
        for one in hits.tickets:
            if not all(word.casefold() in one.title.casefold() for word in wanted):
                raise Mismatch("the ticket system answered with tickets of other titles")
        return hits

    async def changed_since(self, moment: datetime, *, most: int = MOST) -> Hits:
        """Tickets that changed at that moment or later (to the second), the first change first."""
        hits = await self._search(most, "activity,id", activity=f"{records.written(moment)};")
        if any(one.changed < moment.replace(microsecond=0) for one in hits.tickets):
            raise Mismatch("the ticket system answered with tickets that did not change since")
        return hits

    async def marked(self, mark: str) -> tuple[Message, ...]:
        """The messages that carry this mark: one, or none; more where two workers acted at once."""
        answer = await self._reader.get(
            "msg",
            **{
                "messageid:": mark,
                "@fields": MESSAGE_FIELDS,
                "@verbose": "3",
                "@page_size": str(MOST_MARKED),
            },
        )
        found = tuple(map(records.message, _collection(answer)))
        if any(one.mark != mark for one in found):
            raise Mismatch("the ticket system answered with messages of another mark")
        return tuple(one for one in found if one.author == self.account)

    async def with_messages(self, messages: Iterable[Message]) -> tuple[Ticket, ...]:
        """The tickets that one of these messages is on."""
        wanted = {one.id for one in messages}
        if not wanted:
            return ()
        hits = await self._search(MOST_MARKED, messages=",".join(sorted(wanted)))
        if not all(wanted & set(one.messages) for one in hits.tickets):
            raise Mismatch("the ticket system answered with tickets that the message is not on")
        return hits.tickets

    async def require(self, kind: str, name: str) -> None:
        """Raise `Invalid` unless the tracker knows a priority, keyword, status or user of that name."""
        key = "username" if kind == "user" else "name"
        # Not by path: there Roundup takes what follows a dot for a file format.
        answer = await self._reader.get(kind, **{f"{key}:": name, "@fields": key})
        if not any(one.get(key) == name for one in _collection(answer)):
            raise Invalid(f"the ticket system knows no such {kind}")

    async def ping(self) -> Health:
        """A sign of life, with each of our credentials."""
        if self._writer is not None:
            await self._writer.get("status", **{"@page_size": "1"})
        answer = await self._reader.get("status", **{"@page_size": "1"})
        return Health(system="tickets", detail=f"{len(_collection(answer))} status seen as {self.account}")

    async def write(self, text: str, mark: str) -> str:
        """Write a message, on no ticket yet, and return its id."""
        body = {"author": self.account, "content": text, "messageid": mark, "date": "."}
        return _made(await self._sender.send("POST", "msg", body))

    async def open(self, fields: Fields) -> str | None:
        """Open a ticket, once, and return its id. None where it was opened, and which one is not said.

        It is announced first, and the announcement is good for one ticket within `LIFETIME` seconds: neither
        a request that is sent again nor one that is held up on its way makes another.
        """
        answer = await self._sender.send("POST", "issue/@poe", {"lifetime": str(LIFETIME)})
        where = re.fullmatch(r".*/(issue/@poe/[\w-]+)", str(answer.data.get("link")))
        if where is None:
            raise Mismatch("the ticket system did not say where the ticket is to be opened")
        try:
            return _made(await self._sender.send("POST", where[1], fields))
        except Ambiguous:
            return await self._open_again(where[1], fields)

    async def _open_again(self, where: str, fields: Fields) -> str | None:
        from connectors.tickets.transport import Refused  # noqa: PLC0415  # httpx is slow to import

        try:
            return _made(await self._sender.send("POST", where, fields))
        except Refused as refused:
            if "POE token" in refused.said:
                return None
            raise  # it took the announcement, so what was sent before it opens nothing either

    async def change(self, ticket: Ticket, fields: Fields) -> None:
        """Change a ticket, unless somebody has since it was read (`Conflict`). What is not named stays."""
        if not ticket.version:
            raise Invalid("a ticket is changed as it was read, not as a search found it")
        await self._sender.send("PATCH", f"issue/{ticket.id}", fields, etag=ticket.version)

    @property
    def _sender(self) -> "Rest":
        if self._writer is None:
            raise Denied("this connection to the ticket system only reads")
        return self._writer

    async def _search(self, most: int, order: str = "-activity,-id", **wanted: str | list[str]) -> Hits:
        answer = await self._reader.get(
            "issue",
            **{
                **wanted,
                "@fields": TICKET_FIELDS,
                "@verbose": "2",
                "@sort": order,
                "@page_size": str(most),
            },
        )
        found = tuple(map(records.ticket, _collection(answer)))
        total = answer.data.get("@total_size")
        return Hits(tickets=found, every=total == len(found))


@asynccontextmanager
async def open_tickets(
    url: str, token: str, *, account: str, write_token: str | None = None, within: float = 10.0
) -> AsyncIterator[Tickets]:
    """Connect to the tracker at `url`; without `write_token` only to read. A request has `within` seconds."""
    from connectors.tickets.transport import open_rest  # noqa: PLC0415  # httpx is slow to import

    async with open_rest(url, token, within=within) as reader:
        if write_token is None:
            yield Tickets(reader, account=account)
            return
        async with open_rest(url, write_token, within=within) as writer:
            yield Tickets(reader, account=account, writer=writer)


def _require_id(ticket_id: str) -> None:
    if not (ticket_id.isascii() and ticket_id.isdecimal()):
        raise NotFound("a ticket is named by its number")


def _made(answer: "Answer") -> str:
    try:
        return records.identifier(answer.data)
    except Mismatch as error:
        raise Ambiguous("the ticket system did not say what it made") from error


def _collection(answer: "Answer") -> list[Fields]:
    found = answer.data.get("collection")
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Mismatch("the ticket system answered a search with something that is no list of records")
    return found
