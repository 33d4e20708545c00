"""`countersign reviews`: what was done in an emergency and nobody has signed off yet."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.commands.opened import opened
from bot.commands.options import Home, Json, failing, write_json
from bot.render import clean
from bot.settings import home_from, load

if TYPE_CHECKING:
    from graphs.records import Review


def reviews(home: Home = None, as_json: Json = False) -> None:
    """List the emergencies that wait for their review, oldest first."""
    with failing():
        found = asyncio.run(_waiting(home_from(home)))
    if as_json:
        write_json({"reviews": [_plain(one) for one in found]})
        return
    if not found:
        Console().print("No review is open.")
        return
    table = Table("Request", "What", "Who", "Reviewers", "Since (UTC)", box=None, pad_edge=False)
    for one in found:
        asked = one.approval
        shown = (asked.run, asked.changes, asked.requester.name, one.reviewers)
        table.add_row(*(Text(clean(text)) for text in shown), Text(f"{one.created_at:%Y-%m-%d %H:%M}"))
    Console().print(table)


async def _waiting(home: Path) -> "Sequence[Review]":
    from graphs import reviews as found  # noqa: PLC0415  # --help does not need a database

    async with opened(load(home)) as database, database.pool.connection() as conn:
        return await found.waiting(conn)


def _plain(one: "Review") -> dict[str, str]:
    return {
        "id": one.id,
        "run": one.approval.run,
        "what": one.approval.changes,
        "requester": one.approval.requester.subject,
        "reviewers": one.reviewers,
        "since": one.created_at.isoformat(timespec="milliseconds"),
    }
