"""Every operation when the network and the other side are unkind, at any of the requests that it makes."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Literal

import httpx
import pytest

from connectors import permits
from connectors.errors import (
    Ambiguous,
    ConnectorError,
    Incomplete,
    Invalid,
    TooLarge,
    Unavailable,
    Unreadable,
)
from connectors.http import Answer, Client
from connectors.registry import connect
from tests.contract.worlds import KEY, WORLDS, Bench, every_call, needed_case
from tests.wire import said, wire


@asynccontextmanager
async def arranged(name: str, server: Any, within: float = 2.0) -> AsyncIterator[Bench]:
    """An operation that has something to do."""
    async with connect(directory=replace(server.settings, timeout=within)) as (connectors, mint):
        bench = Bench(
            operation=connectors.registry.operation(name), world=WORLDS[name](server=server), mint=mint
        )
        bench.world.arrange(needed_case(bench))
        yield bench


async def refused(bench: Bench) -> ConnectorError:
    """What an `apply` raises that writes nothing."""
    before = bench.world.state(), bench.world.writes()
    with pytest.raises(ConnectorError) as caught:
        await bench.apply(needed_case(bench).payload)
    assert (bench.world.state(), bench.world.writes()) == before
    return caught.value


@pytest.mark.parametrize("dated", [False, True], ids=["a number of seconds", "a date"])
async def test_how_long_to_wait_is_said_and_kept(name: str, server: Any, *, dated: bool) -> None:
    async with arranged(name, server) as bench:
        server.arm("rate_limited", seconds=7, dated=dated)  # once

        errors = await every_call(bench, needed_case(bench))

        assert {type(error) for error in errors} == {Unavailable}
        assert all(5 <= getattr(error, "retry_after", 0) <= 8 for error in errors)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("half_after", Unavailable),
        ("mistyped_after", Unreadable),
        ("endless_after", TooLarge),
    ],
)
async def test_a_read_that_is_answered_badly_is_no_answer(
    name: str, server: Any, kind: str, expected: type[ConnectorError]
) -> None:
    async with arranged(name, server) as bench:
        server.arm(kind, times=0)

        errors = await every_call(bench, needed_case(bench))

        assert [type(error) for error in errors] == [expected] * 4


@pytest.mark.parametrize("act", ["apply", "undo"])
@pytest.mark.parametrize("kind", ["half_after", "mistyped_after", "endless_after"])
async def test_a_write_that_is_answered_badly_is_ambiguous_and_found_by_looking(
    name: str, server: Any, kind: str, act: Literal["apply", "undo"]
) -> None:
    async with arranged(name, server) as bench:
        payload = needed_case(bench).payload
        result = await bench.apply(payload) if act == "undo" else None
        writes = bench.world.writes()
        server.arm(kind, on="write")

        with pytest.raises(Ambiguous):
            await (bench.undo(payload, result) if result else bench.apply(payload))

        assert bench.world.writes() == writes + 1
        assert (await bench.operation.find(payload, KEY) is None) is (act == "undo")


async def test_a_list_that_is_cut_short_proves_no_absence(name: str, server: Any) -> None:
    async with arranged(name, server) as bench:
        payload = needed_case(bench).payload
        server.arm("cut", on="search", times=0)

        assert type(await refused(bench)) is Incomplete
        for look in (bench.operation.preview(payload), bench.operation.find(payload, KEY)):
            with pytest.raises(Incomplete):
                await look


async def test_a_system_that_lags_behind_is_ambiguous_and_nothing_is_sent_twice(
    name: str, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.directory.memberships.LOOKS", (0.0, 0.0))
    async with arranged(name, server) as bench:
        payload, writes = needed_case(bench).payload, bench.world.writes()
        server.arm("stale", on="search", times=0)
        server.arm("stale", on="read", times=0)

        with pytest.raises(Ambiguous):
            await bench.apply(payload)
        server.clear()

        assert bench.world.writes() == writes + 1
        assert await bench.operation.find(payload, KEY) is not None
        await bench.apply(payload)
        assert bench.world.writes() == writes + 1


@pytest.mark.parametrize("on", ["search", "write"])
async def test_a_redirect_to_another_host_gets_neither_credential_nor_request(
    name: str, server: Any, on: str
) -> None:
    async with wire(said(200, {})) as other, arranged(name, server) as bench:
        server.arm("elsewhere", on=on, to=other.url, times=0)

        assert type(await refused(bench)) is Invalid

    assert other.connections == 0


Exchange = Callable[..., Any]


async def test_a_write_that_finds_no_connection_has_not_happened(
    name: str, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Exchange = Client._exchange

    async def lost(client: Client, asked: httpx.Request, *, writes: bool) -> Answer:
        if writes:
            asked.url = asked.url.copy_with(port=9)  # where nobody listens
        answer: Answer = await real(client, asked, writes=writes)
        return answer

    async with arranged(name, server) as bench:
        monkeypatch.setattr(Client, "_exchange", lost)
        assert type(await refused(bench)) is Unavailable


async def test_behind_its_lease_an_operation_sends_nothing(
    name: str, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with arranged(name, server) as bench:
        monkeypatch.setattr(permits, "LEASE", -1.0)
        assert type(await refused(bench)) is Unavailable
