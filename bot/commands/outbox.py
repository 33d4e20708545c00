"""`countersign outbox`: messages that Slack refuses, and having them sent again."""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot import refusals
from bot.commands.opened import reading
from bot.commands.options import Failure, Home, Json, failing
from bot.settings import home_from, load

if TYPE_CHECKING:
    from bot.undelivered import Undelivered

app = typer.Typer(help="Messages that are not in Slack as they should be.", no_args_is_help=True)

_STATES = {
    "waiting": "waits until it is mended",
    "plain": "there as plain text",
    "delayed": "Slack does not answer",
    "failed": "given up",
}


@app.command("list")
def list_(home: Home = None, as_json: Json = False) -> None:
    """List the messages that Slack refuses, with what helps. They are sent once that is done."""
    with failing():
        rows = [_row(one) for one in asyncio.run(_undelivered(home_from(home)))]
    if as_json:
        _json(rows)
        return
    if not rows:
        Console().print("Slack has accepted every message.")
        return
    table = Table("Message", "Since", "State", "Where", "Error", "What helps", box=None, pad_edge=False)
    for row in rows:
        shown = (row["id"], row["since"], _STATES[row["state"]], row["channel"], row["error"], row["helps"])
        table.add_row(*(Text(str(value or "")) for value in shown))
    Console().print(table)


@app.command()
def resend(
    messages: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MESSAGE]...", help="As `list` names them; all by default."),
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Have messages sent again at once, as they should be. The running bot sends them."""
    with failing():
        names = asyncio.run(_resend(home_from(home), messages or None))
    if as_json:
        _json(names)
    elif names:
        Console().print(f"Sent again: {', '.join(names)}", markup=False, highlight=False)
    else:
        Console().print("There is nothing to send again.")


async def _undelivered(home: Path) -> "Sequence[Undelivered]":
    from bot.undelivered import undelivered  # noqa: PLC0415  # --help needs no database

    async with reading(load(home)) as conn:
        return await undelivered(conn)


async def _resend(home: Path, names: Sequence[str] | None) -> Sequence[str]:
    from bot.undelivered import resend as send  # noqa: PLC0415  # likewise

    async with reading(load(home)) as conn:
        sent = await send(conn, names)
    unknown = sorted(set(names or ()) - set(sent))
    if unknown:
        raise Failure(
            f"There is nothing to send again for {', '.join(unknown)}. See `countersign outbox list`."
        )
    return sent


def _row(one: "Undelivered") -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind,
        "state": one.state,
        "channel": one.channel,
        "error": one.error,
        "since": f"{one.since:%Y-%m-%d %H:%M}",
        "tries": one.tries,
        "helps": refusals.mend(one.error),
    }


def _json(value: object) -> None:
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
