"""No error, log or repr of the one client shows a credential, or a value of what was asked and answered."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel

from connectors.errors import Ambiguous, ConnectorError, Invalid, Mismatch, Unreadable
from connectors.http import Client, open_http
from tests.wire import DROP, NOWHERE, QUICK, SILENCE, TOKEN, acting, opened, said, wire


def everything(error: object, seen: set[int]) -> Iterator[str]:
    """What can be reached from an error, as text."""
    if id(error) in seen:
        return
    seen.add(id(error))
    yield f"{error!r} {error!s}"
    inner = [*vars(error).values()] if hasattr(error, "__dict__") else []
    inner += [*error.items()] if isinstance(error, Mapping) else []
    inner += [*error] if isinstance(error, tuple | list) else []
    if isinstance(error, BaseException):
        inner += [error.__cause__, error.__context__, error.args]
    for one in inner:
        if not isinstance(one, str | int | float | None):
            yield from everything(one, seen)
        else:
            yield str(one)


class Issue(BaseModel):
    id: int


async def shown(client: Client, method: str) -> None:
    found = await client.request(method, "/issues/ada", params={"q": "ada@x.example"})
    assert TOKEN not in repr(found)
    await found.json(Issue.model_validate)


@pytest.mark.parametrize(
    "answer",
    [
        DROP,
        SILENCE,
        f"HTTP/1.1 {TOKEN}\r\n\r\n".encode(),
        f"HTTP/1.1 200 OK\r\n{TOKEN}\r\n\r\n".encode(),
        said(200, TOKEN.encode()),
        said(200, {"id": TOKEN}),
        said(200, {TOKEN: 1}),
        said(200, {"id": 1}, Content_Type=f"text/{TOKEN}"),
        said(200, {"id": 1}, Content_Type=TOKEN),
        said(200, TOKEN.encode(), Content_Encoding="gzip"),
        said(302, Location=f"/{TOKEN}"),
        said(302, Location=f"http://{TOKEN}.example/"),
        said(401, {"error": f"{TOKEN} is unknown"}),
        said(429, {"error": TOKEN}, Retry_After=TOKEN),
        said(500, TOKEN.encode()),
    ],
)
async def test_no_error_log_or_repr_shows_a_credential_or_a_value(
    answer: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with wire(answer) as server, opened(server.url, replace(QUICK, redirects=1)) as client:
        for method in ("GET", "PATCH"):
            with acting(), pytest.raises(ConnectorError) as caught:
                await shown(client, method)
            for text in everything(caught.value, set()):
                assert TOKEN not in text
                assert "httpx" not in text
        assert repr(client) == "<Client of the ticket system>"
    assert "ada@x.example" not in caplog.text
    assert "ada%40x.example" not in caplog.text
    assert TOKEN not in caplog.text


async def test_a_credential_that_cannot_be_sent_is_refused_and_not_shown() -> None:
    for odd in (f"{TOKEN}\n", f"{TOKEN}\N{SNOWMAN}"):
        with pytest.raises(Invalid) as caught:
            async with open_http("tickets", NOWHERE, {"Authorization": f"Bearer {odd}"}):
                pass
        assert not [text for text in everything(caught.value, set()) if TOKEN in text]


@pytest.mark.parametrize(
    "answer",
    [
        said(200, {"id": 1}, Content_Type="text/html"),
        said(204),
        said(200),
        said(200, b"{"),
        said(200, b"[" * 100_000),
        said(200, b"\xff\xfe"),
        said(200, {"id": "not a number"}),
        said(200, []),
    ],
)
async def test_what_is_not_the_json_that_was_expected_is_unreadable(answer: bytes) -> None:
    async with wire(answer) as server, opened(server.url) as client:
        with pytest.raises(Unreadable):
            await client.get("/issues/1", lambda data: Issue(id=int(data["id"])))
        with acting(), pytest.raises(Ambiguous):
            await (await client.request("POST", "/issues", json={})).json(Issue.model_validate)


async def test_a_record_that_does_not_fit_says_so_in_its_own_words() -> None:
    def refuse(_: Any) -> Any:
        raise Mismatch("another issue came back")

    answer = said(200, {}, Content_Type="application/vnd.tickets+json; v=1")
    async with wire(answer) as server, opened(server.url) as client:
        with pytest.raises(Mismatch, match="another issue"):
            await client.get("/issues/1", refuse)
