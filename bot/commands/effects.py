"""`countersign effects`: requests that rest after too many attempts, and effects that wait for an answer."""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.commands.opened import opened, reading
from bot.commands.options import Failure, Home, Json, failing
from bot.settings import home_from, load
from connectors.breaker import REST

app = typer.Typer(help="Changes in outside systems that need somebody.", no_args_is_help=True)

Row = Mapping[str, Any]

_DEAD = (
    "SELECT id AS request, workflow, requester ->> 'name' AS requester, facts ->> 'error' AS error,"
    " to_char(created_at, 'YYYY-MM-DD HH24:MI') AS since FROM run WHERE status = 'dead' ORDER BY created_at"
)
_SYSTEMS = (
    "SELECT system, to_char(since, 'YYYY-MM-DD HH24:MI:SS') AS since,"
    " to_char(until, 'YYYY-MM-DD HH24:MI:SS') AS until FROM outage"
    f" WHERE until > moment() AND until <= moment() + interval '{REST} seconds'"  # else its clock was wrong
)
_UNKNOWN = (
    "SELECT effect.run AS request, effect.operation, effect.act, effect.key,"
    " to_char(doubt.opened_at, 'YYYY-MM-DD HH24:MI') AS since FROM doubt"
    " JOIN effect ON (effect.tenant, effect.id) = (doubt.tenant, doubt.effect)"
    " WHERE doubt.answer IS NULL ORDER BY doubt.opened_at"
)


@app.command()
def unfinished(home: Home = None, as_json: Json = False) -> None:
    """List the plans that ended in the middle with steps left that nobody has looked after yet."""
    with failing():
        rows = asyncio.run(_unfinished(home_from(home)))
    _print(rows, as_json=as_json, nothing="Nothing is left of any plan that stopped.")


@app.command()
def dead(home: Home = None, as_json: Json = False) -> None:
    """List the requests that were tried too often and rest."""
    with failing():
        rows = asyncio.run(_rows(home_from(home), _DEAD))
    _print(rows, as_json=as_json, nothing="No request rests.")


@app.command()
def unknown(home: Home = None, as_json: Json = False) -> None:
    """List the effects of which a person has to say whether they happened."""
    with failing():
        rows = asyncio.run(_rows(home_from(home), _UNKNOWN))
    _print(rows, as_json=as_json, nothing="Nobody is asked about any effect.")


@app.command()
def systems(home: Home = None, as_json: Json = False) -> None:
    """List the outside systems that have failed too often and are left alone for a while."""
    with failing():
        rows = asyncio.run(_rows(home_from(home), _SYSTEMS))
    _print(rows, as_json=as_json, nothing="Every system is asked.")


@app.command()
def replay(
    request: Annotated[str, typer.Argument(metavar="REQUEST", help="The id of the request.")],
    home: Home = None,
) -> None:
    """Have a request tried again that rests."""
    with failing():
        asyncio.run(_replay(home_from(home), request))
    Console().print("It is tried again.")


async def _rows(home: Path, query: str) -> list[Row]:
    async with reading(load(home)) as conn:
        return list(await (await conn.execute(query.encode())).fetchall())


async def _unfinished(home: Path) -> list[Row]:
    """Return the plans that ended in the middle and are still open, as the record has them."""
    from graphs import cases  # noqa: PLC0415  # --help needs no workflows
    from graphs import unfinished as plans  # noqa: PLC0415

    found: list[Row] = []
    async with opened(load(home)) as database, database.pool.connection() as conn:
        for event in await plans.waiting(conn):
            assert event.run is not None
            run = (await cases.load(conn, event.run, {})).run
            named = {"request": run.id, "workflow": run.workflow, "requester": run.requester.name}
            since = event.at.strftime("%Y-%m-%d %H:%M")
            found.append({**named, "steps": event.facts["steps"], "since": since})
    return found


async def _replay(home: Path, request: str) -> None:
    from bot.jobs import Jobs  # noqa: PLC0415  # --help needs no queue
    from graphs import audit, cases  # noqa: PLC0415  # likewise

    async with (
        opened(load(home)) as database,
        Jobs.open(database) as jobs,
        database.pool.connection() as conn,
    ):
        if not await cases.revive(conn, request):
            raise Failure("No such request rests. `countersign effects dead` lists them.")
        await jobs.advance(conn, request)
        await audit.append(conn, "run.replayed", run=request, facts={}, detail={})


def _print(rows: Sequence[Row], *, as_json: bool, nothing: str) -> None:
    if as_json:
        json.dump([dict(row) for row in rows], sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")
        return
    if not rows:
        Console().print(nothing)
        return
    table = Table(*(name.capitalize() for name in rows[0]), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(str(value or "")) for value in row.values()))
    Console().print(table)
