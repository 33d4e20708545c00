"""A server on loopback that answers with the very bytes that a test gives it, and keeps what reached it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from connectors.base import Payload
from connectors.errors import ConnectorError
from connectors.http import Client, Limits, open_http
from connectors.permits import Mint, act_under

DROP = b""  # close the connection without a word
SILENCE = None  # never answer

TOKEN = "c0ffee-credential-that-nobody-sees"
NOWHERE = "http://127.0.0.1:9/api"
QUICK = Limits(within=0.3)

Answer = bytes | None


@dataclass(kw_only=True)
class Wire:
    """The server, as a test sees it. Every answer ends its connection."""

    url: str = ""
    answers: list[Answer | Callable[[bytes], Answer]] = field(
        default_factory=list
    )  # the last one is repeated
    asked: list[bytes] = field(default_factory=list)  # each request, head and body
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    @property
    def connections(self) -> int:
        return len(self.tasks)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.append(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.asked.append(head + await reader.readexactly(_length(head)))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            said = answer(self.asked[-1]) if callable(answer) else answer
            if said is SILENCE:
                await reader.read()  # until whoever asked goes away
            elif said == DROP:
                writer.transport.abort()
            else:
                writer.write(said)
                await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def wire(*answers: Answer | Callable[[bytes], Answer]) -> AsyncIterator[Wire]:
    """Serve on a free port."""
    found = Wire(answers=list(answers))
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api"
    async with server:
        yield found
    await asyncio.gather(*found.tasks)  # each ends as soon as whoever asked is gone


def said(status: int = 200, body: Any = None, *, short: int = 0, **headers: str) -> bytes:
    """An answer of JSON, or of bytes as they are; `short` is how many bytes it promises and does not have."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    lines = {
        "Content-Type": "application/json",
        "Content-Length": str(len(content) + short),
        "Connection": "close",
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode("latin-1") + content


def _length(head: bytes) -> int:
    lines = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    return next((int(value) for name, _, value in lines if name == b"content-length"), 0)


@asynccontextmanager
async def opened(url: str, limits: Limits | None = None, **more: Any) -> AsyncIterator[Client]:
    """A client of a ticket system there."""
    credential = {"X-Key": TOKEN}
    async with open_http(
        "tickets", url, credential, called="the ticket system", limits=limits, **more
    ) as client:
        yield client


@contextmanager
def acting() -> Iterator[None]:
    """As inside an operation's `apply`."""

    class Nothing(Payload):
        pass

    mint = Mint()
    try:
        permit = mint.permit("tickets.act", Nothing(), "k")
        grant = permit.grant
        with permit.open(), act_under(grant):
            yield
    finally:
        mint.retire()


async def failing(client: Client, method: str = "GET", **more: Any) -> ConnectorError:
    """What a request raises."""
    with acting(), pytest.raises(ConnectorError) as caught:
        await client.request(method, "/issues/1", **more)
    return caught.value
