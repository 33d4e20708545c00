"""A process ends when it is asked to, whatever loses the question."""

import asyncio
import os
import signal
from contextlib import suppress

import pytest

from bot.signals import until_signalled


async def _deaf(name: signal.Signals, times: int) -> None:
    """Ask for the end, lose so many cancellations, and work for ever."""
    os.kill(os.getpid(), name)
    for _ in range(times):
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    await asyncio.Event().wait()


async def _with_a_deaf_part(name: signal.Signals) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_deaf(name, 1))
        group.create_task(asyncio.Event().wait())


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_work_that_has_lost_a_cancellation(name: signal.Signals) -> None:
    for work in (_deaf(name, 0), _deaf(name, 1), _with_a_deaf_part(name)):
        await asyncio.wait_for(until_signalled(work, patience=0.01), 30)


async def test_an_end_in_order_is_not_disturbed_by_asking_again() -> None:
    tidied = False

    async def work() -> None:
        nonlocal tidied
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.Event().wait()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.05)
            tidied = True

    await asyncio.wait_for(until_signalled(work()), 30)
    assert tidied


async def test_what_fails_by_itself_is_told() -> None:
    async def work() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await until_signalled(work())
