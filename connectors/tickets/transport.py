"""How requests reach Roundup's REST interface, and whether one that failed may have been carried out."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx

from connectors.breaker import Breaker
from connectors.errors import (
    Ambiguous,
    Conflict,
    ConnectorError,
    Denied,
    Invalid,
    Mismatch,
    NotFound,
    TooLarge,
    Unavailable,
)
from connectors.permits import running_act

LARGEST = 20_000_000  # bytes of an answer
LONGEST_WAIT = 900.0  # seconds that we let the server ask us to wait

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}

Method = Literal["GET", "POST", "PATCH"]
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
    """The one place that sends. A write is sent within a permitted act only."""

    def __init__(self, http: httpx.AsyncClient, within: float) -> None:
        self._http = http
        self._within = within
        self._breaker = Breaker("tickets")

    async def get(self, path: str, **question: str | list[str]) -> Answer:
        """Ask for something below `rest/data/`."""
        with self._breaker.attempt():
            return await self._request("GET", path, params=question)

    async def send(
        self, method: Literal["POST", "PATCH"], path: str, body: Json, *, etag: str = ""
    ) -> Answer:
        """Change something. Raises `Ambiguous` when it may have been changed and that is not known."""
        with self._breaker.attempt():
            return await self._request(method, path, json=body, headers={"If-Match": etag} if etag else {})

    async def _request(self, method: Method, path: str, **kwargs: Any) -> Answer:
        writes, sent = method != "GET", False

        async def watch(event: str, _info: object) -> None:
            nonlocal sent
            sent = sent or event.endswith("send_request_headers.started")

        if writes:
            running_act()
        try:
            async with asyncio.timeout(self._within):
                response, body = await self._exchange(method, path, extensions={"trace": watch}, **kwargs)
        except (TimeoutError, httpx.TransportError, httpx.DecodingError) as error:
            if writes and sent:
                raise Ambiguous(
                    "the ticket system did not answer a change that may have reached it"
                ) from error
            raise Unavailable("the ticket system does not answer") from error
        except TooLarge as error:
            if writes:
                raise Ambiguous("the ticket system's answer to a change cannot be read") from error
            raise
        if not response.is_success:
            raise _error(response, body, writes=writes)
        try:
            return Answer(data=_data(body), etag=response.headers.get("ETag", ""))
        except Mismatch as error:
            if writes:
                raise Ambiguous("the ticket system's answer to a change cannot be read") from error
            raise

    async def _exchange(self, method: Method, path: str, **kwargs: Any) -> tuple[httpx.Response, bytes]:
        async with self._http.stream(method, f"rest/data/{path}", **kwargs) as response:
            body = bytearray()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > LARGEST:
                    raise TooLarge(f"the ticket system answered with more than {LARGEST // 1_000_000} MB")
            return response, bytes(body)


@asynccontextmanager
async def open_rest(url: str, token: str, *, within: float) -> AsyncIterator[Rest]:
    """Connect to the tracker at `url`, its address in a browser; each request has `within` seconds in all.

    Raises `Invalid` for a URL that would send the token in clear text over a network.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise Invalid("the ticket system's URL must begin with https:// (http:// only on this machine)")
    address = url.rstrip("/") + "/"
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/json",
        # Roundup refuses writes without these: they show that no page of another site sent them.
        "Origin": f"{parts.scheme}://{parts.netloc}",
        "Referer": address,
        "X-Requested-With": "Countersign",
    }
    async with httpx.AsyncClient(
        base_url=address,
        headers=headers,
        timeout=within,
        limits=httpx.Limits(keepalive_expiry=2.0),  # well before a server gives up an idle connection
        trust_env=False,  # the environment is read in one place, and not here
        verify=httpx.create_ssl_context(trust_env=False) if parts.scheme == "https" else False,
    ) as http:
        yield Rest(http, within)


def _data(body: bytes) -> Json:
    answer = _parsed(body)
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, dict):
        raise Mismatch("the ticket system answered with something that is no answer of its REST interface")
    return data


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _error(  # noqa: PLR0911  # one for each class of answer
    response: httpx.Response, body: bytes, *, writes: bool
) -> ConnectorError:
    status, said = response.status_code, _said(body)
    if status in (401, 403):
        return Denied(f"the ticket system refuses our credential, or what it may do ({status})")
    if status == 404:
        return NotFound("the ticket system has no such record")
    if status == 412:  # 409 is what Roundup says of a value that it cannot take
        return Conflict("the ticket has changed since it was read")
    if status == 429:
        return Unavailable("the ticket system asks us to wait", retry_after=_wait(response), why="busy")
    # An error that Roundup did not expect, such as a database that is locked, has the status 400 too.
    if status < 500 and "An error occurred. Please check the server log" not in said:
        return Refused(f"the ticket system does not accept the request ({status})", said)
    if writes:
        return Ambiguous(f"the ticket system failed ({status}) on a change that it may have made")
    return Unavailable(f"the ticket system answers that it fails ({status})", why="failing")


def _said(body: bytes) -> str:
    answer = _parsed(body)
    error = answer.get("error") if isinstance(answer, dict) else None
    return str(error.get("msg", "")) if isinstance(error, dict) else ""


def _wait(response: httpx.Response) -> float | None:
    value = response.headers.get("Retry-After", "").strip()
    return min(float(value), LONGEST_WAIT) if value.isascii() and value.isdecimal() else None
