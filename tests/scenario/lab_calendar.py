"""A stand-in of ours for a laboratory's calendar: it remembers keys, checks tokens, and counts."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

READS, WRITES = "reads", "writes"  # its two tokens


@dataclass
class Entries:
    """What is in it, by key, and every entry and deletion that was made."""

    there: dict[str, dict[str, Any]] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    broken: str = ""  # a kind of entry that it refuses
    url: str = ""


@contextmanager
def calendar() -> Iterator[Entries]:
    """Serve on loopback, for as long as the block lasts."""
    entries = Entries()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            what, _, rest = self.path.strip("/").partition("/")
            if what == "devices":
                device, _, day = rest.partition("/")
                taken = any((one["device"], one["day"]) == (device, day) for one in _reservations(entries))
                self._answer(200, {"free": not taken})
            elif what == "entries" and rest not in entries.there:
                self._answer(404, {})
            else:
                self._answer(200, entries.there.get(rest, {}))

        def do_PUT(self) -> None:
            key, asked = self._key(), self._asked()
            if self._refused() or asked["kind"] == entries.broken:
                self._answer(403, {})
                return
            if key not in entries.there:
                entries.there[key] = {**asked, "number": asked.get("number") or f"R-{len(entries.made) + 1}"}
                entries.made.append(f"{asked['kind']} {entries.there[key]['number']}")
            self._answer(200, {"number": entries.there[key]["number"]})

        def do_DELETE(self) -> None:
            if self._refused():
                self._answer(403, {})
                return
            for key, one in [*entries.there.items()]:
                if one["number"] == self._key():
                    entries.made.append(f"struck {entries.there.pop(key)['number']}")
            self._answer(204, None)

        def _key(self) -> str:
            return self.path.rpartition("/")[2]

        def _asked(self) -> dict[str, Any]:
            found: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            return found

        def _refused(self) -> bool:
            return self.headers.get("Authorization") != f"Bearer {WRITES}"

        def _answer(self, status: int, body: object) -> None:
            data = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    entries.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield entries
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _reservations(entries: Entries) -> list[dict[str, Any]]:
    return [one for one in entries.there.values() if one["kind"] == "lab.reserve"]
