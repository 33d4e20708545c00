"""The directory of the fictional company: a real SCIM 2.0 server on loopback.

`python -m connectors.sandbox.directory --port N --state DIR --token-file FILE --read-token-file FILE`
"""

import argparse
import asyncio
import hmac
import json
import re
import signal
import socket
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import uvicorn
from pydantic import ValidationError
from scim2_models import ScimProvider, UnauthorizedException
from scim2_server.applications.asgi import ASGIApplication, Message, Receive, Scope, Send
from scim2_server.memory import AsyncInMemoryStorage, InMemoryStorage
from scim2_server.responses import ScimResponse
from scim2_server.service import ScimService
from scim2_server.utils import load_default_provider
from uvicorn.protocols.http.h11_impl import H11Protocol

from connectors.sandbox import company
from connectors.sandbox.faults import Fault, Faults
from connectors.sandbox.storage import SqliteStorage, StateInUse

PORT_TAKEN = 3
STATE_UNUSABLE = 4
TOKEN_UNUSABLE = 5

MOST_CONTROL = 100_000  # bytes of a request to /_sandbox

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

_STATUS_FAULTS = {
    "down": HTTPStatus.SERVICE_UNAVAILABLE,
    "rate_limited": HTTPStatus.TOO_MANY_REQUESTS,
    "denied": HTTPStatus.FORBIDDEN,
    "unsupported": HTTPStatus.NOT_IMPLEMENTED,
}


_JSON = [(b"content-type", b"application/scim+json")]


