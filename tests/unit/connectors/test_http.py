"""The one client of all connectors, against a server that answers with whatever bytes a test wants."""

import asyncio
import gzip
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import http, permits
from connectors.breaker import MOST
from connectors.errors import (
    Ambiguous,
    Conflict,
    ConnectorError,
    Invalid,
    NotFound,
    NotPermitted,
    Resting,
    TooLarge,
    Unavailable,
)
from connectors.http import LONGEST_WAIT, Limits, retry_after, segment
from tests.unit.connectors.tickets import Tickets
from tests.wire import DROP, NOWHERE, QUICK, SILENCE, TOKEN, acting, failing, opened, said, wire

ROOT = Path(__file__).parents[3]

# Whether a request left this machine.


@pytest.mark.parametrize(
    "answer",
    [
        DROP,
        SILENCE,
        said(200, b'{"id": 1', short=10),
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"id',
        b"\x16\x03\x01 this is no HTTP\r\n\r\n",
        said(200, b"not gzip", Content_Encoding="gzip"),
    ],
    ids=["dropped", "a hang", "half an answer", "half a chunk", "no HTTP", "not packed as it says"],
)
async def test_what_left_and_was_not_answered_is_ambiguous_if_it_writes(answer: bytes | None) -> None:
    async with wire(answer) as server, opened(server.url, QUICK) as client:
        assert type(await failing(client, "GET")) is Unavailable
        assert type(await failing(client, "PATCH", json={})) is Ambiguous
    assert len(server.asked) == 2  # nothing is tried a second time


async def test_what_never_left_is_unavailable_and_says_why() -> None:
    async with opened(NOWHERE) as client:
        for method in ("GET", "PATCH"):
            error = await failing(client, method)
            assert type(error) is Unavailable
            assert str(error) == "the ticket system does not answer: it refuses the connection"
            assert error.system == "tickets"


async def test_an_answer_that_is_too_large_is_not_read_to_its_end() -> None:
    bomb = gzip.compress(bytes(5_000_000))
    for answer in (said(200, b" " * 200_000), said(200, bomb, Content_Encoding="gzip")):
        async with wire(answer) as server, opened(server.url, Limits(largest=100_000)) as client:
            assert type(await failing(client, "GET")) is TooLarge
            assert type(await failing(client, "PATCH", json={})) is Ambiguous


@pytest.mark.parametrize(
    ("status", "reads", "writes"),
    [
        (301, Invalid, Ambiguous),  # as browsers' forms are answered: it may be done
        (303, Invalid, Ambiguous),
        (304, Invalid, Invalid),
        (307, Invalid, Invalid),
        (400, Invalid, Invalid),
        (408, Unavailable, Ambiguous),
        (410, NotFound, NotFound),
        (412, Conflict, Conflict),
        (428, Invalid, Invalid),
        (429, Unavailable, Unavailable),
        (501, Invalid, Invalid),
        (503, Unavailable, Ambiguous),
    ],
)
async def test_a_status_means_one_error_to_a_read_and_to_a_write(
    status: int, reads: type[ConnectorError], writes: type[ConnectorError]
) -> None:
    async with wire(said(status)) as server, opened(server.url) as client:
        assert type(await failing(client, "GET")) is reads
        assert type(await failing(client, "PUT", json={})) is writes


# The lease.


async def test_nothing_that_writes_is_sent_outside_of_an_act() -> None:
    async with wire(said(204)) as server, opened(server.url, searches={"/search"}) as client:
        for method, path in (
            ("POST", "/issues"),
            ("DELETE", "/issues/1"),
            ("PUT", "/search"),
            ("MKCALENDAR", "/c"),
        ):
            with pytest.raises(NotPermitted):
                await client.request(method, path)
        assert server.connections == 0
        await client.request("POST", "/search", json={})
        await client.request("REPORT", "/calendar", content=b"<free-busy/>")
    assert [one.split()[0] for one in server.asked] == [b"POST", b"REPORT"]


async def test_behind_its_lease_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permits, "LEASE", -1.0)
    async with wire(said(204)) as server, opened(server.url) as client:
        assert type(await failing(client, "PATCH", json={})) is Unavailable
    assert server.connections == 0


