"""SCIM 2.0 over httpx: requests, and what their failures mean. Imported when a directory is opened.

scim2-client builds and reads the messages; its own engine wants another HTTP library and reports every
network failure alike, so the engine here is ours: it knows whether a request left this machine.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import ValidationError
from scim2_client import BaseAsyncSCIMClient, SCIMClientException
from scim2_models import (
    EnterpriseUser,
    Group,
    GroupMember,
    ListResponse,
    PatchOp,
    PatchOperation,
    Path,
    Resource,
    ResourceType,
    SCIMException,
    ScimPolicy,
    ScimProvider,
    SearchRequest,
    ServiceProviderConfig,
    User,
)

from connectors.breaker import Breaker
from connectors.errors import Ambiguous, Conflict, Denied, Invalid, Mismatch, NotFound, Unavailable
from connectors.permits import running_act

PAGE = 100
MOST = 10_000  # resources in one answer; more means that the question was wrong

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

UserRecord = User[EnterpriseUser]
ResourceT = TypeVar("ResourceT", bound=Resource[Any])


class Scim:
    """One directory's SCIM endpoint. Every method reads afresh; errors are ours alone."""

    def __init__(self, client: "_Client") -> None:
        self._client = client

    async def users(self, scim_filter: str) -> list[UserRecord]:
        """Every person that the server returns for a filter. Check them: some servers ignore filters."""
        return await self._search(UserRecord, scim_filter)

    async def groups(self, scim_filter: str) -> list[Group]:
        """Every group that the server returns for a filter. Check them: some servers ignore filters."""
        return await self._search(Group, scim_filter)

    async def user(self, resource_id: str) -> UserRecord:
        """The person of that id. Raises `NotFound`, or `Mismatch` when another came back."""
        return await self._read(UserRecord, resource_id)

    async def group(self, resource_id: str) -> Group:
        """The group of that id. Raises `NotFound`, or `Mismatch` when another came back."""
        return await self._read(Group, resource_id)

    async def service(self) -> ServiceProviderConfig:
        """What the server says of itself."""
        with _in_our_words():
            config = await self._client.query(ServiceProviderConfig)
        if not isinstance(config, ServiceProviderConfig):
            raise Mismatch("the directory does not describe itself")
        return config

    async def patch_member(self, group_id: str, person_id: str, *, member: bool) -> None:
        """Add or remove one member, leaving the others alone. Raises `Invalid` where PATCH is not served."""
        operation: PatchOperation[Group] = (
            PatchOperation[Group](
                op=PatchOperation.Op.add, path=Path("members"), value=[GroupMember(value=person_id)]
            )
            if member
            else PatchOperation[Group](
                op=PatchOperation.Op.remove, path=Path(f"members[value eq {quoted(person_id)}]")
            )
        )
        with _in_our_words(writes=True):
            await self._client.modify(
                Group, group_id, PatchOp[Group](operations=[operation]), check_response_payload=False
            )

    async def put_group(self, group: Group) -> None:
        """Replace a group that nobody changed since it was read. Raises `Conflict` when somebody did."""
        version = group.meta.version if group.meta else None
        if not version:
            raise Invalid("the directory serves neither PATCH nor versions; members cannot be changed safely")
        with _in_our_words(writes=True):
            await self._client.replace(group, headers={"If-Match": version}, check_response_payload=False)

    async def _read(self, model: type[ResourceT], resource_id: str) -> ResourceT:
        if not resource_id:
            raise Invalid("an id is needed")
        with _in_our_words():
            found = await self._client.query(model, resource_id)
        if not isinstance(found, model) or found.id != resource_id:
            raise Mismatch("the directory answered with another record than the one asked for")
        return found

    async def _search(self, model: type[ResourceT], scim_filter: str) -> list[ResourceT]:
        found: list[ResourceT] = []
        while True:
            question = SearchRequest[Any](filter=scim_filter, start_index=len(found) + 1, count=PAGE)
            with _in_our_words():
                page = await self._client.query(model, question)
            if not isinstance(page, ListResponse):
                raise Mismatch("the directory answered a search with something else")
            announced = page.total_results or 0
            found += page.resources or []
            if len({record.id for record in found}) < len(found):
                raise Mismatch("the directory returned a record twice in one search")
            if len(found) >= announced:
                return found
            if not page.resources or announced > MOST:
                raise Mismatch("the directory announced more records than it can return")


