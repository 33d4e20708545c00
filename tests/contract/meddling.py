"""A proxy before a real server, which a test can have misbehave: answers are held, cut or replaced."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

Kind = Literal[
    "hold",  # pass the request on, and never answer
    "drop_after",  # pass the request on, and close the connection without its answer
    "drop_before",  # close the connection, and pass nothing on
    "instead",  # answer with something else, and pass nothing on
]


@dataclass(kw_only=True)
class Meddler:
    """What is done to which requests: those whose first line matches `on`, `times` times (0: always)."""

    url: str = ""
    kind: Kind | None = None
    on: str = ""
    times: int = 0
    answer: bytes = b""
    seen: list[str] = field(default_factory=list)

    def arm(self, kind: Kind, on: str, *, times: int = 0, answer: bytes = b"") -> None:
        self.kind, self.on, self.times, self.answer = kind, on, times, answer

    def take(self, line: str) -> Kind | None:
        self.seen.append(line)
        if self.kind is None or not re.match(self.on, line):
            return None
        kind = self.kind
        if self.times:
            self.times -= 1
            self.kind = self.kind if self.times else None
        return kind


@asynccontextmanager
async def meddling(target: str) -> AsyncIterator[Meddler]:
    """Stand between whoever connects to `url` and the server at `target`. One request for each connection."""
    parts = urlsplit(target)
    there = parts.netloc.encode()
    meddler = Meddler()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head, body = await _request(reader)
            kind = meddler.take(head.split(b"\r\n", 1)[0].decode())
            if kind == "drop_before":
                return
            if kind == "instead":
                writer.write(meddler.answer)
                await writer.drain()
                return
            here = urlsplit(meddler.url).netloc.encode()
            head = re.sub(rb"(?im)^connection:.*\r\n", b"", head.replace(here, there))
            answer = await _asked(parts.hostname or "", parts.port or 80, head, body)
            if kind == "hold":
                await reader.read()  # until whoever asked gives up
            elif kind != "drop_after":
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        meddler.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{parts.path}"
        yield meddler


async def _request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?im)^content-length: *(\d+)", head)
    return head, await reader.readexactly(int(length[1])) if length else b""


async def _asked(host: str, port: int, head: bytes, body: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(head.removesuffix(b"\r\n") + b"Connection: close\r\n\r\n" + body)
        return await reader.read()
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def answered(status: int, body: str = "", *, retry_after: int | None = None) -> bytes:
    """An answer as a server sends it."""
    content = body.encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(content)}", "Connection: close"]
    if retry_after is not None:
        lines.append(f"Retry-After: {retry_after}")
    return "\r\n".join([*lines, "", ""]).encode() + content
