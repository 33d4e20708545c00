"""SCIM 2.0 over httpx: requests, what their failures mean, and what a server lacks.

No answer is trusted to be what was asked for. Some servers ignore filters, so a question about one person's
groups goes with a control question about nobody, which must find nothing: now and then, and whenever an
answer holds as many groups as there are.
"""

import asyncio
import ssl
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, TypeVar, cast
from urllib.parse import quote, urlsplit

import httpx

from connectors import parsing
from connectors.breaker import Breaker
from connectors.directory import records
from connectors.directory.records import GroupRecord, UserRecord, quoted
from connectors.errors import (
    Ambiguous,
    Conflict,
    Denied,
    Invalid,
    Mismatch,
    NotFound,
    TooLarge,
    Unavailable,
    Unsupported,
)
from connectors.permits import running_act

PAGE = 100
MOST: Mapping[type, int] = {
    UserRecord: 100,
    GroupRecord: 10_000,
}  # records that one search finds; more: the question was ignored
LARGEST = 16_000_000  # bytes of one answer; a group of 50,000 with its members is about 10 million
PROOF = 60.0  # seconds for which a filter that was honoured is taken to be, if it finds less than all
LONGEST_WAIT = 900.0  # seconds for which a server may ask us to wait

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_PATHS: Mapping[type, str] = {UserRecord: "/Users", GroupRecord: "/Groups"}
_ASKS: Mapping[type, Mapping[str, Any]] = {UserRecord: {}, GroupRecord: {"attributes": "id,displayName"}}
_MAKES: Mapping[type, Callable[[Any], Any]] = {UserRecord: records.user, GroupRecord: records.group}
_MESSAGES = "urn:ietf:params:scim:api:messages:2.0"
_MEMBER = ("members.value", "members")  # how servers call a member in a filter

RecordT = TypeVar("RecordT", bound=UserRecord | GroupRecord)
FirstT = TypeVar("FirstT")
SecondT = TypeVar("SecondT")