def quoted(text: str) -> str:
    """A string as a SCIM filter writes it (RFC 7644, section 3.4.2.2: as in JSON)."""
    return json.dumps(text, ensure_ascii=False)


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
    ) as http:
        yield Scim(_Client(http, within))


class _Client(BaseAsyncSCIMClient):
    def __init__(self, http: httpx.AsyncClient, within: float) -> None:
        models = (User, EnterpriseUser, Group)
        types = (ResourceType.from_resource(UserRecord), ResourceType.from_resource(Group))
        policy = ScimPolicy(unknown=ScimPolicy.Unknown.keep)  # a PUT gives back what we do not know
        provider = ScimProvider(models=models, resource_types=types, policy=policy)
        super().__init__(provider=provider, check_response_status_codes=False)  # `_check_status` does it
        self._http = http
        self._within = within
        self._breaker = Breaker("directory")

    def _stays_under_base_url(self, endpoint: str) -> bool:
        return endpoint in ("/Users", "/Groups")

    async def request(self, method: str, url: str, **kwargs: Any) -> httpx.Response:
        with self._breaker.attempt():
            return await self._request(method, url, **kwargs)

    async def _request(self, method: str, url: str, **kwargs: Any) -> httpx.Response:
        writes = method != "GET"
        if writes:
            running_act()
        sent = False

        async def watch(event: str, _info: object) -> None:
            nonlocal sent
            sent = sent or event.endswith("send_request_headers.started")

        try:
            async with asyncio.timeout(self._within):
                response = await self._http.request(method, url, extensions={"trace": watch}, **kwargs)
        except (TimeoutError, httpx.TransportError, httpx.DecodingError) as error:
            if writes and sent:
                raise Ambiguous("the directory did not answer a change that may have reached it") from error
            raise Unavailable("the directory does not answer") from error
        _check_status(response, writes=writes)
        return response


def _check_status(response: httpx.Response, *, writes: bool) -> None:
    status = response.status_code
    if response.is_success:
        return
    if status in (401, 403):
        raise Denied("the directory refuses our credential")
    if status == 404:
        raise NotFound("the directory has no such record")
    if status in (409, 412):
        raise Conflict("the directory holds something that contradicts the request")
    if status == 429:
        raise Unavailable("the directory asks us to wait", retry_after=_retry_after(response))
    if status >= 500 and status != 501:
        if writes:
            raise Ambiguous(f"the directory failed ({status}) on a change that it may have made")
        raise Unavailable(f"the directory failed ({status})", retry_after=_retry_after(response))
    raise Invalid(f"the directory does not accept the request ({status})")


def _retry_after(response: httpx.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else None


@contextmanager
def _in_our_words(*, writes: bool = False) -> Iterator[None]:
    """Turn what the library could not read, and what it would not send, into our errors."""
    try:
        yield
    except SCIMClientException as error:
        if writes:
            raise Ambiguous("the directory's answer to a change cannot be read") from error
        raise Mismatch("the directory's answer is not what SCIM describes") from error
    except (SCIMException, ValidationError) as error:
        raise Invalid("the request is not one that SCIM can express") from error


def full_name(record: UserRecord) -> str:
    """The name to show."""
    name = record.name
    parts = (name.given_name, name.family_name) if name else ()
    joined = " ".join(part for part in parts if part)
    return record.display_name or (name.formatted if name else None) or joined or record.user_name or ""


def manager(record: UserRecord) -> str | None:
    """The id of the person's manager."""
    enterprise = record[EnterpriseUser]
    return enterprise.manager.value if enterprise and enterprise.manager else None


def employee_number(record: UserRecord) -> str:
    """The person's number in the company, the same in each of their accounts; "" where there is none."""
    enterprise = record[EnterpriseUser]
    return (enterprise.employee_number or "").strip() if enterprise else ""


def country(record: UserRecord) -> str:
    """Where somebody works: their address at work, else the one that comes first for them."""
    addresses = sorted(record.addresses or [], key=lambda one: (one.type != "work", one.primary is not True))
    codes = [one.country or "" for one in addresses[:1] if one.type == "work" or one.primary]
    return codes[0].upper() if codes and re.fullmatch("[A-Za-z]{2}", codes[0]) else ""
