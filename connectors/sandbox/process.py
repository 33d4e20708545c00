"""Start the sandbox directory as a process of its own, for the demo and for tests."""

import asyncio
import secrets
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

TOKEN, READ_TOKEN = "token", "token.read"  # files in the server's folder
READY_WITHIN = 30.0  # seconds
GONE_WITHIN = 5.0


class SandboxFailed(Exception):
    """The sandbox did not start. The message is what it said, `code` its exit code (None: it hung)."""

    def __init__(self, message: str, code: int | None) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """A directory server that is ready."""

    url: str  # of its SCIM endpoint
    token: str = field(repr=False)  # to everything
    read_token: str = field(repr=False)
    process: Process

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return int(self.url.split(":")[2].split("/")[0])


@asynccontextmanager
async def directory(state: Path, *, port: int = 0, faults: bool = False) -> AsyncIterator[Running]:
    """Run a directory server on what `state` holds, for as long as the block lasts.

    The tokens live in `state` and are made at the first start. Raises `SandboxFailed`.
    """
    token, read_token = (_token_file(state, name) for name in (TOKEN, READ_TOKEN))
    arguments = ["--port", str(port), "--state", str(state)]
    arguments += ["--token-file", str(token), "--read-token-file", str(read_token)]
    log = state / "directory.log"
    with log.open("w") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "connectors.sandbox.directory",
            *arguments,
            *(["--faults"] if faults else []),
            stdout=PIPE,
            stderr=errors,
        )
    try:
        url = await _ready(process, log)
        yield Running(
            url=url,
            token=token.read_text().strip(),
            read_token=read_token.read_text().strip(),
            process=process,
        )
    finally:
        await _stop(process)


def _token_file(state: Path, name: str) -> Path:
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = state / name
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(32))
    return path


async def _ready(process: Process, log: Path) -> str:
    if process.stdout is None:
        raise SandboxFailed("the sandbox has no output to read", None)
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), READY_WITHIN)).decode()
    except TimeoutError:
        raise SandboxFailed("the sandbox did not become ready", None) from None
    if " ready on " not in line:
        code = await process.wait()
        raise SandboxFailed(_said(log), code)
    return line.split(" ready on ")[1].strip()


def _said(log: Path) -> str:
    return log.read_text().strip() or "the sandbox ended at once"


async def _stop(process: Process) -> None:
    """Ask it to leave, then make it leave. One that is gone already is fine."""
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.communicate(), GONE_WITHIN)
        except TimeoutError:
            process.kill()
    await process.communicate()
