"""`countersign doctor`: whether all is there that the configured features need, and what to change."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.text import Text

from bot.commands.options import Config, Home, Json, write_json
from bot.settings import home_from

if TYPE_CHECKING:
    from bot.doctor import Part


def doctor(home: Home = None, config: Config = None, as_json: Json = False) -> None:
    """Ask every part for what the configured features need, and say what to change. Nothing is changed.

    Slack, the directory, the database, the secrets, the policies, the disk and the model, each apart: one
    that is down keeps the others from nothing. Exit code 0: all is there. 1: something is wrong.
    """
    parts = asyncio.run(_examined(home_from(home), config, quiet=as_json))
    well = all(part.ok for part in parts)
    if as_json:
        write_json({"ok": well, "parts": [_plain(part) for part in parts]})
    else:
        wrong = sum(not finding.ok for part in parts for finding in part.findings)
        said = "All that is needed is there." if well else f"{wrong} of the above to be mended."
        Console(highlight=False).print(said)
    raise typer.Exit(0 if well else 1)


async def _examined(home: Path, config: Path | None, *, quiet: bool) -> "list[Part]":
    from bot.doctor import examine  # noqa: PLC0415  # --help is quick

    parts = []
    async for part in examine(home, config):
        parts.append(part)
        if not quiet:
            _print(part)
    return parts


def _print(part: "Part") -> None:
    console = Console(highlight=False)
    for finding in part.findings:
        mark = Text("ok     ", style="green") if finding.ok else Text("WRONG  ", style="red")
        console.print(mark + Text(f"{part.name}: {finding.name}: {finding.detail}"), soft_wrap=True)
        if finding.mend:
            console.print(Text(f"       -> {finding.mend}"), soft_wrap=True)


def _plain(part: "Part") -> dict[str, object]:
    return {"part": part.name, "ok": part.ok, "findings": [asdict(finding) for finding in part.findings]}
