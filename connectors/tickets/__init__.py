"""A ticket system: Roundup over REST. Tickets are opened, answered, assigned and closed, each only once.

`client` asks and sends, through `transport`; `operations` act, on what `changing` knows; `events` tells what
changed; `records` are what is read; `connector` is the room as others find it.
"""

from connectors.tickets.client import Tickets
from connectors.tickets.connector import TicketSystem
from connectors.tickets.operations import (
    Assign,
    Assigned,
    Assignment,
    Close,
    Closed,
    Closing,
    Comment,
    Commented,
    NewTicket,
    Opened,
    OpenTicket,
    Remark,
)
from connectors.tickets.records import Ticket

__all__ = [
    "Assign",
    "Assigned",
    "Assignment",
    "Close",
    "Closed",
    "Closing",
    "Comment",
    "Commented",
    "NewTicket",
    "OpenTicket",
    "Opened",
    "Remark",
    "Ticket",
    "TicketSystem",
    "Tickets",
]
