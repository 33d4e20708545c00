"""`countersign sources`: what is read, when it was fetched last, and what went wrong."""

from datetime import UTC, datetime
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.commands.options import Config, Home, Json, failing, write_json
from bot.commands.progress import closed_note
from bot.settings import CONFIG, home_from, load


def sources(home: Home = None, config: Config = None, as_json: Json = False) -> None:
    """List the sources of the settings: when each was fetched last, and what went wrong."""
    from bot.sources import configured  # noqa: PLC0415  # --help is quick

    place = home_from(home)
    with failing():
        settings = load(place, config)
        rows = [
            _row(said.name, said.kind, said.schedule, source.status())
            for said, source in zip(settings.sources, configured(settings), strict=True)
        ]
    if as_json:
        write_json({"sources": rows})
    elif rows:
        _print(rows)
    else:
        typer.echo(f"No sources are configured. List them as [[sources]] in {config or place / CONFIG}.")


def _row(name: str, kind: str, schedule: str, status: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "schedule": schedule,
        "last_sync": _time(status["fetched"]),
        "last_try": _time(status["tried"]),
        "at": status["state"],
        "documents": status["documents"],
        "problem": status["problem"],
        "left_out": status["left_out"],
    }


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _print(rows: list[dict[str, Any]]) -> None:
    table = Table(
        "Source", "Kind", "Schedule", "Last sync (UTC)", "Documents", "Left out", "Problem", box=None
    )
    for row in rows:
        fetched = (row["last_sync"] or "never")[:16].replace("T", " ")
        table.add_row(
            row["name"],
            row["kind"],
            row["schedule"] or "by hand",
            fetched,
            str(row["documents"]),
            str(len(row["left_out"])),
            Text(row["problem"] or "-", style="yellow" if row["problem"] else ""),
        )
    console = Console(highlight=False)
    console.print(table)
    for row in rows:
        for one in row["left_out"]:
            console.print(Text(f"left out  {one['document']}: {one['reason']}", style="yellow"))
    closed = [one["document"] for row in rows for one in row["left_out"] if one.get("closed")]
    if closed:
        console.print(Text(closed_note(closed), style="bold red"))