class Scim:
    """One directory's SCIM endpoint. Every method reads afresh; errors are ours alone."""

    def __init__(self, client: "_Client") -> None:
        self._client = client
        self._proofs: dict[
            str, tuple[int, float]
        ] = {}  # attribute: groups that there are, until when it counts
        self._member: tuple[str, ...] = _MEMBER  # the one that has shown something comes first

    async def users(self, scim_filter: str) -> list[UserRecord]:
        """Every person that the server returns for a filter. Check them: some servers ignore filters.

        Raises `Invalid` where the server refuses the filter.
        """
        return await self._search(UserRecord, scim_filter)

    async def groups(self, scim_filter: str) -> list[GroupRecord]:
        """Every group that the server returns for a filter, without members. Check them, as above."""
        return await self._search(GroupRecord, scim_filter)

    async def user(self, resource_id: str) -> UserRecord:
        """The person of that id. Raises `NotFound`, or `Mismatch` when another came back."""
        return await self._read(UserRecord, resource_id)

    async def group(self, resource_id: str) -> GroupRecord:
        """The group of that id with the whole list of its members, as far as the server shows it."""
        return await self._read(GroupRecord, resource_id)

    async def group_only(self, resource_id: str) -> GroupRecord:
        """The group of that id, and nobody in it."""
        return _same(
            await self._get(f"/Groups/{_segment(resource_id)}", records.group, _ASKS[GroupRecord]),
            resource_id,
        )

    async def groups_of(self, person_id: str, *, own: tuple[str, ...] | None = None) -> frozenset[str]:
        """The ids of the groups that a person is in. `own` is what the person's record says of that.

        Raises `Unsupported` where the server cannot be asked: it neither honours a filter on members nor
        says it in the record.
        """
        answered, lacks = False, "refuses a filter on members.value"
        for attribute in self._member:
            try:
                groups = await self._with_member(attribute, person_id)
            except Invalid:
                continue
            except Unsupported:
                lacks = "ignores a filter on members.value"
                continue
            if groups:
                self._member = (attribute, *(other for other in _MEMBER if other != attribute))
                return groups
            answered = True
        if own is None and not answered:
            raise Unsupported(f"the directory {lacks}, and a person's record does not name their groups")
        return frozenset(own or ())

    async def _with_member(self, attribute: str, person_id: str) -> frozenset[str]:
        found = await self._search(GroupRecord, f"{attribute} eq {quoted(person_id)}")
        if found and not self._is_proven(attribute, len(found)):
            await self._prove(attribute)
        return frozenset(record.id for record in found)

    def _is_proven(self, attribute: str, found: int) -> bool:
        """Whether the filter was honoured lately, and is now: what it found is not all that there is."""
        every, until = self._proofs.get(attribute, (0, 0.0))
        return found < every and time.monotonic() < until

    async def _prove(self, attribute: str) -> None:
        """Ask for the groups of nobody, which must be none. Raises `Unsupported` where there are some."""
        nobody = f"{attribute} eq {quoted(f'nobody-{uuid.uuid4()}')}"
        control, every = await _both(self._search(GroupRecord, nobody), self._every_group())
        if control:
            raise Unsupported("the directory answered a question about nobody: it ignores filters")
        self._proofs[attribute] = (every, time.monotonic() + PROOF)

    async def _every_group(self) -> int:
        """How many groups there are; 0 where the server does not say."""
        try:
            _, every = await self._page(GroupRecord, {"count": 1, **_ASKS[GroupRecord]})
        except (Invalid, Mismatch, Denied):
            return 0
        return every

    async def has_members(self, group_id: str) -> bool | None:
        """Whether anybody is in a group, without asking who. None where the server cannot be asked."""
        itself = f"id eq {quoted(group_id)}"
        try:
            some, found = await _both(
                self._search(GroupRecord, f"{itself} and members pr"), self._search(GroupRecord, itself)
            )
        except (Invalid, Mismatch):
            return None
        if [record.id for record in found] != [group_id]:
            return None
        return {(): False, (group_id,): True}.get(tuple(record.id for record in some))

    async def sample(self, kind: type[RecordT]) -> RecordT | None:
        """Some record of that kind, or None where there is none."""
        found, _ = await self._page(kind, {"count": 1, **_ASKS[kind]})
        return found[0] if found else None

    async def service(self) -> dict[str, Any]:
        """What the server says of itself (RFC 7643, section 5). Raises `Mismatch` where it says nothing."""
        return await self._get("/ServiceProviderConfig", _object, {})

    async def patch_member(
        self, group_id: str, person_id: str, *, member: bool, by_list: bool = False
    ) -> None:
        """Add or remove one member, leaving the others alone. Raises `Invalid` where that is not served.

        A removal names the member in its path, or `by_list` in a list of values, as some servers want it.
        """
        change: dict[str, Any] = {"op": "add" if member else "remove", "path": "members"}
        if member or by_list:
            change["value"] = [{"value": person_id}]
        else:
            change["path"] = f"members[value eq {quoted(person_id)}]"
        body = {"schemas": [f"{_MESSAGES}:PatchOp"], "Operations": [change]}
        await self._write("PATCH", group_id, body, {})

    async def put_group(self, record: GroupRecord, person_id: str, *, member: bool) -> None:
        """Replace a group that nobody changed since it was read. Raises `Conflict` when somebody did."""
        if not record.version:
            raise Invalid("the directory serves neither PATCH nor versions; members cannot be changed safely")
        body = records.with_member(record, person_id, member=member)
        await self._write("PUT", record.id, body, {"If-Match": record.version})

    async def _write(self, method: str, group_id: str, body: dict[str, Any], headers: dict[str, str]) -> None:
        response = await self._client.request(
            method, f"/Groups/{_segment(group_id)}", json=body, headers=headers
        )
        if response.status_code == 204:
            return
        try:
            await _json(response, _object)
        except Mismatch as error:
            raise Ambiguous("the directory's answer to a change cannot be read") from error

    async def _read(self, model: type[RecordT], resource_id: str) -> RecordT:
        make: Callable[[Any], RecordT] = _MAKES[model]
        response = await self._client.request("GET", f"{_PATHS[model]}/{_segment(resource_id)}")
        record = _same(await _json(response, make), resource_id)
        if isinstance(record, GroupRecord) and not record.version and (etag := response.headers.get("ETag")):
            return record.model_copy(update={"version": etag})
        return record

    async def _search(self, model: type[RecordT], scim_filter: str) -> list[RecordT]:
        found: list[RecordT] = []
        while True:
            question = {"filter": scim_filter, "startIndex": len(found) + 1, "count": PAGE, **_ASKS[model]}
            page, announced = await self._page(model, question)
            found += page
            if len({record.id for record in found}) < len(found):
                raise Mismatch("the directory returned a record twice in one search")
            if len(found) >= announced:
                return found
            if not page or announced > MOST[model]:
                raise Mismatch(
                    f"the directory announced {announced} records in a search and does not return them"
                )

    async def _page(self, model: type[RecordT], question: Mapping[str, Any]) -> tuple[list[RecordT], int]:
        def page(data: Any) -> tuple[list[RecordT], int]:
            return _listed(data, _MAKES[model])

        return await self._get(_PATHS[model], page, question)

    async def _get(self, path: str, make: Callable[[Any], FirstT], question: Mapping[str, Any]) -> FirstT:
        answer = await self._client.request("GET", path, params=question)
        return await _json(answer, make, without=frozenset({"members"}))


