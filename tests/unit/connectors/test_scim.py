"""Answers that a well-behaved server never gives, and what is made of them."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import pytest

from connectors.base import Payload
from connectors.directory import Directory, records
from connectors.directory.scim import Scim
from connectors.errors import (
    Ambiguous,
    Conflict,
    ConnectorError,
    Denied,
    Invalid,
    Mismatch,
    NotFound,
    NotPermitted,
    Unavailable,
)
from connectors.http import open_http
from connectors.permits import Grant, Mint, act_under

Answer = Callable[[httpx.Request], httpx.Response]

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"


def scim_json(body: Any, **headers: str) -> httpx.Response:
    return httpx.Response(200, json=body, headers={"Content-Type": "application/scim+json", **headers})


def page(*found: Any, total: int | None = None) -> httpx.Response:
    return scim_json(
        {
            "schemas": [LIST],
            "totalResults": len(found) if total is None else total,
            "Resources": list(found),
        }
    )


def group(**values: Any) -> dict[str, Any]:
    return {"schemas": [GROUP], "id": "g1", "displayName": "billing-db", **values}


@asynccontextmanager
async def answered_by(answer: Answer) -> AsyncIterator[Directory]:
    transport = httpx.MockTransport(answer)
    async with open_http("directory", "https://directory.example/scim/v2", {}, transport=transport) as client:
        scim = Scim(client)
        yield Directory(scim, "https://directory.example", writer=scim)


@contextmanager
def acting() -> Iterator[None]:
    """As inside an operation's `apply`."""

    class Nothing(Payload):
        pass

    mint = Mint()
    try:
        permit = mint.permit("test.act", Nothing(), "k")
        grant: Grant = permit.grant
        with permit.open(), act_under(grant):
            yield
    finally:
        mint.retire()


class Fake:
    """A directory with one group, which answers to what it is told to."""

    def __init__(self, **record: Any) -> None:
        self.record = group(**record)
        self.requests: list[httpx.Request] = []
        self.to_write: Answer = lambda request: httpx.Response(204)
        self.etag: str | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.method != "GET":
            return self.to_write(request)
        if "/Users/" in request.url.path:
            return scim_json({"schemas": [USER], "id": "p1", "userName": "p1"})
        if asked := request.url.params.get("filter"):
            return page(*([self.record] if self.fits(asked) else []))
        if request.url.path.endswith("/Groups"):
            return page(self.record)
        headers = {"ETag": self.etag} if self.etag else {}
        return scim_json(self.record, **headers)

    def add(self, request: httpx.Request) -> httpx.Response:
        members = [*self.record.get("members", []), {"value": "p1"}]
        self.record = self.record | {"members": members}
        return httpx.Response(204)

    def fits(self, asked: str) -> bool:
        members = self.record.get("members", [])
        if asked.startswith("id eq"):
            return bool(members) or not asked.endswith(" pr")
        return {"value": json.loads(asked.split(" eq ")[1])} in members

    @property
    def writes(self) -> list[httpx.Request]:
        return [request for request in self.requests if request.method != "GET"]


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (301, {"Location": "https://elsewhere.example/"}, Invalid),
        (400, {}, Invalid),
        (401, {}, Denied),
        (403, {}, Denied),
        (404, {}, NotFound),
        (409, {}, Conflict),
        (412, {}, Conflict),
        (418, {}, Invalid),
        (429, {"Retry-After": "30"}, Unavailable),
        (500, {}, Unavailable),
        (501, {}, Invalid),
        (503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, Unavailable),
    ],
)
async def test_every_status_of_a_read_has_its_error(
    status: int, headers: dict[str, str], expected: type[ConnectorError]
) -> None:
    async with answered_by(lambda _: httpx.Response(status, headers=headers)) as people:
        with pytest.raises(expected) as caught:
            await people.person("p1")
    if isinstance(caught.value, Unavailable):
        assert caught.value.retry_after == (30.0 if status == 429 else None)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, Denied),
        (403, Denied),
        (404, NotFound),
        (409, Conflict),
        (429, Unavailable),
        (500, Ambiguous),
        (502, Ambiguous),
        (503, Ambiguous),
        (504, Ambiguous),
    ],
)
async def test_every_status_of_a_write_has_its_error(status: int, expected: type[ConnectorError]) -> None:
    fake = Fake()
    fake.to_write = lambda _: httpx.Response(status)
    async with answered_by(fake) as people:
        with acting(), pytest.raises(expected):
            await people.set_member("g1", "p1", member=True)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>", headers={"Content-Type": "text/html"}),
        httpx.Response(200, text="{", headers={"Content-Type": "application/json"}),
        httpx.Response(200, content=b"\xff\xfe", headers={"Content-Type": "application/json"}),
        httpx.Response(200),
        httpx.Response(204),
        scim_json([]),
        scim_json(None),
        scim_json({}),
        scim_json({"schemas": "not a list"}),
        scim_json({"schemas": [GROUP], "id": "p1", "displayName": "a group"}),
        scim_json({"schemas": [USER], "id": "p1", "userName": ["a", "list"]}),
        scim_json({"schemas": [USER], "id": "p2", "userName": "another"}),
        scim_json({"schemas": [USER], "userName": "without an id"}),
        page(),
    ],
)
async def test_an_answer_that_is_no_person_is_a_mismatch(answer: httpx.Response) -> None:
    async with answered_by(lambda _: answer) as people:
        with pytest.raises(Mismatch):
            await people.person("p1")


