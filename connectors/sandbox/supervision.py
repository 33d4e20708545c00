"""Starts processes, keeps them running, and leaves none behind: the demo's, and the servers of tests.

A server that goes on after whoever started it is in `connectors.sandbox.detached`.
"""

import asyncio
import contextlib
import logging
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

logger = logging.getLogger(__name__)

READY_WITHIN = 120.0  # seconds; the first start builds the language model's graph
BEHIND_WITHIN = 900.0  # of a part that nobody waits for: it may have an environment to make
GONE_WITHIN = 12.0
PAUSE = 1.0  # before something that died is started again


class PartFailed(Exception):
    """A process did not start. `said` is what it said last, `code` its exit code (None: it hung)."""

    def __init__(self, message: str, *, said: str = "", code: int | None = None) -> None:
        super().__init__(message)
        self.said = said
        self.code = code


@dataclass(kw_only=True)
class Part:
    """One process: what starts it, and the line with which it says that it is ready."""

    name: str
    command: Sequence[str]
    log: Path
    process: Process | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    said: str = ""
    _logged: int = 0  # bytes of the log that were there before it started

    async def start(self) -> None:
        """Start the process. It is ready once `ready` is set."""
        self.ready.clear()
        with self.log.open("ab") as log:
            self._logged = log.tell()
            self.process = await _start(self.command, log)
        self._listening = asyncio.create_task(self._listen(self.process))

    async def until_ready(self, within: float = READY_WITHIN) -> None:
        """Wait until the process says that it is ready. Raises PartFailed when it ends or takes too long."""
        assert self.process is not None
        ended = asyncio.create_task(self.process.wait())
        ready = asyncio.create_task(self.ready.wait())
        await asyncio.wait({ended, ready}, timeout=within, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        ready.cancel()
        if not self.ready.is_set():
            raise failed(self.name, self.log, code=self.process.returncode, after=self._logged)

    async def stop(self) -> None:
        """Ask the process to end, then make it end."""
        if self.process is None:
            return
        if self.process.returncode is None:
            self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), GONE_WITHIN)
            except TimeoutError:
                self.process.kill()
        await self.process.wait()
        await asyncio.gather(self._listening, return_exceptions=True)

    async def _listen(self, process: Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            self.said = line.decode(errors="replace").strip()
            if "ready" in self.said:
                self.ready.set()


async def _start(command: Sequence[str], log: BinaryIO) -> Process:
    # A session of its own: Ctrl-C in the terminal reaches the supervisor alone, which ends them in order.
    # Their standard input is a pipe from us, so that they notice when we are gone without having said so.
    return await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, stderr=log, start_new_session=True
    )


@asynccontextmanager
async def supervised(parts: Sequence[Part]) -> AsyncIterator[None]:
    """Run all parts, in that order of stopping, and start again whatever dies, until the block ends."""
    watching: list[asyncio.Task[None]] = []
    try:
        await asyncio.gather(*(part.start() for part in parts))
        await asyncio.gather(*(part.until_ready() for part in parts))
        watching = [asyncio.create_task(_keep(part)) for part in parts]
        yield
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        for part in parts:
            await part.stop()


@asynccontextmanager
async def behind(part: Part, progress: Callable[[str], None]) -> AsyncIterator[Part]:
    """Run a part that nobody has to wait for, until the block ends, and say when it is ready.

    One that does not start is not tried again: why is said.
    """

    async def run() -> None:
        try:
            await part.until_ready(BEHIND_WITHIN)
        except PartFailed as error:
            progress(f"{error} What needs it waits.")
            return
        progress(part.said)
        await _keep(part)

    await part.start()
    running = asyncio.create_task(run())
    try:
        yield part
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await part.stop()


async def _keep(part: Part) -> None:
    while True:
        assert part.process is not None
        code = await part.process.wait()
        logger.warning("The %s ended with code %s; starting it again.", part.name, code)
        await asyncio.sleep(PAUSE)
        await part.start()
        with contextlib.suppress(PartFailed):
            await part.until_ready()


def failed(name: str, log: Path, *, code: int | None, after: int = 0) -> PartFailed:
    """Return the error of a process that did not start. What it said stands in its log, `after` bytes on."""
    said = last_line(log, after=after)
    return PartFailed(f"The {name} did not start: {said} (see {log})", said=said, code=code)


def last_line(log: Path, *, after: int = 0) -> str:
    """Return the last thing a process wrote into its log."""
    with log.open("rb") as written:
        written.seek(after)
        lines = written.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def python(*arguments: str) -> tuple[str, ...]:
    """Return the command line that runs a module of ours."""
    return (sys.executable, "-m", *arguments)