class Sandbox:
    """The ASGI application: scim2-server behind bearer tokens, `/_sandbox/log`, and faults if asked for.

    `/_sandbox/log?after=N` leaves out the first N changes. `/_sandbox/writes` is every request to write
    since the process began, and by whom it says that it was. Where faults may be armed, `/_sandbox/reset`
    makes all of it as it was at the first start.

    `token` lets in to everything, `read_token` to looking at people and groups only.
    """

    def __init__(
        self, storage: SqliteStorage, provider: ScimProvider, token: str, *, read_token: str, faults: bool
    ) -> None:
        self._storage = storage
        self._provider = provider
        self._token = token
        self._read_token = read_token
        self._scim = _scim_application(storage, provider)
        self._then = self._scim  # the records of the moment when a `stale` fault was armed
        self._faults = Faults() if faults else None
        self._writes: list[dict[str, str]] = []
        self._resets = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        may_read, may_write = self._may(scope)
        if not may_read:
            await self._scim.send_response(self._scim.service.error_response(UnauthorizedException()), send)
            return
        if not may_write and (scope["method"] != "GET" or scope["path"].startswith("/_sandbox/")):
            await _answer(send, HTTPStatus.FORBIDDEN, b"", [])
            return
        if scope["path"].startswith("/_sandbox/"):
            answer = self._control(
                scope["method"], scope["path"], scope["query_string"], await _body(receive)
            )
            await self._scim.send_response(answer, send)
            return
        path = self._scim.split_path(scope["path"])
        if scope["method"] != "GET":
            self._writes.append({"method": scope["method"], "path": scope["path"], "by": _agent(scope)})
        fault = self._faults.take(scope["method"], path) if self._faults else None
        if fault is None:
            await self._scim(scope, receive, send)
        else:
            await self._misbehave(fault, scope, receive, send)

    def _may(self, scope: Scope) -> tuple[bool, bool]:
        """Whether the request may read, and whether it may also write."""
        scheme, _, token = dict(scope["headers"]).get(b"authorization", b"").partition(b" ")
        known = scheme.lower() == b"bearer"
        writes = known and hmac.compare_digest(token, self._token.encode())
        reads = known and hmac.compare_digest(token, self._read_token.encode())
        return reads or writes, writes

    def _control(self, method: str, path: str, query: bytes, body: bytes) -> ScimResponse:
        if path == "/_sandbox/log" and method == "GET":
            after = query.removeprefix(b"after=")
            changes = self._storage.log(int(after) if after.isdigit() else 0)
            return ScimResponse(HTTPStatus.OK, {"changes": changes})
        if path == "/_sandbox/writes" and method == "GET":
            return ScimResponse(HTTPStatus.OK, {"writes": self._writes})
        if path == "/_sandbox/faults" and self._faults is not None:
            return self._change_faults(self._faults, method, body)
        if path == "/_sandbox/reset" and method == "POST" and self._faults is not None:
            self._reset(self._faults)
            return ScimResponse(HTTPStatus.OK, {"reset": True})
        return ScimResponse(HTTPStatus.NOT_FOUND, {"error": "not found"})

    def _reset(self, faults: Faults) -> None:
        self._resets += 1
        faults.clear()
        self._writes.clear()
        self._storage.clear()
        seed(self._storage, self._provider)

    def _change_faults(self, faults: Faults, method: str, body: bytes) -> ScimResponse:
        if method == "DELETE":
            faults.clear()
            return ScimResponse(HTTPStatus.OK, {"armed": False})
        try:
            fault = Fault.model_validate_json(body)
        except ValidationError as error:
            return ScimResponse(HTTPStatus.BAD_REQUEST, {"error": str(error)})
        if fault.kind == "stale":
            then = InMemoryStorage()
            then.resources = [found.model_copy(deep=True) for found in self._storage.resources]
            self._then = _scim_application(then, self._provider)
        faults.arm(fault)
        return ScimResponse(HTTPStatus.OK, {"armed": True})

    async def _misbehave(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        match fault.kind:
            case "down" | "rate_limited" | "denied" | "unsupported":
                headers = [(b"retry-after", _until(fault).encode())] if fault.seconds else []
                await _answer(send, _STATUS_FAULTS[fault.kind], b"", headers)
            case "elsewhere":
                to = [(b"location", fault.to.encode())]
                await _answer(send, HTTPStatus.TEMPORARY_REDIRECT, b"", to)
            case "garbage":
                await _answer(send, HTTPStatus.OK, b"<html>Welcome to the wireless network</html>", [])
            case "drop_before":
                await _drop(scope, receive)
            case "delay_before":
                resets = self._resets
                await asyncio.sleep(fault.seconds)
                if resets == self._resets:  # else it was meant for what is forgotten
                    await self._scim(scope, receive, send)
            case "everybody":
                await self._scim({**scope, "query_string": b""}, receive, send)
            case "another":
                await self._scim({**scope, "path": self._another(scope["path"])}, receive, send)
            case "stale":
                await self._then(scope, receive, send)
            case _:
                await self._answer_badly(fault, scope, receive, send)

    async def _answer_badly(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self._scim(scope, receive, keep)
        body = answer[-1].get("body", b"")
        match fault.kind:
            case "error_after":
                await _answer(send, HTTPStatus.INTERNAL_SERVER_ERROR, b"", [])
            case "delay_after":
                await asyncio.sleep(fault.seconds)
                for message in answer:
                    await send(message)
            case "mistyped_after":
                await _answer(send, HTTPStatus.OK, body, [(b"content-type", b"text/plain")])
            case "cut":
                await _answer(send, HTTPStatus.OK, _cut(body), _JSON)
            case "endless_after":
                await send({"type": "http.response.start", "status": 200, "headers": _JSON})
                for _ in range(40):
                    await send({"type": "http.response.body", "body": b" " * 500_000, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
            case "half_after":
                length = [(b"content-length", str(len(body) + 10).encode())]
                await send({"type": "http.response.start", "status": 200, "headers": [*_JSON, *length]})
                await send({"type": "http.response.body", "body": body, "more_body": True})
                await _drop(scope, receive)
            case _:
                await _drop(scope, receive)

    def _another(self, path: str) -> str:
        prefix, _, asked = path.rpartition("/")
        kind = prefix.rpartition("/")[2].removesuffix("s")
        others = (
            str(found.id)
            for found in self._storage.resources
            if found.meta and found.meta.resource_type == kind and found.id != asked
        )
        return f"{prefix}/{next(others)}"


def _scim_application(storage: InMemoryStorage, provider: ScimProvider) -> ASGIApplication:
    return ASGIApplication(AsyncInMemoryStorage(storage), provider, ScimService(provider))


def _agent(scope: Scope) -> str:
    agent: bytes = dict(scope["headers"]).get(b"user-agent", b"")
    return agent.decode("latin-1")


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more and len(body) < MOST_CONTROL:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _until(fault: Fault) -> str:
    """How long to wait, as a number of seconds or as a date."""
    then = datetime.now(UTC) + timedelta(seconds=fault.seconds)
    return format_datetime(then, usegmt=True) if fault.dated else str(int(fault.seconds))


def _cut(body: bytes) -> bytes:
    found = json.loads(body)
    return json.dumps({**found, "Resources": (found.get("Resources") or [])[:-1]}).encode()


async def _answer(send: Send, status: HTTPStatus, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})


class _Protocol(H11Protocol):
    """Remembers its connections, so that a fault can cut one."""

    transports: dict[tuple[str, int], asyncio.Transport] = {}  # noqa: RUF012  # one server in a process

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as h11_impl
        super().connection_made(transport)
        self.transports[transport.get_extra_info("peername")[:2]] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.transports.pop(self.transport.get_extra_info("peername")[:2], None)
        super().connection_lost(exc)


async def _drop(scope: Scope, receive: Receive) -> None:
    """Close the connection of this request without a word."""
    _Protocol.transports[tuple(scope["client"])].abort()
    while (await receive())["type"] != "http.disconnect":
        pass


def seed(storage: SqliteStorage, provider: ScimProvider) -> None:
    """Fill an empty directory with the people and groups of the company. One that was filled is left."""
    types = {str(kind.name): kind for kind in provider.resource_types}
    ids = {person.user_name: person.id for person in company.PEOPLE}
    storage.seed(types["User"], [_user(person, ids) for person in company.PEOPLE])
    storage.seed(types["Group"], [_group(team, ids) for team in company.GROUPS])


def _user(person: company.Employee, ids: dict[str, str]) -> dict[str, Any]:
    enterprise: dict[str, Any] = {"department": person.department, "organization": company.COMPANY}
    if person.manager:
        manager = ids[person.manager]
        enterprise["manager"] = {"value": manager, "$ref": f"Users/{manager}"}
    return {
        "id": person.id,
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
        "userName": person.user_name,
        "name": {"givenName": person.given_name, "familyName": person.family_name},
        "displayName": person.name,
        "title": person.title,
        "active": person.active,
        "emails": [{"value": person.email, "type": "work", "primary": True}],
        "addresses": [{"type": "work", "country": person.country}],
        ENTERPRISE: enterprise,
    }


def _group(team: company.Team, ids: dict[str, str]) -> dict[str, Any]:
    members = [{"value": ids[name], "type": "User", "$ref": f"Users/{ids[name]}"} for name in team.members]
    return {
        "id": team.id,
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": team.name,
        **({"members": members} if members else {}),
    }


class _Server(uvicorn.Server):
    """Leaves quietly: uvicorn's own handlers send themselves the signal again after they have shut down."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # `serve` has done it


async def serve(listener: socket.socket, sandbox: Sandbox) -> None:
    """Answer requests on a bound socket until SIGTERM or SIGINT; says on stdout when it is ready."""
    config = uvicorn.Config(
        sandbox,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=2,
    )
    server = _Server(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.handle_exit, number, None)
    host, port = listener.getsockname()[:2]
    listener.listen()  # from here on a connection is answered, if only in a moment
    print(f"directory ready on http://{host}:{port}/v2", flush=True)  # noqa: T201  # the supervisor reads it
    await server.serve(sockets=[listener])


def main(arguments: list[str] | None = None) -> int:
    """Run the server; the exit code says what went wrong."""
    options = _parser().parse_args(arguments)
    tokens = []
    for path in (options.token_file, options.read_token_file):
        try:
            tokens.append(path.read_text().strip())
        except (OSError, UnicodeDecodeError) as error:
            return _fail(TOKEN_UNUSABLE, f"cannot read the token file {path}: {error}")
        if not re.fullmatch(r"[!-~]{16,}", tokens[-1]):
            return _fail(TOKEN_UNUSABLE, f"{path} needs a token of 16 characters or more")
    token, read_token = tokens
    # With the protocol named, asyncio switches Nagle's delay off; without, every answer takes 40 ms more.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", options.port))
    except OSError as error:
        return _fail(PORT_TAKEN, f"port {options.port} on 127.0.0.1 cannot be used: {error.strerror}")
    provider = load_default_provider()
    try:
        options.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        storage = SqliteStorage(options.state / "directory.sqlite", provider)
        seed(storage, provider)
    except StateInUse:
        return _fail(STATE_UNUSABLE, f"another directory server uses {options.state}")
    except (OSError, sqlite3.Error) as error:
        return _fail(STATE_UNUSABLE, f"cannot keep the directory in {options.state}: {error}")
    sandbox = Sandbox(storage, provider, token, read_token=read_token, faults=options.faults)
    asyncio.run(serve(listener, sandbox))
    storage.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="connectors.sandbox.directory", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--state", type=Path, required=True, help="folder for what must survive a restart")
    parser.add_argument("--token-file", type=Path, required=True, help="file that holds the bearer token")
    parser.add_argument("--read-token-file", type=Path, required=True, help="of a token that only reads")
    parser.add_argument("--faults", action="store_true", help="let tests arm faults at /_sandbox/faults")
    return parser


def _fail(code: int, sentence: str) -> int:
    print(sentence, file=sys.stderr)  # noqa: T201  # for whoever started the process
    return code


if __name__ == "__main__":
    sys.exit(main())
