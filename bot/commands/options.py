"""What the commands share: their common options, and how they fail."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bot.settings import SettingsError
from bot.storage.cluster import DatabaseUnavailable
from connectors.errors import ConnectorError

Home = Annotated[
    Path | None,
    typer.Option(
        "--home", metavar="DIR", help="The Countersign home. Default: COUNTERSIGN_HOME, else the data folder."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on standard output.")]


class Failure(Exception):
    """The command cannot do what it was asked. The message says why and what to do."""


@contextmanager
def failing(*errors: type[Exception]) -> Iterator[None]:
    """Turn what can go wrong into one sentence on standard error and exit code 2."""
    known: tuple[type[Exception], ...] = (Failure, SettingsError, DatabaseUnavailable, ConnectorError)
    try:
        yield
    except (*known, *errors) as error:
        Console(stderr=True, highlight=False).print(str(error), style="red", markup=False)
        raise typer.Exit(2) from error
