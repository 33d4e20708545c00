"""One HTTP client for all connectors.

It knows what each of them would otherwise write again: whether a request that failed had left this machine,
what a status means, how long to wait. Of what is sent and what comes back it shows nothing: no credential,
address or answer is in an error, a log or a repr, and no error of the library leaves this module, not even as
a cause. A list of many pages is read with `connectors.paging`.
"""

import asyncio
import logging
import math
import ssl
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Collection,
    Mapping,
)
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from socket import gaierror
from typing import Any, TypeVar, cast
from urllib.parse import quote, urljoin, urlsplit

import httpx

from connectors import parsing
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
    Unreadable,
    naming,
)
from connectors.pace import Pace
from connectors.permits import running_act

LONGEST_WAIT = 900.0  # seconds for which a server may ask us to wait
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT"})  # RFC 9110, RFC 4918, RFC 3253

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_DONE = frozenset({301, 302, 303})  # with which some servers answer a change that they have made
_NAMED = frozenset(
    {"", "text/html", "text/plain", "text/xml", "application/xml"}
)  # kinds that an error names
_REFUSALS: Mapping[int, tuple[type[ConnectorError], str]] = {
    401: (Denied, "refuses our credential"),
    403: (Denied, "refuses our credential"),
    404: (NotFound, "has no such record"),
    410: (NotFound, "has no such record any more"),
    409: (Conflict, "holds something that contradicts the request"),
    412: (Conflict, "holds something that contradicts the request"),
}

BuiltT = TypeVar("BuiltT")


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The bounds of one connection."""

    within: float = 10.0  # seconds for one request with its whole answer
    largest: int = 16_000_000  # bytes of one answer, unpacked
    rate: float = math.inf  # requests in a second
    redirects: int = 0  # that one GET follows, on the same host


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One whole answer."""

    status: int
    headers: httpx.Headers = field(repr=False)
    body: bytes = field(repr=False)
    url: str = field(default="", repr=False)  # what was asked
    called: str = "the system"  # who answered
    wrote: bool = False  # whether the request was one that writes

    @property
    def etag(self) -> str:
        """The version of what was shown, exactly as it is given back in `match`; empty where none is said."""
        return str(self.headers.get("ETag", ""))

    @property
    def unchanged(self) -> bool:
        """Whether there is no other version than the one that was `known`; then there is no body."""
        return self.status == 304

    @property
    def next(self) -> str:
        """The address of the next page, from the Link header (RFC 8288); empty where it names none."""
        link = str(httpx.Response(self.status, headers=self.headers).links.get("next", {}).get("url", ""))
        with suppress(ValueError):  # no address: whoever asks for it is told so
            return urljoin(self.url, link) if link else ""
        return link

    async def json(self, make: Callable[[Any], BuiltT], *, without: frozenset[str] = frozenset()) -> BuiltT:
        """What `make` makes of the JSON in this answer; what stands under the names `without` is left out.

        Raises `Unreadable` where it is no JSON, or where `make` raises ValueError, LookupError or TypeError;
        `Ambiguous` instead of it, and of a `Mismatch`, where the request was one that writes.
        """
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        failure: Mismatch = Unreadable(f"{self.called} answered with {_kind(kind)} instead of JSON")
        if kind == "application/json" or kind.endswith("+json"):
            try:
                return await parsing.build(self.body, make, without=without)
            except Mismatch as error:
                failure = error
            except (ValueError, LookupError, TypeError, RecursionError):
                failure = Unreadable(f"{self.called} answered with JSON that cannot be read")
        if self.wrote:
            raise Ambiguous(f"{self.called} answered a change with something that cannot be read")
        raise failure


Meaning = Callable[[Answer], ConnectorError | None]


