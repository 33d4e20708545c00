"""`python -m bot.workspace --world FILE --port N [--state DIR]`: a workspace as a process of its own."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from pydantic import ValidationError

from bot.workspace.server import running
from bot.workspace.timing import PostLimit
from bot.workspace.world import World


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bot.workspace", description="A Slack workspace on loopback."
    )
    parser.add_argument(
        "--world", type=Path, required=True, help="JSON file with team, app, people and channels"
    )
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--state", type=Path, help="folder in which the state survives a restart")
    parser.add_argument("--no-rate-limit", action="store_true", help="take any number of messages at once")
    return parser.parse_args()


async def _run(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    limit = None if arguments.no_rate_limit else PostLimit()
    world = World.read(arguments.world)
    async with running(world, port=arguments.port, state=arguments.state, post_limit=limit) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> int:
    """Run until asked to stop. Returns the exit code."""
    arguments = _arguments()
    try:
        asyncio.run(_run(arguments))
    except ValidationError as error:
        sys.stderr.write(f"The world in {arguments.world} cannot be used: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"The workspace cannot start on port {arguments.port}: {error.strerror or error}.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
