"""`countersign demo`, `run` and `worker`: what stays running."""

import asyncio
import contextlib
import logging
import signal
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bot.commands.options import Config, Failure, Home, failing
from bot.settings import home_from, load


def demo(
    home: Home = None,
    port: Annotated[int, typer.Option(help="Where the page is, on this machine.")] = 8484,
    tour: Annotated[bool, typer.Option("--tour", help="Play the five steps by itself, then end.")] = False,
) -> None:
    """Try it on this machine: a workspace in the browser, a directory server, and the bot.

    Nothing leaves this machine, and no account is needed. Ctrl-C ends everything.
    """
    from bot.demo.home import NotADemo  # noqa: PLC0415  # --help is quick
    from bot.demo.stage import PortTaken  # noqa: PLC0415
    from connectors.sandbox.supervision import PartFailed  # noqa: PLC0415

    with failing(NotADemo, PortTaken, PartFailed):
        code = asyncio.run(_demo(home_from(home), port, tour=tour))
    raise typer.Exit(code)


async def _demo(home: Path, port: int, *, tour: bool) -> int:
    from bot.demo.stage import staged  # noqa: PLC0415  # see demo

    console = Console(highlight=False)
    begun, main = time.monotonic(), asyncio.current_task()
    assert main is not None
    loop, signals = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def leave() -> None:
        """End in order; whoever is impatient and asks again changes nothing."""
        for number in signals:
            loop.add_signal_handler(number, lambda: None)
        main.cancel()

    for number in signals:
        loop.add_signal_handler(number, leave)
    console.print(f"Starting the demo in {home}", markup=False)
    try:
        async with staged(home, port=port, progress=console.print) as stage:
            if tour:
                from bot.demo.tour import play  # noqa: PLC0415  # only the tour needs it
                from connectors.sandbox.supervision import BEHIND_WITHIN  # noqa: PLC0415

                if stage.tickets is not None:  # else it would play while they come up
                    await stage.tickets.until_ready(BEHIND_WITHIN)
                return 0 if await play(stage, console) else 1
            console.print(f"\nReady after {time.monotonic() - begun:.1f} s. Open [bold]{stage.url}[/bold]\n")
            console.print(_WHAT_TO_TRY)
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            console.print("\nStopping.")
    except asyncio.CancelledError:
        console.print("\nStopped before it was ready.")
        return 130
    return 0


_WHAT_TO_TRY = """\
Try, as Ada (change who you are at the top right):
  in #ask-policy   @Countersign how many days of parental leave do I get?
  to Countersign   I need billing-db for 3 days to close the quarter
  to Countersign   My VPN is down since this morning, I cannot work
then, as Grace, approve the access in #access-approvals, and move the clock by three days.
The whole story: countersign audit show

Ctrl-C ends everything."""


def run(home: Home = None, config: Config = None) -> None:
    """Connect to Slack and work, until stopped."""
    _serve(home, config, socket=True)


def worker(home: Home = None, config: Config = None) -> None:
    """Work on what waits, without a connection for events: one more pair of hands, on any machine."""
    _serve(home, config, socket=False)


def _serve(option: Path | None, config: Path | None, *, socket: bool) -> None:
    from bot.demo.home import is_demo  # noqa: PLC0415  # --help is quick

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with failing():
        home = home_from(option)
        if is_demo(home):
            raise Failure(f"{home} belongs to a demo. Give the bot a home of its own: --home DIR")
        settings = load(home, config)
        from bot import credentials  # noqa: PLC0415

        given = credentials.read(settings)
        from bot import app  # noqa: PLC0415  # takes seconds
        from bot.installation import SlackRefused  # noqa: PLC0415
        from graphs.groups import GroupUnclear  # noqa: PLC0415
        from graphs.runs import VersionMissing  # noqa: PLC0415

        with failing(SlackRefused, VersionMissing, GroupUnclear):
            serve = app.serve if socket else app.work
            asyncio.run(serve(settings, given, config=config))
