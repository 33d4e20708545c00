"""`countersign sandbox`: real servers on this machine, for the demo and for trying a workflow out."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from bot import homes
from bot.commands.options import Failure, Home, Json, failing, write_json
from bot.settings import home_from

if TYPE_CHECKING:
    from connectors.sandbox.detached import Detached, Status

app = typer.Typer(help="Real servers on this machine, to try workflows on.", no_args_is_help=True)

Name = Annotated[str | None, typer.Argument(help="Such as tickets. Default: all of them.")]


@app.command()
def start(name: Name = None, home: Home = None, as_json: Json = False) -> None:
    """Start the servers, and leave them running. What runs already is left alone."""
    from connectors.sandbox.detached import start_all  # noqa: PLC0415  # --help is quick

    with _failing():
        servers = _servers(_closed(home), name)
        _write(asyncio.run(start_all(servers, _say)), as_json=as_json)


@app.command()
def stop(name: Name = None, home: Home = None, as_json: Json = False) -> None:
    """Stop the servers. What they hold stays."""
    with _failing():
        _write([server.stop(_say) for server in _servers(home_from(home), name)], as_json=as_json)


@app.command()
def status(name: Name = None, home: Home = None, as_json: Json = False) -> None:
    """Say which servers run, where, since when, and whether they answer. Exit code 1: one does not."""
    with _failing():
        found = [server.status() for server in _servers(home_from(home), name)]
        _write(found, as_json=as_json)
    if not all(one.healthy for one in found):
        raise typer.Exit(1)


@app.command()
def reset(name: Name = None, home: Home = None, as_json: Json = False) -> None:
    """Stop the servers, forget everything that was done on them, and start them again."""
    with _failing():
        _write([server.reset(_say) for server in _servers(_closed(home), name)], as_json=as_json)


@contextmanager
def _failing() -> Iterator[None]:
    from connectors.sandbox.environment import EnvironmentFailed  # noqa: PLC0415  # --help is quick
    from connectors.sandbox.supervision import PartFailed  # noqa: PLC0415

    with failing(EnvironmentFailed, PartFailed):
        yield


def _closed(option: Path | None) -> Path:
    """Return the home, made if it is missing and closed to others."""
    home = home_from(option)
    try:
        for done in homes.secure(home):
            _say(done)
    except homes.HomeRefused as error:
        raise Failure(str(error)) from error
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    return home


def _servers(home: Path, name: str | None) -> "list[Detached]":
    from connectors.sandbox.catalogue import SERVERS  # noqa: PLC0415  # --help is quick
    from connectors.sandbox.detached import Detached  # noqa: PLC0415

    wanted = [server for server in SERVERS if name in (None, server.name)]
    if not wanted:
        names = ", ".join(server.name for server in SERVERS)
        raise Failure(f"The sandbox has no server {name}. It has: {names}.")
    return [Detached(server, home) for server in wanted]


def _say(sentence: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(sentence, markup=False)


def _write(found: "Sequence[Status]", *, as_json: bool) -> None:
    if as_json:
        write_json({"servers": [asdict(one) for one in found]})
        return
    for one in found:
        Console(highlight=False, soft_wrap=True).print(f"{one.title}: {_standing(one)}", markup=False)


def _standing(one: "Status") -> str:
    if not one.running:
        return f"does not run. Start it: countersign sandbox start {one.name}"
    since = f"process {one.pid}, since {_moment(one.since)}"
    if one.healthy:
        return f"{one.url} ({since})"
    return (
        f"does not answer ({since}). Look into {one.folder}/server.log; countersign sandbox start {one.name}"
    )


def _moment(since: str | None) -> str:
    return (
        datetime.fromisoformat(since).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if since else "unknown"
    )
