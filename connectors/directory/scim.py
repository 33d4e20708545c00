"""SCIM 2.0: what is asked of the server, and what it lacks.

No answer is trusted to be what was asked for. Some servers ignore filters, so a question about one person's
groups goes with a control question about nobody, which must find nothing: now and then, and whenever an
answer holds as many groups as there are.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from connectors.directory import records
from connectors.directory.records import GroupRecord, UserRecord, quoted
from connectors.errors import Denied, Invalid, Mismatch, Unsupported
from connectors.http import Client, Limits, open_http, segment
from connectors.paging import Page, paged

PAGE = 100
# Records that one search finds; where there are more, the question was ignored.
MOST: Mapping[type, int] = {UserRecord: 100, GroupRecord: 10_000}
LARGEST = 16_000_000  # bytes of one answer; a group of 50,000 with its members is about 10 million
PROOF = 60.0  # seconds for which a filter that was honoured is taken to be, if it finds less than all

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

    def __init__(self, client: Client) -> None:
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
            await self._get(f"/Groups/{segment(resource_id)}", records.group, _ASKS[GroupRecord]),
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
        await self._write("PATCH", group_id, body)

    async def put_group(self, record: GroupRecord, person_id: str, *, member: bool) -> None:
        """Replace a group that nobody changed since it was read. Raises `Conflict` when somebody did."""
        if not record.version:
            raise Invalid("the directory serves neither PATCH nor versions; members cannot be changed safely")
        body = records.with_member(record, person_id, member=member)
        await self._write("PUT", record.id, body, match=record.version)

    async def _write(self, method: str, group_id: str, body: dict[str, Any], *, match: str = "") -> None:
        answer = await self._client.request(method, f"/Groups/{segment(group_id)}", json=body, match=match)
        if answer.status != 204:
            await answer.json(_object)

    async def _read(self, model: type[RecordT], resource_id: str) -> RecordT:
        make: Callable[[Any], RecordT] = _MAKES[model]
        answer = await self._client.request("GET", f"{_PATHS[model]}/{segment(resource_id)}")
        record = _same(await answer.json(make), resource_id)
        if isinstance(record, GroupRecord) and not record.version and answer.etag:
            return record.model_copy(update={"version": answer.etag})
        return record

    async def _search(self, model: type[RecordT], scim_filter: str) -> list[RecordT]:
        async def ask(start: int) -> Page[RecordT, int]:
            question = {"filter": scim_filter, "startIndex": start, "count": PAGE, **_ASKS[model]}
            found, announced = await self._page(model, question)
            then = start + len(found)
            return Page(records=found, then=then if then <= announced else None, total=announced)

        return [one async for one in paged(ask, 1, most=MOST[model], key=lambda record: record.id)]

    async def _page(self, model: type[RecordT], question: Mapping[str, Any]) -> tuple[list[RecordT], int]:
        def page(data: Any) -> tuple[list[RecordT], int]:
            return _listed(data, _MAKES[model])

        return await self._get(_PATHS[model], page, question)

    async def _get(self, path: str, make: Callable[[Any], FirstT], question: Mapping[str, Any]) -> FirstT:
        return await self._client.get(path, make, params=question, without=frozenset({"members"}))


@asynccontextmanager
async def open_scim(url: str, token: str, *, within: float) -> AsyncIterator[Scim]:
    """Connect to the SCIM endpoint at `url`; each request has `within` seconds in all.

    Raises `Invalid` for a URL that would send the token in clear text over a network.
    """
    credential = {"Authorization": f"Bearer {token}"}
    limits = Limits(within=within, largest=LARGEST)
    async with open_http("directory", url, credential, kind="application/scim+json", limits=limits) as client:
        yield Scim(client)


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


async def _both(one: Awaitable[FirstT], other: Awaitable[SecondT]) -> tuple[FirstT, SecondT]:
    """Two answers that are asked for at the same time. Where one fails, the other is no longer waited for."""
    first, second = asyncio.ensure_future(one), asyncio.ensure_future(other)
    try:
        return await asyncio.gather(first, second)
    finally:
        first.cancel()
        second.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