async def test_a_lease_that_ends_while_the_connection_is_made_stops_the_first_byte(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = 0

    def lapses() -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise Unavailable("held up")

    monkeypatch.setattr(http, "running_act", lapses)
    async with wire(said(204)) as server, opened(server.url) as client:
        assert str(await failing(client, "PATCH", json={})) == "held up"
        while not server.connections:
            await asyncio.sleep(0)
    assert (asked, server.connections, server.asked) == (2, 1, [])


# Where a request goes.


async def test_a_redirect_is_not_followed_unless_it_is_wanted() -> None:
    moved = said(302, Location="/api/there")
    async with wire(moved, said(200, {"id": 1})) as server:
        async with opened(server.url) as client:
            assert "redirects us" in str(await failing(client, "GET"))
        server.answers = [moved, said(200, {"id": 1})]
        async with opened(server.url, Limits(redirects=1)) as client:
            assert await client.get("/here", dict) == {"id": 1}
        assert server.asked[-1].startswith(b"GET /api/there ")
        server.answers = [moved]
        async with opened(server.url, Limits(redirects=3)) as client:
            before = len(server.asked)
            assert type(await failing(client, "GET")) is Invalid
            assert len(server.asked) == before + 4
            await failing(client, "PATCH", json={})
            assert len(server.asked) == before + 5


@pytest.mark.parametrize("follows", [0, 3])
async def test_the_credential_follows_nobody_to_another_host(follows: int) -> None:
    async with (
        wire(said(200, {})) as other,
        wire(said(307, Location=other.url)) as server,
        opened(server.url, Limits(redirects=follows)) as client,
    ):
        assert type(await failing(client, "GET")) is Invalid
        assert type(await failing(client, "PATCH", json={})) is Invalid
        for address in (other.url, "//127.0.0.1:9/", "http://[::1", "/\n"):
            with pytest.raises(Invalid):
                await client.request("GET", address)
    assert other.connections == 0
    assert TOKEN.encode() in server.asked[0]


@pytest.mark.parametrize("text", ["", ".", ".."])
def test_an_id_that_would_lead_elsewhere_is_no_segment(text: str) -> None:
    with pytest.raises(Invalid):
        segment(text)
    assert segment("../a?b") == "..%2Fa%3Fb"


async def test_a_proxy_from_the_environment_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with wire(said(200, {})) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        async with opened(server.url) as client:
            assert await client.get("/", dict) == {}


async def test_no_cookie_is_kept() -> None:
    async with wire(said(200, {}, Set_Cookie="who=ada; Path=/")) as server, opened(server.url) as client:
        await client.get("/", dict)
        await client.get("/", dict)
    assert b"cookie" not in server.asked[1].lower()


@pytest.mark.parametrize(
    "url",
    [
        "http://tickets.example/api",
        "https://",
        "https://[::1",
        "ftp://127.0.0.1/",
        f"https://ada:{TOKEN}@tickets.example/",
        f"https://tickets.example/?key={TOKEN}",
    ],
)
async def test_an_address_that_would_give_a_credential_away_is_refused(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        async with opened(url):
            pass
    assert TOKEN not in str(caught.value)


# Versions.


async def test_versions_are_asked_for_and_given_back_as_they_came() -> None:
    async with wire(said(200, {}, ETag='W/"7-gzip"')) as server, opened(server.url) as client:
        seen = await client.request("GET", "/issues/1")
        assert (seen.etag, seen.unchanged) == ('W/"7-gzip"', False)
        server.answers = [said(304, ETag=seen.etag)]
        assert (await client.request("GET", "/issues/1", known=seen.etag)).unchanged
        server.answers = [said(412)]
        assert type(await failing(client, "PATCH", json={}, match=seen.etag)) is Conflict
        assert type(await failing(client, "PUT", content=b"BEGIN:VEVENT", new=True)) is Conflict
        assert type(await failing(client, "PUT", match="7\r\nX-Key: another")) is Invalid
    heads = [one.lower() for one in server.asked]
    assert b'if-none-match: w/"7-gzip"\r\n' in heads[1]
    assert b'if-match: w/"7-gzip"\r\n' in heads[2]
    assert b"if-none-match: *\r\n" in heads[3]
    assert b"content-type" not in heads[3]
    assert len(heads) == 4


# How often, and when again.


async def test_while_the_system_wants_to_be_left_alone_nothing_is_sent() -> None:
    async with wire(said(429, Retry_After="7"), said(200, {})) as server, opened(server.url) as client:
        for _ in range(3):
            error = await failing(client, "GET")
            assert isinstance(error, Unavailable)
            assert (error.why, error.retry_after, error.system) == ("busy", 7.0, "tickets")
    assert len(server.asked) == 1


async def test_a_system_that_fails_again_and_again_is_not_asked() -> None:
    async with wire(said(500)) as server, opened(server.url) as client:
        for _ in range(MOST):
            await failing(client, "GET")
        assert type(await failing(client, "GET")) is Resting
    assert len(server.asked) == MOST


@given(st.text() | st.from_regex(r"(\w{3}, )?\d{1,3} \w{3} \d{1,9} \d\d?:\d\d?:\d\d?( GMT| [+-]\d{4})?"))
def test_whatever_a_server_says_of_waiting_it_is_seconds_within_a_bound_or_nothing(value: str) -> None:
    wait = retry_after({"Retry-After": value})
    assert wait is None or 0 <= wait <= LONGEST_WAIT


@given(st.integers(0, 10**30), st.integers(-(10**6), 10**6))
def test_a_number_and_a_date_say_for_how_long_to_wait(seconds: int, ahead: int) -> None:
    assert retry_after({"Retry-After": f" {seconds} "}) == min(seconds, LONGEST_WAIT)
    now = datetime(2026, 10, 21, 7, 28, tzinfo=UTC)
    then = format_datetime(now + timedelta(seconds=ahead), usegmt=True)
    expected = min(ahead, LONGEST_WAIT) if ahead > 0 else None
    assert retry_after({"Retry-After": then, "Date": format_datetime(now, usegmt=True)}) == expected


# Lists.


async def test_the_connector_that_the_documents_show_works() -> None:
    first, second = ({"id": name, "title": name, "version": "1"} for name in "ab")
    pages = [
        said(200, {"tickets": [first]}, Link='<?at=2>; rel="next"'),
        said(200, {"tickets": [second]}),
        said(204),
    ]
    async with wire(*pages) as server, opened(server.url) as client:
        found = await Tickets(client).of("a/da")
        with acting():
            await Tickets(client).close(found[1])
    assert [ticket.id for ticket in found] == ["a", "b"]
    assert [one.split()[1] for one in server.asked] == [
        b"/api/people/a%2Fda/tickets",
        b"/api/people/a%2Fda/tickets?at=2",
        b"/api/tickets/b",
    ]
    document = (ROOT / "docs" / "add-a-connector.md").read_text(encoding="utf-8")
    shown = (ROOT / "tests/unit/connectors/tickets.py").read_text(encoding="utf-8")
    assert shown[shown.index("class Tickets:") :].strip() in document