@cache
def _trusted() -> ssl.SSLContext:
    """Return the authorities that are trusted. Reading them takes a tenth of a second."""
    return httpx.create_ssl_context(trust_env=False)


@asynccontextmanager
async def open_scim(url: str, token: str, *, within: float) -> AsyncIterator[Scim]:
    """Connect to the SCIM endpoint at `url`; each request has `within` seconds in all.

    Raises `Invalid` for a URL that would send the token in clear text over a network.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise Invalid("the directory's URL must begin with https:// (http:// only on this machine)")
    async with httpx.AsyncClient(
        base_url=url,
        headers={"Authorization": f"Bearer {token}"},
        timeout=within,
        limits=httpx.Limits(keepalive_expiry=2.0),  # well before a server gives up an idle connection
        trust_env=False,  # the environment is read in one place, and not here
        verify=_trusted(),
    ) as http:
        yield Scim(_Client(http, within))


class _Client:
    """Sends requests. It knows whether one that failed had left this machine."""

    def __init__(self, http: httpx.AsyncClient, within: float) -> None:
        self._http = http
        self._within = within
        self._breaker = Breaker("directory")

    async def request(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        """The whole answer, of a status that is no error."""
        with self._breaker.attempt():
            return await self._request(method, path, **kwargs)

    async def _request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **kwargs: Any
    ) -> httpx.Response:
        writes = method != "GET"
        sent = False

        async def watch(event: str, _info: object) -> None:
            nonlocal sent
            sent = sent or event.endswith("send_request_headers.started")

        kinds = {
            "Accept": "application/scim+json",
            **({"Content-Type": "application/scim+json"} if writes else {}),
        }
        try:
            async with asyncio.timeout(self._within):
                response = await self._exchange(
                    method, path, extensions={"trace": watch}, headers={**kinds, **(headers or {})}, **kwargs
                )
        except (TimeoutError, httpx.TransportError, httpx.DecodingError) as error:
            if writes and sent:
                raise Ambiguous("the directory did not answer a change that may have reached it") from error
            raise Unavailable("the directory does not answer") from error
        except Mismatch as error:
            if writes:
                raise Ambiguous("the directory's answer to a change cannot be read") from error
            raise
        _check_status(response, writes=writes)
        return response

    async def _exchange(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        if method != "GET":
            running_act()
        async with self._http.stream(method, path, **kwargs) as response:
            body = bytearray()
            async with aclosing(cast("AsyncGenerator[bytes]", response.aiter_bytes())) as pieces:
                async for some in pieces:
                    body += some
                    if len(body) > LARGEST:
                        most = f"{LARGEST // 1_000_000} MB"
                        raise TooLarge(f"the directory answered with more than {most} to a small question")
        headers = [(name, value) for name, value in response.headers.items() if name != "content-encoding"]
        return httpx.Response(response.status_code, headers=headers, content=bytes(body))


def _segment(resource_id: str) -> str:
    """An id as one segment of a path. Raises `Invalid` for what would lead elsewhere."""
    if not resource_id or resource_id in {".", ".."}:
        raise Invalid("an id is needed")
    return quote(resource_id, safe="")


def _same(record: RecordT, resource_id: str) -> RecordT:
    if record.id != resource_id:
        raise Mismatch("the directory answered with another record than the one asked for")
    return record


def _object(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise Mismatch("the directory answered with something that is no JSON object")
    return data


def _listed(data: Any, make: Callable[[Any], RecordT]) -> tuple[list[RecordT], int]:
    answer = _object(data)
    if f"{_MESSAGES}:ListResponse" not in (answer.get("schemas") or []):
        raise Mismatch("the directory answered a search with something that is no list of records")
    found, announced = answer.get("Resources") or [], answer.get("totalResults")
    if not isinstance(found, list):
        raise Mismatch("the directory's list of records is none")
    total = announced if isinstance(announced, int) else len(found)
    return [make(record) for record in found], total


async def _json(
    response: httpx.Response, make: Callable[[Any], FirstT], *, without: frozenset[str] = frozenset()
) -> FirstT:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind not in {"application/scim+json", "application/json"}:
        raise Mismatch(f"the directory answered with {kind or 'nothing'} instead of JSON")
    try:
        return await parsing.build(response.content, make, without=without)
    except (ValueError, RecursionError) as error:
        raise Mismatch("the directory's answer cannot be read: it is not valid JSON") from error


async def _both(one: Awaitable[FirstT], other: Awaitable[SecondT]) -> tuple[FirstT, SecondT]:
    """Two answers that are asked for at the same time. Where one fails, the other is no longer waited for."""
    first, second = asyncio.ensure_future(one), asyncio.ensure_future(other)
    try:
        return await asyncio.gather(first, second)
    finally:
        first.cancel()
        second.cancel()
        await asyncio.gather(first, second, return_exceptions=True)


def _check_status(response: httpx.Response, *, writes: bool) -> None:
    status = response.status_code
    if response.is_success:
        return
    if status in (401, 403):
        raise Denied(f"the directory refuses our credential ({status})")
    if status == 404:
        raise NotFound("the directory has no such record")
    if status in (409, 412):
        raise Conflict("the directory holds something that contradicts the request")
    if status == 429:
        raise Unavailable("the directory asks us to wait", retry_after=_retry_after(response), why="busy")
    if status >= 500 and status != 501:
        if writes:
            raise Ambiguous(f"the directory failed ({status}) on a change that it may have made")
        message = f"the directory answers that it fails ({status})"
        raise Unavailable(message, retry_after=_retry_after(response), why="failing")
    raise Invalid(f"the directory does not accept the request ({status})")


def _retry_after(response: httpx.Response) -> float | None:
    """For how many seconds to wait, from a number of them or a date. None where that is not said."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdecimal():
        return min(float(value), LONGEST_WAIT)
    until, now = _date(value), _date(response.headers.get("Date", "")) or datetime.now(UTC)
    seconds = (until - now).total_seconds() if until else 0.0
    return min(seconds, LONGEST_WAIT) if seconds > 0 else None


def _date(value: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(value)
    except ValueError:
        return None
    return found.replace(tzinfo=found.tzinfo or UTC)
