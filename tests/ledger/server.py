"""A ledger that counts, durably, how often each entry landed: a witness that believes nobody.

One process of its own. `PUT /KIND/REF` makes an entry, `DELETE` takes it back. A keyed one is made once for
each `Idempotency-Key`; the others as often as they are asked for. Only keyed and findable ones can be read.
"""

import argparse
import asyncio
import json
import os
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from tests.ledger import REFUSED

Json = dict[str, Any]


@dataclass(kw_only=True)
class Ledger:
    """The entries, the log of what landed, and the bad day that was ordered for an entry."""

    log: Path
    there: Counter[str] = field(default_factory=Counter)
    keys: set[str] = field(default_factory=set)
    landed: list[tuple[str, str]] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)

    def land(self, act: str, path: str) -> None:
        """Write down that an act landed, before anybody hears of it."""
        with self.log.open("a") as log:
            log.write(f"{act} {path}\n")
            log.flush()
            os.fsync(log.fileno())
        self.landed.append((act, path))
        self.there[path] = self.there[path] + 1 if act == "apply" else 0

    def change(self, act: str, path: str, key: str) -> int:
        """Do as asked, and return the status."""
        if path.startswith("/keyed/") and key in self.keys:
            return 200
        if act == "undo" and not self.there[path]:
            return 404
        self.land(act, path)
        self.keys.add(key)
        return 200

    async def answer(self, method: str, path: str, key: str, body: Json) -> tuple[int, Json]:
        """Answer one request."""
        if path == "/faults":
            self.faults[f"{body['act']} {body['path']}"] = body["kind"]
            return 200, {}
        if path.startswith("/log/"):
            return 200, {"landed": [act for act, one in self.landed if one.endswith(path[4:])]}
        if method == "GET":
            return (404, {}) if path.startswith("/blind/") else (200, {"there": self.there[path]})
        return await self._write("apply" if method == "PUT" else "undo", path, key)

    async def _write(self, act: str, path: str, key: str) -> tuple[int, Json]:
        fault = "refuse" if REFUSED in path else self.faults.pop(f"{act} {path}", "")
        if fault in {"refuse", "down"}:
            return (403 if fault == "refuse" else 503), {}
        status = self.change(act, path, key)
        if fault == "error":
            return 500, {}
        if fault == "hang":
            await asyncio.sleep(3600)
        return status, {}

    async def __call__(self, scope: Json, receive: Any, send: Any) -> None:
        """Speak ASGI."""
        if scope["type"] != "http":
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        raw = (await receive()).get("body") or b"{}"
        status, said = await self.answer(
            scope["method"], scope["path"], headers.get("idempotency-key", ""), json.loads(raw)
        )
        body = json.dumps(said).encode()
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"content-type", b"application/json")],
            }
        )
        await send({"type": "http.response.body", "body": body})


async def serve(state: Path) -> None:
    """Serve on a free port of this machine, and say which."""
    config = uvicorn.Config(
        Ledger(log=state / "landed.log"),
        port=0,
        lifespan="off",
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    sys.stdout.write(f"http://127.0.0.1:{port}\n")
    sys.stdout.flush()
    await serving


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("state", type=Path)
    asyncio.run(serve(parser.parse_args().state))
