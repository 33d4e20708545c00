"""Much work over many arenas: a share for each process, with a database and a directory of its own."""

import asyncio
import gc
import multiprocessing
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from tests.abuse.arena import Arena
from tests.abuse.grounds import arena

PATIENCE = 60.0  # seconds for one case: one that takes longer hangs
EVERY = 30.0  # seconds between two words about how far it is

Result = TypeVar("Result")


async def shared(
    task: Callable[[Arena, int], Awaitable[Result]], numbers: Sequence[int], *, what: str, processes: int = 2
) -> list[Result]:
    """Do the task for each number; return what came of it. Says on stderr how far it is.

    The task is a function of a module, so that other processes find it. Raises TimeoutError where one hangs.
    """
    shares = [numbers[first::processes] for first in range(processes)]
    loop, context = asyncio.get_running_loop(), multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        calls = [loop.run_in_executor(pool, _share, task, share, what) for share in shares]
        done = await asyncio.gather(*calls)
    return [one for share in done for one in share]


def _share(
    task: Callable[[Arena, int], Awaitable[Result]], numbers: Sequence[int], what: str
) -> list[Result]:
    async def work() -> list[Result]:
        async with arena() as found:
            gc.freeze()  # what is there now stays; looking through it again takes a tenth of the time
            return await _each(found, task, numbers, what)

    return asyncio.run(work())


async def _each(
    arena: Arena, task: Callable[[Arena, int], Awaitable[Result]], numbers: Sequence[int], what: str
) -> list[Result]:
    done, said = [], time.monotonic()
    for number in numbers:
        try:
            async with asyncio.timeout(PATIENCE):
                done.append(await task(arena, number))
        except TimeoutError as error:
            raise TimeoutError(f"{what} {number} does not end") from error
        if time.monotonic() - said > EVERY:
            said = time.monotonic()
            sys.stderr.write(f"process {os.getpid()}: {len(done):,} of {len(numbers):,} {what}\n")
            sys.stderr.flush()
    return done
