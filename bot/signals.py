"""The end of a process: in order, when somebody asks for it."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

PATIENCE = 15.0  # seconds for an end in order; jobs that are at work get 10 of them
_AGAIN = 1.0


async def until_signalled(work: Coroutine[Any, Any, None], *, patience: float = PATIENCE) -> None:
    """Run until the work fails, or SIGTERM or SIGINT asks this process to end; asking again changes nothing.

    What goes on after `patience` seconds is cancelled again: a cancellation that arrives just when what was
    waited for arrives too is lost (`asyncio.wait_for` of Python 3.11, under every call to the database).
    """
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    insisting: asyncio.Task[None] | None = None

    def leave() -> None:
        nonlocal insisting
        if insisting is None:
            task.cancel()
            insisting = asyncio.ensure_future(_insist(patience))

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, leave)
    try:
        await task
    except asyncio.CancelledError:
        if insisting is None:
            raise
    finally:
        if insisting is not None:
            insisting.cancel()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(name)


async def _insist(patience: float) -> None:
    await asyncio.sleep(patience)
    while True:
        for task in asyncio.all_tasks():
            if task.cancelling():
                task.cancel()
        await asyncio.sleep(_AGAIN)
