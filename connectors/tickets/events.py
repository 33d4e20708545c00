"""What has changed on tickets, by asking again and again.

Roundup tells changes to the second, and shows one only when it is committed; so each look begins a little
before the last change that was seen, and what it shows again is left out. A change is told at least once. It
says that a ticket is different from before: whoever hears of it looks at the ticket as it is now.
"""

import hashlib
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from connectors.tickets.client import MOST, Tickets
from connectors.tickets.records import Ticket

OVERLAP = timedelta(seconds=10)
LARGEST = 3200  # tickets of one look


class Cursor(BaseModel):
    """How far changes have been told: up to when, and which tickets of the last moments, in which form."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: datetime
    told: tuple[tuple[str, str], ...] = ()


class Changes(BaseModel):
    """Tickets that changed, the first change first, and from where to go on. `every`: no more wait by now."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tickets: tuple[Ticket, ...]
    cursor: Cursor
    every: bool


async def changes(tickets: Tickets, cursor: Cursor, *, most: int = MOST) -> Changes:
    """The tickets that changed since the cursor, as far as one look shows them."""
    begin = cursor.since - OVERLAP
    hits = await tickets.changed_since(begin, most=most)
    while not hits.every and most < LARGEST and not _gets_on(hits.tickets, cursor):
        most *= 2  # so much changed in those moments that a look shows nothing else
        hits = await tickets.changed_since(begin, most=most)
    told = dict(cursor.told)
    news = tuple(one for one in hits.tickets if told.get(one.id) != _form(one))
    since = max([cursor.since, *(one.changed for one in hits.tickets)])
    kept = {**told, **{one.id: _form(one) for one in hits.tickets}}
    late = {one.id for one in hits.tickets if one.changed >= since - OVERLAP}
    left = tuple(sorted((one, form) for one, form in kept.items() if one in late))
    return Changes(tickets=news, cursor=Cursor(since=since, told=left), every=hits.every)


def _gets_on(found: tuple[Ticket, ...], cursor: Cursor) -> bool:
    return bool(found) and found[-1].changed > cursor.since


def _form(ticket: Ticket) -> str:
    """What a ticket looks like, in short: two changes within one second are told apart."""
    return hashlib.sha256(ticket.model_dump_json(exclude={"version"}).encode()).hexdigest()[:16]
