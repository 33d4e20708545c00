"""How requests reach Roundup's REST interface, and what its answers mean."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from connectors import http
from connectors.errors import Ambiguous, ConnectorError, Invalid, Mismatch, Unavailable
from connectors.http import Client, Limits

_CALLED = "the ticket system"
_UNEXPECTED = "An error occurred. Please check the server log"

Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What Roundup answered: the `data` of its JSON, and the ETag as it must be given back."""

    data: Json
    etag: str


class Refused(Invalid):
    """Roundup does not accept the request. `said` is its reason, for our eyes: it may repeat what we sent."""

    def __init__(self, message: str, said: str) -> None:
        super().__init__(message)
        self.said = said


class Rest:
    """What is below `rest/data/`. A write is sent within a permitted act only."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def get(self, path: str, **question: str | list[str]) -> Answer:
        """Ask for something."""
        return await _read(await self._client.request("GET", f"rest/data/{path}", params=question))

    async def send(
        self, method: Literal["POST", "PATCH"], path: str, body: Json, *, etag: str = ""
    ) -> Answer:
        """Change something. Raises `Ambiguous` when it may have been changed and that is not known."""
        return await _read(await self._client.request(method, f"rest/data/{path}", json=body, match=etag))


async def _read(answer: http.Answer) -> Answer:
    return Answer(data=await answer.json(_data), etag=answer.etag)


def _data(found: Any) -> Json:
    data = found.get("data") if isinstance(found, dict) else None
    if not isinstance(data, dict):
        raise Mismatch(f"{_CALLED} answered with something that is no answer of its REST interface")
    return data


@asynccontextmanager
async def open_rest(url: str, token: str, *, within: float) -> AsyncIterator[Rest]:
    """Connect to the tracker at `url`, its address in a browser; each request has `within` seconds in all.

    Raises `Invalid` for a URL that would send the token in clear text over a network.
    """
    parts, address = urlsplit(url), url.rstrip("/") + "/"
    headers = {
        "Authorization": f"Bearer {token}",
        # Roundup refuses writes without these: they show that no page of another site sent them.
        "Origin": f"{parts.scheme}://{parts.netloc}",
        "Referer": address,
        "X-Requested-With": "Countersign",
    }
    limits = Limits(within=within, largest=20_000_000)
    async with http.open_http(
        "tickets", address, headers, called=_CALLED, limits=limits, meaning=_meaning
    ) as client:
        yield Rest(client)


def _meaning(answer: http.Answer) -> ConnectorError | None:
    """Say what Roundup means where a status alone does not tell.

    An error that it did not expect, such as a database that is locked, has the status 400 as well; and 409 is
    what it says of a value that it cannot take.
    """
    if answer.status not in {400, 409}:
        return None
    said = _said(answer.body)
    if _UNEXPECTED not in said:
        return Refused(f"{_CALLED} does not accept the request ({answer.status})", said)
    if answer.wrote:
        return Ambiguous(f"{_CALLED} failed on a change that it may have made")
    return Unavailable(f"{_CALLED} answers that it fails", why="failing")


def _said(body: bytes) -> str:
    try:
        error = json.loads(body)["error"]["msg"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return str(error)
