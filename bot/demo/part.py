"""`python -m bot.demo.part workspace|directory|tickets|bot --home DIR`: one of the demo's processes.

Each ends by itself when whoever started it is gone: its standard input is then at its end.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Coroutine
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from psycopg.errors import UndefinedTable

from bot import settings
from bot.demo import home as demo
from bot.demo.world import world
from bot.installation import SlackRefused
from bot.storage.cluster import DatabaseUnavailable
from connectors.directory import Directory, Group
from connectors.errors import ConnectorError, NotFound
from connectors.sandbox.process import READ_TOKEN, TOKEN

MANIFEST = Path(__file__).resolve().parents[2] / "manifest.yml"


async def run_workspace(home: Path, port: int) -> None:
    """Serve the workspace and its page, with a clock that can be moved and a look into the directory."""
    from bot.workspace.core import Clocks  # noqa: PLC0415  # only this process serves a workspace
    from bot.workspace.hooks import Hooks  # noqa: PLC0415
    from bot.workspace.server import running  # noqa: PLC0415

    tokens = demo.tokens(home)
    clock = Clock(home)
    manifest = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    async with running(
        world(manifest, bot_token=tokens.bot, app_token=tokens.app),
        port=port,
        state=home / "workspace",
        hooks=Hooks(clock=clock.read, move_clock=clock.move, directory=Look(home).groups),
        clocks=Clocks(wall=clock.wall),
    ) as server:
        _say(f"ready on {server.url}")
        with contextlib.suppress(UndefinedTable):  # a new home: nobody has moved its clock
            await clock.read()
        await asyncio.Event().wait()


async def run_bot(home: Path) -> None:
    """Run the bot as `countersign run` does, with the demo's own tokens."""
    from bot import app, credentials  # noqa: PLC0415  # takes seconds; the workspace is up meanwhile
    from connectors.secrets import demo_key  # noqa: PLC0415

    known = settings.load(home)
    await _until_open(urlsplit(known.slack_api_url).port or 80)
    await app.serve(
        known, credentials.read(known, key=demo_key(home)), ready=lambda: _say("ready and connected")
    )


async def _until_open(port: int) -> None:
    """Wait until somebody listens there; the supervisor gives up if nobody does."""
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            await writer.wait_closed()
            return
        await asyncio.sleep(0.05)


def run_directory(home: Path, port: int) -> int:
    """Serve the company's directory. Returns the exit code."""
    from connectors.sandbox import directory  # noqa: PLC0415  # takes a second

    state = home / "directory"
    files = ("--token-file", str(state / TOKEN), "--read-token-file", str(state / READ_TOKEN))
    return directory.main(["--port", str(port), "--state", str(state), *files])


async def run_tickets(home: Path, port: int) -> None:
    """Serve the company's tickets, in the environment of the sandbox's servers, which is made first."""
    from connectors.sandbox import environment  # noqa: PLC0415  # likewise
    from connectors.sandbox.catalogue import TICKETS  # noqa: PLC0415

    state = home / "tickets"
    try:
        python = await asyncio.to_thread(environment.ensure, environment.folder(home), _say)
    except environment.EnvironmentFailed as error:
        raise SystemExit(str(error)) from None
    TICKETS.prepare(state)
    server = await asyncio.create_subprocess_exec(*TICKETS.command(str(python), state, port))
    try:
        await server.wait()
    finally:
        if server.returncode is None:
            server.terminate()
            await server.wait()


class Clock:
    """The demo's clock: the wall's, plus what the database says that it was moved by."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._shift = timedelta()

    def wall(self) -> float:
        """Seconds since the epoch, as the demo counts them."""
        return time.time() + self._shift.total_seconds()

    async def read(self) -> dict[str, Any]:
        """Return what time it is in the demo."""
        return await self._ask("SELECT moment(), shift FROM clock", {})

    async def move(self, days: float, hours: float) -> dict[str, Any]:
        """Move the clock forward, never back. Only this, on the owner's connection, can do it."""
        span = timedelta(days=max(days, 0.0), hours=max(hours, 0.0))
        return await self._ask(
            "UPDATE clock SET shift = shift + %(span)s RETURNING moment(), shift", {"span": span}
        )

    async def _ask(self, query: str, values: dict[str, Any]) -> dict[str, Any]:
        from bot.database import open_owner  # noqa: PLC0415  # the page is up before the database is

        async with open_owner(self._home, None) as conn:
            cursor = await conn.execute(query, values)
            row = await cursor.fetchone()
        assert row is not None
        now: datetime = row[0]
        self._shift = row[1]
        return {"now": now.isoformat(timespec="seconds"), "shifted_hours": self._shift.total_seconds() / 3600}


class Look:
    """A look into the directory server, as it is."""

    def __init__(self, home: Path) -> None:
        self._home = home

    async def groups(self) -> dict[str, Any]:
        """Return the requestable groups and the approvers', with the names of their members."""
        from connectors.directory import open_directory  # noqa: PLC0415  # takes a second, and few look
        from graphs.workflows.it_access import Rules  # noqa: PLC0415

        known = settings.load(self._home)
        assert known.directory is not None
        rules = known.workflows.get("it_access")
        assert isinstance(rules, Rules)
        wanted = rules.groups
        names = [*wanted, *sorted({name for group in wanted.values() for name in group.approvers})]
        token = demo.tokens(self._home).directory
        async with open_directory(known.directory.url, token, issuer=known.directory.issuer) as directory:
            found = [group for name in names if (group := await _there(directory, name)) is not None]
            people = {one: await directory.person(one) for group in found for one in sorted(group.members)}
        return {
            "groups": [
                {"name": group.name, "members": sorted(people[one].name for one in group.members)}
                for group in found
            ]
        }


async def _there(directory: Directory, group: str) -> Group | None:
    """Return a group as the directory has it; None where it has none of that name."""
    try:
        return await directory.group_by_name(group)
    except NotFound:
        return None


def _say(sentence: str) -> None:
    """Tell the supervisor, which reads our standard output."""
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


async def _until_asked(work: Coroutine[Any, Any, None]) -> None:
    """Run until the work ends or somebody asks for it, also while it starts."""
    task = asyncio.ensure_future(work)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _leave_when_alone() -> None:
    """Ask this process to end when whoever started it has gone, and with it the other end of its input."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def main() -> int:
    """Run one part until asked to stop. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bot.demo.part", description=__doc__)
    parser.add_argument("part", choices=("workspace", "directory", "tickets", "bot"))
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("procrastinate", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    _leave_when_alone()
    if options.part == "directory":
        return run_directory(options.home, options.port)
    work = {
        "workspace": partial(run_workspace, options.home, options.port),
        "tickets": partial(run_tickets, options.home, options.port),
        "bot": partial(run_bot, options.home),
    }[options.part]()
    try:
        asyncio.run(_until_asked(work))
    except (OSError, DatabaseUnavailable, SlackRefused, settings.SettingsError, ConnectorError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
