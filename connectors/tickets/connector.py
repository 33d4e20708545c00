"""The ticket system as a room: its settings, its credentials, and what it can do."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import ClassVar

from pydantic import Field

from connectors.sdk import Connector, Opened, Section, Url
from connectors.tickets.client import open_tickets
from connectors.tickets.operations import Assign, Close, Comment, OpenTicket


class TicketSettings(Section):
    """Where the tracker is, and the name of our account there."""

    url: Url
    account: str = Field(default="countersign", min_length=1)


class TicketSystem(Connector[TicketSettings]):
    """A ticket system: Roundup over REST."""

    name = "tickets"
    title = "the ticket system"
    scopes: ClassVar[Mapping[str, str]] = {
        "tickets:read": "reads tickets",
        "tickets:write": "opens, answers, assigns and closes tickets",
    }
    operations = (OpenTicket, Comment, Assign, Close)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Opened]:
        """Connect: what stages ask reads, and cannot write."""
        url, account = self.given.url, self.given.account
        reads, writes = self.credentials["tickets:read"], self.credentials["tickets:write"]
        async with (
            open_tickets(url, reads, account=account) as reading,
            open_tickets(url, reads, account=account, write_token=writes) as acting,
        ):
            yield Opened(operations=[kind(acting) for kind in self.operations], reads=[reading])
