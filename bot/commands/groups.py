"""`countersign groups`: which groups of the directory the names in the configuration stand for."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.commands import readers
from bot.commands.opened import opened
from bot.commands.options import Failure, Home, Json, failing, user_name, write_json
from bot.settings import home_from, load

app = typer.Typer(help="Which groups of the directory the names in settings and documents stand for.")


@app.command(name="list")
def list_(home: Home = None, as_json: Json = False) -> None:
    """List the names that have been resolved, each with the id of its group."""
    with failing():
        found = asyncio.run(_list(home_from(home)))
    if as_json:
        write_json({"groups": [{"name": name, "id": group} for name, group in found.items()]})
        return
    table = Table("Name", "Id in the directory", box=None)
    for name, group in found.items():
        table.add_row(Text(name), Text(group))
    Console(highlight=False).print(table if found else "No name has been resolved yet.")


@app.command()
def resolve(
    name: Annotated[str, typer.Argument(help="The name, as the settings or a document have it.")],
    home: Home = None,
) -> None:
    """Let a name stand for the group that the directory calls so now, whatever it stood for.

    Requests that wait for the group before are shown on a new card. Running bots follow within a minute.
    """
    with failing():
        group = asyncio.run(_resolve(home_from(home), name))
    Console(highlight=False).print(Text(f"{name} stands for the group {group}."))


async def _list(home: Path) -> Mapping[str, str]:
    from graphs import groups  # noqa: PLC0415  # --help does not need a database

    async with opened(load(home)) as database, database.pool.connection() as conn:
        return await groups.every(conn)


async def _resolve(home: Path, name: str) -> str:
    from graphs.groups import Groups, GroupUnclear  # noqa: PLC0415  # likewise

    settings = load(home)
    async with opened(settings) as database, readers.directory_of(settings, f"The group {name}") as directory:
        try:
            return await Groups(database.pool, directory).resolve(name, by=f"operator {user_name()}")
        except GroupUnclear as error:
            raise Failure(str(error)) from error
