"""Asking a server over HTTP: one host, one connection, with bounds on time and size."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import TracebackType
from urllib.parse import urljoin, urlsplit

import httpx

from knowledge.errors import Unreachable
from knowledge.sources.opening import LARGEST

AGENT = "countersign"
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_HOPS = 5
_LONGEST_WAIT = 60.0  # seconds that a server may ask us to wait, once
_BUSY = frozenset({429, 503})


class Refused(Exception):
    """One address cannot be read; others of the same host may be."""

    def __init__(self, reason: str, *, gone: bool = False) -> None:
        super().__init__(reason)
        self.gone = gone  # the server says that there is nothing there


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a server said. `content` is None where it said that nothing has changed."""

    url: str  # after redirects
    content: bytes | None
    kind: str = ""  # the content type, without parameters
    headers: Mapping[str, str]


class Host:
    """One host, asked politely: one request at a time, `delay` seconds apart."""

    def __init__(self, base: str, *, delay: float = 0.0, headers: Mapping[str, str] | None = None) -> None:
        self._origin = origin(base)
        self._headers = dict(headers or {})
        self._delay = delay
        self._last = 0.0
        self._client = httpx.Client(
            timeout=_TIMEOUT,
            headers={"User-Agent": AGENT},
            follow_redirects=False,
            limits=httpx.Limits(max_connections=1),
            trust_env=False,
        )

    def __enter__(self) -> Host:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def slow_down(self, delay: float) -> None:
        """Wait at least this long between requests."""
        self._delay = max(self._delay, delay)

    def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        largest: int = LARGEST,
        follow: bool = True,
    ) -> Answer:
        """Fetch an address of this host. Raises Refused for the address, Unreachable for the host.

        Without `follow` a redirect comes back as it is: no content, and a Location among the headers.
        """
        waited = False
        for _ in range(_HOPS):
            self._check(url)
            answer = self._once(url, dict(headers or {}), largest)
            if isinstance(answer, Answer):
                return answer
            if answer.status_code in _BUSY and not waited:
                time.sleep(_asked_to_wait(answer))
                waited = True
            elif answer.is_redirect and not follow:
                return Answer(url=url, content=None, headers=answer.headers)
            elif answer.is_redirect:
                url = urljoin(url, answer.headers.get("location", ""))
            else:
                raise _failure(answer.status_code)
        raise Refused("it redirects too often")

    def _check(self, url: str) -> None:
        if origin(url) != self._origin:
            raise Refused(f"it lies on another host ({urlsplit(url).netloc or url[:60]})")

    def _once(self, url: str, headers: dict[str, str], largest: int) -> Answer | httpx.Response:
        pause = self._last + self._delay - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        try:
            with self._client.stream("GET", url, headers={**self._headers, **headers}) as response:
                if response.status_code == 304:
                    return Answer(url=url, content=None, headers=response.headers)
                if response.status_code != 200:
                    return response
                content = _bounded(response, largest)
        except httpx.InvalidURL as error:
            raise Refused("its address is none") from error
        except httpx.HTTPError as error:
            raise Unreachable(f"{self._origin} does not answer ({_said(error)})") from error
        finally:
            self._last = time.monotonic()
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        return Answer(url=url, content=content, kind=kind, headers=response.headers)


def origin(url: str) -> str:
    """Return scheme, host and port of an address."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.hostname or ''}:{port}"


def _bounded(response: httpx.Response, largest: int) -> bytes:
    too_large = Refused(f"it is larger than {largest // 2**20} MB")
    if int(response.headers.get("content-length") or 0) > largest:
        raise too_large
    content = bytearray()
    for piece in response.iter_bytes(65_536):
        content += piece
        if len(content) > largest:
            raise too_large
    return bytes(content)


def _failure(status: int) -> Exception:
    if status in {404, 410}:
        return Refused("there is nothing at its address", gone=True)
    if status in {401, 403}:
        return Refused(f"the server does not let us read it ({status})")
    if status >= 500 or status in _BUSY:
        return Unreachable(f"the server answers with {status}")
    return Refused(f"the server answers with {status}")


def _asked_to_wait(response: httpx.Response) -> float:
    said = response.headers.get("retry-after", "5").strip()
    if said.isdigit():
        return min(float(said), _LONGEST_WAIT)
    try:
        return min(max(parsedate_to_datetime(said).timestamp() - time.time(), 0.0), _LONGEST_WAIT)
    except ValueError:
        return 5.0


def _said(error: httpx.HTTPError) -> str:
    return str(error)[:120] or type(error).__name__
