"""A web server on loopback whose answers a test decides, and which remembers what it was asked."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, kw_only=True)
class Asked:
    path: str
    headers: Mapping[str, str]


@dataclass(kw_only=True)
class Said:
    """One answer. With `etag`, a request that has it already is answered with 304."""

    body: str | bytes = b""
    status: int = 200
    kind: str = "text/html; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    etag: str = ""


@dataclass
class Site:
    """The server, as a test sees it."""

    url: str
    pages: dict[str, Said | str | Callable[[Asked], Said]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def paths(self) -> list[str]:
        return [one.path for one in self.asked]

    def answer(self, asked: Asked) -> Said:
        self.asked.append(asked)
        page = self.pages.get(asked.path, Said(status=404))
        said = Said(body=page) if isinstance(page, str) else page if isinstance(page, Said) else page(asked)
        if said.etag and asked.headers.get("if-none-match") == said.etag:
            return Said(status=304, etag=said.etag)
        return said


@contextmanager
def serving() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            said = site.answer(Asked(path=self.path, headers=headers))
            body = said.body.encode() if isinstance(said.body, str) else said.body
            self.send_response(said.status)
            self.send_header("Content-Type", said.kind)
            self.send_header("Content-Length", str(0 if said.status == 304 else len(body)))
            if said.etag:
                self.send_header("ETag", said.etag)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if said.status != 304:
                self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site = Site(url=f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
