"""Start servers of the sandbox as processes of their own, for tests."""

import asyncio
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from connectors.sandbox import environment
from connectors.sandbox.catalogue import DIRECTORY, READ_TOKEN, TICKETS, TOKEN, Server
from connectors.sandbox.supervision import Part

__all__ = ["READ_TOKEN", "TOKEN", "Running", "directory", "tickets"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """A server that is ready."""

    url: str  # of its interface
    token: str = field(repr=False)  # to everything that the service account may do
    read_token: str = field(repr=False)
    process: Process

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return int(self.url.split(":")[2].split("/")[0])


@asynccontextmanager
async def directory(state: Path, *, port: int = 0, faults: bool = False) -> AsyncIterator[Running]:
    """Run a directory server on what `state` holds, for as long as the block lasts.

    The tokens live in `state` and are made at the first start. Raises `PartFailed`.
    """
    more = ("--faults",) if faults else ()
    async with _running(DIRECTORY, sys.executable, state, port, *more) as running:
        yield running


@asynccontextmanager
async def tickets(state: Path, *, port: int = 0) -> AsyncIterator[Running]:
    """Run a ticket system on what `state` holds, for as long as the block lasts.

    The environment that it runs in is made if it is missing. Raises `PartFailed` and `EnvironmentFailed`.
    """
    where = environment.folder(state)
    python = await asyncio.to_thread(environment.ensure, where, lambda _: None)
    async with _running(TICKETS, str(python), state, port) as running:
        yield running


@asynccontextmanager
async def _running(server: Server, python: str, state: Path, port: int, *more: str) -> AsyncIterator[Running]:
    server.prepare(state)
    command = (*server.command(python, state, port), *more)
    part = Part(name=server.name, command=command, log=state / f"{server.name}.log")
    await part.start()
    assert part.process is not None
    try:
        await part.until_ready()
        yield Running(
            url=part.said.split(" ready on ")[1].strip(),
            token=(state / TOKEN).read_text().strip(),
            read_token=(state / READ_TOKEN).read_text().strip(),
            process=part.process,
        )
    finally:
        await part.stop()
