"""The demo as a whole: a prepared home, the handbook read, and its three processes up."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from bot import serving
from bot.demo import home as demo
from bot.storage.embedded import stop_unused
from connectors.sandbox.process import READ_TOKEN, TOKEN
from connectors.sandbox.supervision import Part, PartFailed, behind, last_line, python, supervised
from knowledge.edition import open_current
from knowledge.errors import KnowledgeError

PORT = 8484
HANDBOOK = Path(__file__).parent / "handbook"

Progress = Callable[[str], None]


class PortTaken(Exception):
    """Another program listens where the page would be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """The demo, ready to be played on."""

    home: Path
    url: str  # of the page
    directory_url: str
    parts: tuple[Part, ...]
    tickets: Part | None = None  # which comes up behind


@asynccontextmanager
async def staged(
    home: Path, *, port: int = PORT, tickets: bool = True, progress: Progress
) -> AsyncIterator[Stage]:
    """Prepare the home, start everything, and stop everything at the end.

    The ticket system comes up behind; without `tickets` there is none. Raises NotADemo, PortTaken and
    PartFailed with what to do.
    """
    _require_free(port)
    demo.mark(home)
    tokens = demo.tokens(home)
    logs = home / "logs"
    logs.mkdir(exist_ok=True)
    directory_port, tracker_port = free_port(), free_port() if tickets else 0
    url, directory_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{directory_port}/v2"
    tracker_url = f"http://127.0.0.1:{tracker_port}/" if tickets else ""
    demo.configure(home, slack=url, directory=directory_url, tickets=tracker_url)
    _keep_token(home / "directory" / TOKEN, tokens.directory_writes)
    _keep_token(home / "directory" / READ_TOKEN, tokens.directory)
    parts = (
        _part("bot", home, logs, 0),
        _part("workspace", home, logs, port),
        _part("directory", home, logs, directory_port),
    )
    reading = asyncio.create_task(_read_handbook(home, logs, progress))
    try:
        async with supervised(parts):
            await reading
            async with _tracker(home, logs, tracker_port, progress) as tracker:
                yield Stage(home=home, url=url, directory_url=directory_url, parts=parts, tickets=tracker)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await stop_unused(home)  # a part that was killed has left the database server running


def _tracker(
    home: Path, logs: Path, port: int, progress: Progress
) -> AbstractAsyncContextManager[Part | None]:
    return behind(_part("tickets", home, logs, port), progress) if port else nullcontext()


async def _read_handbook(home: Path, logs: Path, progress: Progress) -> None:
    """Build the first edition, in a process of its own, while the others start."""
    if await asyncio.to_thread(_is_read, home):
        return
    progress("Reading the sample handbook (once)")
    log = logs / "ingest.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *python("bot.cli", "ingest", str(HANDBOOK), "--home", str(home)), stdout=output, stderr=output
        )
    try:
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    if code != 0:
        raise PartFailed(f"The handbook could not be read: {last_line(log)} (see {log})")


def _is_read(home: Path) -> bool:
    """Whether an edition serves that this release can open; another release may have made the home."""
    try:
        open_current(home, serving.of_home(home)).close()
    except KnowledgeError:
        return False
    return True


def _part(name: str, home: Path, logs: Path, port: int) -> Part:
    command = python("bot.demo.part", name, "--home", str(home), "--port", str(port))
    return Part(name=name, command=command, log=logs / f"{name}.log")


def _keep_token(path: Path, token: str) -> None:
    path.parent.mkdir(exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    path.write_text(token, encoding="utf-8")


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise PortTaken(
                f"Port {port} on this machine is taken. Is a demo running already? "
                "Otherwise choose another one: countersign demo --port PORT"
            ) from error


def free_port() -> int:
    """Return a port on this machine that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
