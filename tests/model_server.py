"""A server on loopback that speaks as three providers of models do, and says what a test tells it to."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class ModelServer:
    """What it says next, and what it was asked: path, headers, body. `calls`: requests of every kind."""

    url: str = ""
    reply: str = ""
    status: int = 200
    calls: int = 0
    asked: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)


@contextmanager
def serving() -> Iterator[ModelServer]:
    """Run the server until the block ends."""
    state = ModelServer()

    class Handler(BaseHTTPRequestHandler):
        def parse_request(self) -> bool:
            state.calls += 1
            return super().parse_request()

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            state.asked.append((self.path, headers, body))
            kind, content = _answered(self.path, state.reply)
            if state.status != 200:
                kind, content = "application/json", json.dumps({"error": {"message": "no", "type": "x"}})
            self.send_response(state.status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content.encode())))
            self.end_headers()
            self.wfile.write(content.encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it has
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        state.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()


def _answered(path: str, reply: str) -> tuple[str, str]:
    """The reply as the provider of that path words it."""
    if path.endswith("/chat/completions"):
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": reply}}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        said = {
            "id": "c1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [choice],
            "usage": usage,
        }
        return "application/json", json.dumps(said)
    if path.endswith("/messages"):
        usage = {"input_tokens": 1, "output_tokens": 1}
        content = [{"type": "text", "text": reply}]
        said = {"id": "m1", "type": "message", "role": "assistant", "model": "m", "content": content,
                "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}  # fmt: skip
        return "application/json", json.dumps(said)
    said = {"model": "m", "created_at": "2026-01-01T00:00:00Z", "done": True, "done_reason": "stop",
            "message": {"role": "assistant", "content": reply}}  # fmt: skip
    return "application/x-ndjson", json.dumps(said) + "\n"
