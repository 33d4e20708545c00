"""A small connector, as docs/add-a-connector.md shows it."""

from typing import Any

from pydantic import BaseModel

from connectors.http import Client, segment
from connectors.paging import Page, paged


class Ticket(BaseModel):
    id: str
    title: str
    version: str


class Tickets:
    """A ticket system over REST."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def of(self, person: str) -> list[Ticket]:
        """Every ticket of a person. Raises `Incomplete` where there are more than are read."""

        async def ask(address: str) -> Page[Ticket, str]:
            answer = await self._client.request("GET", address)
            return Page(records=await answer.json(tickets), then=answer.next or None)

        first = f"/people/{segment(person)}/tickets"
        return [one async for one in paged(ask, first, most=1000, key=lambda ticket: ticket.id)]

    async def close(self, ticket: Ticket) -> None:
        """Close a ticket. Raises `Conflict` where somebody has changed it since it was read."""
        path, change = f"/tickets/{segment(ticket.id)}", {"status": "closed"}
        await self._client.request("PATCH", path, json=change, match=ticket.version)


def tickets(data: Any) -> list[Ticket]:
    return [Ticket.model_validate(one) for one in data["tickets"]]
