"""`countersign new`: a workflow or a connector to begin with."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bot.commands.options import Home, Json, failing, write_json
from bot.rooms import Sort
from bot.settings import home_from

app = typer.Typer(help="Make a workflow or a connector to begin with.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="In small letters, such as visitor_pass.")]


@app.command()
def workflow(name: Name, home: Home = None, as_json: Json = False) -> None:
    """Make a workflow: in its place in a checkout of Countersign, else in the home's extensions."""
    _make("workflow", name, home, as_json=as_json)


@app.command()
def connector(name: Name, home: Home = None, as_json: Json = False) -> None:
    """Make a connector: in its place in a checkout of Countersign, else in the home's extensions."""
    _make("connector", name, home, as_json=as_json)


def _make(sort: Sort, name: str, home: Path | None, *, as_json: bool) -> None:
    from bot.scaffold import NotMade, make  # noqa: PLC0415  # --help is quick

    with failing(NotMade):
        made = make(sort, name, home=home_from(home), checkout=_checkout() if home is None else None)
    if as_json:
        write_json({"room": str(made.room), "test": str(made.test), "settings": made.settings})
        return
    console = Console(highlight=False, soft_wrap=True, markup=False)
    console.print(f"Made {made.room}\nand  {made.test}\n")
    console.print(f"What to write next, one thing at a time: pytest {made.test}")
    console.print(f"It runs when the settings have:\n\n{made.settings}")
    if "[extensions]" in made.settings:
        console.print("The hash changes with the files: countersign extensions says the new one.")


def _checkout() -> Path | None:
    """Return the checkout of Countersign that we are in, if we are in one."""
    for folder in (Path.cwd(), *Path.cwd().parents):
        project = folder / "pyproject.toml"
        if project.is_file() and 'name = "countersign-bot"' in project.read_text(encoding="utf-8"):
            return folder
    return None