class Client:
    """A connection to one outside system, with one credential.

    Every method raises `Unavailable` when nothing was done, and `Ambiguous` when a request that writes has
    left this machine and its answer did not come; what else is refused, as `connectors.errors` says. Nothing
    is tried a second time: that is for whoever knows whether it may be.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        system: str,
        *,
        called: str = "",
        kind: str = "application/json",
        searches: Collection[str] = (),
        limits: Limits | None = None,
        meaning: Meaning | None = None,
    ) -> None:
        self.system = system
        self.limits = limits or Limits()
        self._http = http
        self._called = called or f"the {system}"
        self._kind = kind
        self._searches = frozenset(searches)
        self._meaning = meaning
        self._breaker = Breaker(system)
        self._pace = Pace(self._called)

    def __repr__(self) -> str:
        return f"<Client of {self._called}>"

    async def get(
        self,
        path: str,
        make: Callable[[Any], BuiltT],
        *,
        params: Mapping[str, Any] | None = None,
        without: frozenset[str] = frozenset(),
    ) -> BuiltT:
        """What `make` makes of the JSON at a path. See `Answer.json`."""
        return await (await self.request("GET", path, params=params)).json(make, without=without)

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: object = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        match: str = "",
        known: str = "",
        new: bool = False,
    ) -> Answer:
        """The whole answer, of a status that is no error. `path` may be an address on the same host.

        `match` changes that version only, and `new` only makes what is not there yet: else `Conflict`.
        `known` asks for another version than that (see `Answer.unchanged`). What writes is sent within the
        lease of the act that it runs under, which is checked when the connection is open, immediately before
        the first byte leaves.
        """
        writes = method not in SAFE and not (method == "POST" and path in self._searches)
        said = {"Accept": self._kind, "If-Match": match, "If-None-Match": "*" if new else known}
        said["Content-Type"] = "" if json is None else self._kind
        said = {name: value for name, value in (said | dict(headers or {})).items() if value}
        with naming(self.system):
            asked = self._asked(method, path, said, params=params or None, json=json, content=content)
            await self._pace.turn(self.limits.rate, within=self.limits.within)
            with self._breaker.attempt():
                answer = await self._exchange(asked, writes=writes)
                for _ in range(self.limits.redirects if method == "GET" else 0):
                    if answer.status not in _REDIRECTS or "Location" not in answer.headers:
                        break
                    asked = self._asked("GET", answer.headers["Location"], said, since=asked.url)
                    answer = await self._exchange(asked, writes=False)
                if not (answer.unchanged and known):
                    self._check(answer)
                return answer

    def _asked(
        self, method: str, path: str, said: Mapping[str, str], *, since: httpx.URL | None = None, **body: Any
    ) -> httpx.Request:
        """A request, as it will be sent. Raises `Invalid` for what cannot be, and for another host."""
        refused = "a request holds something that cannot be sent"
        with suppress(httpx.InvalidURL, ValueError):  # both hold what they refuse
            if _sendable(said):
                url = since.join(path) if since else httpx.URL(path)
                asked = self._http.build_request(method, url, headers=said, **body)
                if _origin(asked.url) == _origin(self._http.base_url):
                    return asked
                refused = f"an address leads away from {self._called}; nothing is sent there"
        raise Invalid(refused)

    async def _exchange(self, asked: httpx.Request, *, writes: bool) -> Answer:
        """One request, and the whole answer to it, of any status."""
        left = False

        async def leaving(event: str, _info: object) -> None:
            nonlocal left
            if event.endswith("send_request_headers.started"):  # the connection is open, and nothing is sent
                if writes:
                    running_act()
                left = True

        asked.extensions["trace"] = leaving
        try:
            if writes:
                running_act()  # also where a transport says nothing of its events
            async with asyncio.timeout(self.limits.within):
                async with aclosing(await self._http.send(asked, stream=True)) as response:
                    body = await self._body(response)
                return Answer(
                    status=response.status_code,
                    headers=response.headers,
                    body=body,
                    url=str(asked.url),
                    called=self._called,
                    wrote=writes,
                )
        except TooLarge as error:
            failure: ConnectorError = error
        except (TimeoutError, httpx.TransportError, httpx.DecodingError) as error:
            failure = Unavailable(f"{self._called} does not answer{_why(error)}")
        if writes and left:
            failure = Ambiguous(f"{self._called} did not answer a change that may have reached it")
        raise failure

    async def _body(self, response: httpx.Response) -> bytes:
        body = bytearray()
        async with aclosing(cast("AsyncGenerator[bytes]", response.aiter_bytes())) as pieces:
            async for piece in pieces:
                body += piece
                if len(body) > self.limits.largest:
                    raise TooLarge(f"{self._called} answered with more than {self.limits.largest:,} bytes")
        return bytes(body)

    def _check(self, answer: Answer) -> None:
        """Raise what a status means, unless it means that it was done."""
        status, wait = answer.status, retry_after(answer.headers)
        if 200 <= status < 300:
            return
        if self._meaning is not None and (known := self._meaning(answer)) is not None:
            raise known
        if status == 429:
            self._pace.pause(wait or 0.0)
            raise Unavailable(f"{self._called} asks us to wait", retry_after=wait, why="busy")
        done = answer.wrote and status in _DONE
        if done or status == 408 or (status >= 500 and status != 501):
            if answer.wrote:
                raise Ambiguous(f"{self._called} answered ({status}) a change that it may have made")
            message = f"{self._called} answers that it fails ({status})"
            raise Unavailable(message, retry_after=wait, why="failing")
        other = "redirects us and is not followed" if 300 <= status < 400 else "does not accept the request"
        kind, text = _REFUSALS.get(status, (Invalid, other))
        raise kind(f"{self._called} {text} ({status})")


@asynccontextmanager
async def open_http(
    system: str,
    url: str,
    credential: Mapping[str, str],
    *,
    called: str = "",
    kind: str = "application/json",
    searches: Collection[str] = (),
    limits: Limits | None = None,
    meaning: Meaning | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncIterator[Client]:
    """Connect to the system at `url`; `credential` are the headers that let us in.

    `called` is what errors call it ("the directory"), `kind` the kind of JSON that it speaks. A POST to one
    of the paths `searches` only asks; every other one writes. `meaning` is asked first what an answer means
    that is no success; None: what its status says. Raises `Invalid` for an address that would send
    the credential in clear text over a network or that holds one itself, and for a credential that cannot be
    sent.
    """
    limits, named = limits or Limits(), called or f"the {system}"
    _check_address(url, named)
    if not _sendable(credential):
        raise Invalid(f"the credential for {named} holds a character that cannot be sent")
    for name in ("httpx", "httpcore"):  # their lines hold whole addresses, and so what was asked about whom
        logging.getLogger(name).setLevel(logging.WARNING)
    async with httpx.AsyncClient(
        base_url=url,
        headers=dict(credential),
        timeout=limits.within,
        limits=httpx.Limits(keepalive_expiry=2.0),  # well before a server gives up an idle connection
        trust_env=False,  # the environment is read in one place, and not here
        verify=_trusted(),
        transport=transport,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # none are kept
    ) as http:
        yield Client(http, system, called=named, kind=kind, searches=searches, limits=limits, meaning=meaning)


def segment(text: str) -> str:
    """An id as one segment of a path. Raises `Invalid` for what would lead elsewhere."""
    if not text or text in {".", ".."}:
        raise Invalid("an id is needed")
    return quote(text, safe="")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """For how many seconds to wait, from a number of them or a date (RFC 9110). None where it is not said."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdecimal():
        return min(float(value), LONGEST_WAIT)
    until, now = _date(value), _date(headers.get("Date", "")) or datetime.now(UTC)
    seconds = (until - now).total_seconds() if until else 0.0
    return min(seconds, LONGEST_WAIT) if seconds > 0 else None


@cache
def _trusted() -> ssl.SSLContext:
    """Return the authorities that are trusted. Reading them takes a tenth of a second."""
    return httpx.create_ssl_context(trust_env=False)


def _check_address(url: str, called: str) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        raise Invalid(f"{called}'s URL is none") from None
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)):
        raise Invalid(f"{called}'s URL must begin with https:// (http:// only on this machine)")
    if parts.username is not None or parts.query or parts.fragment:
        raise Invalid(f"{called}'s URL must be an address alone, without a credential or a query")


def _sendable(headers: Mapping[str, str]) -> bool:
    return all(value.isascii() and value.isprintable() for value in headers.values())


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _kind(kind: str) -> str:
    return (kind or "nothing") if kind in _NAMED else "something else"


def _date(value: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(value)
    except ValueError:
        return None
    return found.replace(tzinfo=found.tzinfo or UTC)


def _why(error: BaseException | None) -> str:
    """Why no connection came about, where it is known; in words that hold nothing of what was exchanged."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return f": {error.verify_message}"
        if isinstance(error, gaierror):
            return ": its name is not known"
        if isinstance(error, ConnectionRefusedError):
            return ": it refuses the connection"
        error = error.__cause__ or error.__context__
    return ""
