"""What the commands share: their common options, and how they fail."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bot.settings import SettingsError
from bot.storage import cluster
from bot.storage.cluster import DatabaseUnavailable
from connectors.errors import ConnectorError

Home = Annotated[
    Path | None,
    typer.Option(
        "--home", metavar="DIR", help="The Countersign home. Default: COUNTERSIGN_HOME, else the data folder."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on standard output.")]

Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="The settings. Default: countersign.toml in the home."),
]


class Failure(Exception):
    """The command cannot do what it was asked. The message says why and what to do."""


def user_name() -> str:
    """Return who runs the command, as this machine calls them."""
    return cluster.user_name(os.getuid())


@contextmanager
def failing(*errors: type[Exception]) -> Iterator[None]:
    """Turn what can go wrong into one sentence on standard error and exit code 2."""
    known: tuple[type[Exception], ...] = (Failure, SettingsError, DatabaseUnavailable, ConnectorError)
    try:
        yield
    except (*known, *errors) as error:
        Console(stderr=True, highlight=False).print(str(error), style="red", markup=False)
        raise typer.Exit(2) from error


def today() -> date:
    """Return the day, by this machine's clock, in UTC."""
    return datetime.now(UTC).date()


def write_json(value: dict[str, Any]) -> None:
    """Print JSON on standard output."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