@pytest.mark.parametrize(
    "answer",
    [
        page(total=3),
        page(group(), total=10**9),
        page(group(), total=2),
        page(group(), group()),
        scim_json(group()),
        httpx.Response(204),
    ],
)
async def test_a_search_that_does_not_add_up_is_a_mismatch(answer: httpx.Response) -> None:
    async with answered_by(lambda _: answer) as people:
        with pytest.raises(Mismatch):
            await people.group_by_name("billing-db")


async def test_attributes_of_the_vendor_do_not_disturb_reading() -> None:
    record = {
        "schemas": [USER, "urn:vendor:2.0:User"],
        "id": "p1",
        "userName": "p1",
        "urn:vendor:2.0:User": {"x": 1},
    }
    answers = {"/scim/v2/Users/p1": scim_json(record | {"unheardOf": [1]}), "/scim/v2/Groups": page()}
    async with answered_by(lambda request: answers[request.url.path]) as people:
        person = await people.person("p1")
    assert (person.name, person.email, person.active, person.manager) == ("p1", "", False, None)


async def test_the_primary_address_is_the_one_that_is_shown() -> None:
    emails = [{"value": "home@p1.example"}, {"value": "work@p1.example", "primary": True}]
    record = {"schemas": [USER], "id": "p1", "userName": "p1", "active": True, "emails": emails}
    answers = {
        "/scim/v2/Users/p1": scim_json(record),
        "/scim/v2/Users": page(record),
        "/scim/v2/Groups": page(),
    }
    async with answered_by(lambda request: answers[request.url.path]) as people:
        assert (await people.person("p1")).email == "work@p1.example"
        assert (await people.person_by_email("home@p1.example")).email == "home@p1.example"


async def test_groups_within_groups_are_not_people() -> None:
    members = [{"value": "p1", "type": "User"}, {"value": "g2", "type": "Group"}, {"display": "nobody"}]
    async with answered_by(lambda _: scim_json(group(members=members))) as people:
        assert (await people.group("g1")).members == {"p1"}


async def test_nothing_is_sent_that_writes_outside_of_an_act() -> None:
    fake = Fake()
    async with answered_by(fake) as people:
        with pytest.raises(NotPermitted):
            await people.set_member("g1", "p1", member=True)
    assert fake.writes == []


