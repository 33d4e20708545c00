"""`countersign delegate`: who decides for whom while they are away."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.commands import readers
from bot.commands.opened import opened
from bot.commands.options import Failure, Home, Json, failing, user_name, write_json
from bot.render import clean
from bot.schedule import zone_of
from bot.settings import home_from, load

if TYPE_CHECKING:
    from graphs.records import Delegation

app = typer.Typer(help="Who decides for whom while they are away.", no_args_is_help=True)

Holder = Annotated[str, typer.Argument(metavar="HOLDER", help="E-mail address of the one who is away.")]
StandIn = Annotated[str, typer.Argument(metavar="STAND_IN", help="E-mail address of the one who decides.")]
Until = Annotated[
    datetime,
    typer.Option("--until", formats=["%Y-%m-%d"], help="The last day, in the office's time zone."),
]
Id = Annotated[str, typer.Argument(metavar="ID", help="The id, or its beginning.")]

_PROBLEMS = {
    "self": "Nobody stands in for themselves.",
    "inactive": "The directory says that one of these accounts is not active.",
    "past": "That day is over. Give a day that is still to come: --until YYYY-MM-DD.",
    "too_long": "That is too long: at most 60 days at a time. Give an earlier day: --until YYYY-MM-DD.",
    "away": "Somebody decides for the stand-in, too. Choose somebody who is there.",
}


@app.command("list")
def list_(home: Home = None, as_json: Json = False) -> None:
    """List who decides for whom now."""
    with failing():
        found = asyncio.run(_list(home_from(home)))
    if as_json:
        write_json({"delegations": [_plain(one) for one in found]})
    elif not found:
        Console().print("Everybody decides for themselves.")
    else:
        table = Table("Id", "Away", "Decides for them", "Until (UTC)", box=None, pad_edge=False)
        for one in found:
            shown = (one.id[:8], _who(one.holder), _who(one.stand_in), f"{one.ends_at:%Y-%m-%d %H:%M}")
            table.add_row(*map(Text, shown))
        Console().print(table)


@app.command()
def add(holder: Holder, stand_in: StandIn, *, until: Until, home: Home = None) -> None:
    """Let somebody decide for another who is away. One at a time: it replaces an earlier one."""
    with failing():
        made = asyncio.run(_add(home_from(home), holder, stand_in, until))
    said = f"{_who(made.stand_in)} decides for {_who(made.holder)} until {made.ends_at:%Y-%m-%d %H:%M} UTC."
    Console(highlight=False).print(Text(said))


@app.command()
def end(delegation: Id, home: Home = None) -> None:
    """End it before its day. What was decided under it and not yet carried out counts no more."""
    with failing():
        ended = asyncio.run(_end(home_from(home), delegation))
    said = f"{_who(ended.stand_in)} no longer decides for {_who(ended.holder)}."
    Console(highlight=False).print(Text(said))


async def _list(home: Path) -> "Sequence[Delegation]":
    from graphs import delegations  # noqa: PLC0415  # --help does not need a database

    async with opened(load(home)) as database, database.pool.connection() as conn:
        return await delegations.in_force(conn)


async def _add(home: Path, holder: str, stand_in: str, until: datetime) -> "Delegation":
    from graphs import delegations  # noqa: PLC0415  # likewise

    away, there = [await readers.person(home, email) for email in (holder, stand_in)]
    settings = load(home)
    async with opened(settings) as database, database.pool.connection() as conn:
        try:
            return await delegations.delegate(
                conn,
                holder=away,
                stand_in=there,
                last_day=until.date(),
                by=f"operator {user_name()}",
                zone=zone_of(settings.time_zone),
            )
        except delegations.NotDelegable as error:
            raise Failure(_PROBLEMS[error.key]) from error


async def _end(home: Path, name: str) -> "Delegation":
    from graphs import delegations  # noqa: PLC0415  # likewise

    async with opened(load(home)) as database, database.pool.connection() as conn:
        found = [one for one in await delegations.in_force(conn) if name and one.id.startswith(name)]
        if len(found) > 1:
            raise Failure(f"More than one begins with {name}. Write more of its id.")
        ended = await delegations.end(conn, found[0].id, by=f"operator {user_name()}") if found else None
        if ended is None:
            raise Failure(
                f"There is none in force that begins with {name}. `countersign delegate list` shows them."
            )
        return ended


def _who(actor: Any) -> str:
    return clean(f"{actor.name} ({actor.email})")


def _plain(one: "Delegation") -> dict[str, Any]:
    return {
        "id": one.id,
        "holder": {"subject": one.holder.subject, "name": one.holder.name, "email": one.holder.email},
        "stand_in": {"subject": one.stand_in.subject, "name": one.stand_in.name, "email": one.stand_in.email},
        "starts_at": one.starts_at.isoformat(timespec="milliseconds"),
        "ends_at": one.ends_at.isoformat(timespec="milliseconds"),
    }
