"""`countersign audit`: the story of a run, read back from the record."""

import asyncio
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.commands.options import Failure, Home, Json, failing
from bot.settings import home_from, load
from graphs.audit import ChainBroken, Event

app = typer.Typer(help="What was asked, decided and done, from the append-only record.", no_args_is_help=True)

Run = Annotated[
    str | None,
    typer.Argument(metavar="RUN", help="The request's id, or its beginning; without it: the latest."),
]


@app.command()
def show(run: Run = None, home: Home = None, as_json: Json = False) -> None:
    """Read back the whole story of a request."""
    with failing():
        events = asyncio.run(_story(home_from(home), run))
    if as_json:
        json.dump([_plain(event) for event in events], sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")
        return
    _print(events)


@app.command()
def runs(home: Home = None, as_json: Json = False) -> None:
    """List the latest requests."""
    with failing():
        rows = asyncio.run(_runs(home_from(home)))
    if as_json:
        json.dump(rows, sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")
        return
    table = Table("Request", "What", "Who", "Status", "Since (UTC)", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(row[name]) for name in ("run", "workflow", "requester", "status", "created_at")))
    Console().print(table if rows else "Nothing has been requested yet.")


@app.command()
def verify(home: Home = None) -> None:
    """Check that no event was changed, removed or put in between."""
    with failing():
        count = asyncio.run(_verify(home_from(home)))
    Console().print(f"{count} events, each as it was written.")


async def _story(home: Path, run: str | None) -> list[Event]:
    """Return the events of the run and of the run that ends what it granted."""
    from bot.database import open_database  # noqa: PLC0415  # --help does not need a database
    from graphs import audit  # noqa: PLC0415

    settings = load(home)
    async with (
        open_database(home, settings.database_url, owner_url=settings.database_owner_url) as database,
        database.pool.connection() as conn,
    ):
        cursor = await conn.execute(
            "SELECT id FROM run WHERE starts_with(id, %(run)s) AND key NOT LIKE 'end %%'"
            " OR %(run)s = '' AND key NOT LIKE 'end %%' ORDER BY created_at DESC LIMIT 2",
            {"run": run or ""},
        )
        found = [row["id"] for row in await cursor.fetchall()]
        if not found:
            raise Failure("There is no such request. `countersign audit runs` lists them.")
        if run and len(found) > 1:
            raise Failure(f"More than one request begins with {run}.")
        cursor = await conn.execute(
            "SELECT id FROM run WHERE id = %(run)s OR slots ->> 'run' = %(run)s", {"run": found[0]}
        )
        ids = [row["id"] for row in await cursor.fetchall()]
        events = [event for one in ids async for event in audit.read(conn, one)]
    return sorted(events, key=lambda event: event.seq)


async def _runs(home: Path) -> list[dict[str, str]]:
    from bot.database import open_database  # noqa: PLC0415  # --help does not need a database

    settings = load(home)
    async with (
        open_database(home, settings.database_url, owner_url=settings.database_owner_url) as database,
        database.pool.connection() as conn,
    ):
        cursor = await conn.execute(
            "SELECT id AS run, workflow, requester ->> 'name' AS requester, status,"
            " to_char(created_at, 'YYYY-MM-DD HH24:MI') AS created_at"
            " FROM run WHERE key NOT LIKE 'end %' ORDER BY run.created_at DESC LIMIT 20"
        )
        return [dict(row) for row in await cursor.fetchall()]


async def _verify(home: Path) -> int:
    from bot.database import open_database  # noqa: PLC0415  # --help does not need a database
    from graphs import audit  # noqa: PLC0415

    settings = load(home)
    async with (
        open_database(home, settings.database_url, owner_url=settings.database_owner_url) as database,
        database.pool.connection() as conn,
    ):
        try:
            return len([event.seq async for event in audit.read(conn)])
        except ChainBroken as broken:
            raise Failure(f"The record has been tampered with: {broken}.") from broken


def _plain(event: Event) -> dict[str, Any]:
    return {
        "seq": event.seq,
        "at": event.at.isoformat(timespec="milliseconds"),
        "kind": event.kind,
        "run": event.run,
        "facts": dict(event.facts),
        "detail": dict(event.detail) if event.detail is not None else None,
        "hash": event.hash,
    }


def _print(events: Iterable[Event]) -> None:
    table = Table("#", "When (UTC)", "What", "Details", box=None, pad_edge=False, show_lines=False)
    for event in events:
        when = event.at.strftime("%Y-%m-%d %H:%M:%S")
        details = "\n".join(f"{name}: {value}" for name, value in _lines(event))
        table.add_row(str(event.seq), when, Text(_WHAT.get(event.kind, event.kind)), Text(details))
    Console().print(table)


def _lines(event: Event) -> Iterable[tuple[str, str]]:
    if event.detail is None:
        yield "personal values", "erased"
    for source in (event.detail or {}, event.facts):
        for name, value in source.items():
            if value not in ("", {}, []):
                yield name.replace("_", " "), _short(value)


def _short(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {inner}" for name, inner in value.items())
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 and text.isalnum() else text


_WHAT = {
    "run.started": "Requested",
    "run.filled": "Filled in",
    "run.ended": "Ended",
    "approval.requested": "Approval asked for",
    "approval.decided": "Decided",
    "approval.expired": "Approval expired",
    "approval.outdated": "Approval outdated",
    "approval.refused_click": "Click refused",
    "effect.intended": "About to be done",
    "effect.done": "Done",
    "effect.failed": "Not done",
    "effect.unknown": "May have been done",
    "effect.refused": "Refused at the gate",
}