async def test_a_change_names_one_member_and_no_other() -> None:
    fake = Fake(members=[{"value": "p0"}])
    fake.to_write = fake.add
    async with answered_by(fake) as people:
        with acting():
            assert await people.set_member("g1", "p1", member=True)
    (request,) = fake.writes
    assert (request.method, request.url.path) == ("PATCH", "/scim/v2/Groups/g1")
    assert json.loads(request.content)["Operations"] == [
        {"op": "add", "path": "members", "value": [{"value": "p1"}]}
    ]


async def test_a_removal_quotes_the_id_it_removes() -> None:
    odd = 'p"] or members[value pr'
    fake = Fake(members=[{"value": odd}])
    async with answered_by(fake) as people:
        with acting(), pytest.raises(Ambiguous):  # this server says yes and does nothing
            await people.set_member("g1", odd, member=False)
    (request,) = fake.writes
    (operation,) = json.loads(request.content)["Operations"]
    assert operation["path"] == 'members[value eq "p\\"] or members[value pr"]'


async def test_where_patch_is_not_served_the_whole_group_goes_back_under_its_version() -> None:
    fake = Fake(members=[{"value": "p0"}], vendorThing={"kept": True})
    fake.etag = 'W/"7"'

    def only_put(request: httpx.Request) -> httpx.Response:
        return fake.add(request) if request.method == "PUT" else httpx.Response(501)

    fake.to_write = only_put
    async with answered_by(fake) as people:
        with acting():
            assert await people.set_member("g1", "p1", member=True)
    put = fake.writes[-1]
    body = json.loads(put.content)
    assert put.headers["If-Match"] == 'W/"7"'
    assert [member["value"] for member in body["members"]] == ["p0", "p1"]
    assert body["vendorThing"] == {"kept": True}


async def test_without_versions_nothing_is_replaced() -> None:
    fake = Fake()
    fake.to_write = lambda _: httpx.Response(501)
    async with answered_by(fake) as people:
        with acting(), pytest.raises(Invalid, match="neither PATCH nor versions"):
            await people.set_member("g1", "p1", member=True)
    assert [request.method for request in fake.writes] == ["PATCH"]


async def test_a_group_that_never_stands_still_is_a_conflict() -> None:
    fake = Fake()
    fake.to_write = lambda _: httpx.Response(412)
    async with answered_by(fake) as people:
        with acting(), pytest.raises(Conflict):
            await people.set_member("g1", "p1", member=True)
    assert len(fake.writes) == 3


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>", headers={"Content-Type": "text/html"}),
        httpx.Response(200, text="{", headers={"Content-Type": "application/scim+json"}),
    ],
)
async def test_a_change_with_an_unreadable_answer_is_ambiguous(answer: httpx.Response) -> None:
    fake = Fake()
    fake.to_write = lambda _: answer
    async with answered_by(fake) as people:
        with acting(), pytest.raises(Ambiguous):
            await people.set_member("g1", "p1", member=True)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (httpx.ConnectError, Unavailable),
        (httpx.ConnectTimeout, Unavailable),
        (httpx.PoolTimeout, Unavailable),
        (httpx.ReadTimeout, Unavailable),
        (httpx.RemoteProtocolError, Unavailable),
        (httpx.DecodingError, Unavailable),
    ],
)
async def test_no_failure_of_the_network_escapes(
    error: type[httpx.RequestError], expected: type[ConnectorError]
) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error("boom", request=request)

    async with answered_by(fail) as people:
        with pytest.raises(expected):
            await people.person("p1")


def test_what_nothing_could_store_in_a_name_is_replaced() -> None:
    known = {
        "schemas": [records.USER],
        "id": "1",
        "userName": "ada",
        "displayName": json.loads('"Ada\\u0000 \\ud83d"'),
    }
    assert records.user(known).name == "Ada\N{REPLACEMENT CHARACTER} \N{REPLACEMENT CHARACTER}"
