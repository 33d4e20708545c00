"""A real directory server on loopback, with faults to arm, and an administrator's view of it."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from connectors.base import Mint
from connectors.registry import Connectors, DirectorySettings, connect
from connectors.sandbox import company
from connectors.sandbox.process import Running, directory, tickets
from tests.contract.tracker import Desk, Tracker, as_account, desk, keys
from tests.contract.worlds import NAMES, WORLDS, Bench

GROUP_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Group"


@dataclass(frozen=True, kw_only=True)
class Server:
    """The server as an administrator sees it: plain HTTP, no connector."""

    url: str
    token: str
    read_token: str
    http: httpx.Client

    @property
    def settings(self) -> DirectorySettings:
        return DirectorySettings(
            url=self.url,
            token=self.read_token,
            write_token=self.token,
            issuer=company.ISSUER,
            timeout=10,
        )

    def get(self, path: str) -> dict[str, Any]:
        return self.http.get(path).raise_for_status().json()  # type: ignore[no-any-return]

    def members(self, group: str) -> frozenset[str]:
        found = self.get(f"/v2/Groups/{company.record_id('Group', group)}")
        return frozenset(member["value"] for member in found.get("members", []))

    def set_members(self, group: str, people: frozenset[str]) -> None:
        body = {
            "schemas": [GROUP_SCHEMA],
            "displayName": group,
            "members": [{"value": person} for person in sorted(people)],
        }
        self.http.put(f"/v2/Groups/{company.record_id('Group', group)}", json=body).raise_for_status()

    def change(self, path: str, **values: Any) -> None:
        record = self.get(path) | values
        self.http.put(path, json=record).raise_for_status()

    def changes(self) -> list[dict[str, Any]]:
        return self.get("/_sandbox/log")["changes"]  # type: ignore[no-any-return]

    def arm(self, kind: str, **details: Any) -> None:
        self.http.post("/_sandbox/faults", json={"kind": kind, **details}).raise_for_status()

    def clear(self) -> None:
        self.http.delete("/_sandbox/faults").raise_for_status()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    folder: Path = tmp_path_factory.mktemp("directory")
    async with directory(folder, faults=True) as server:
        yield server


@pytest.fixture
def server(running: Running) -> Iterator[Server]:
    headers = {"Authorization": f"Bearer {running.token}", "Content-Type": "application/scim+json"}
    with httpx.Client(
        base_url=running.url.removesuffix("/v2"), headers=headers, trust_env=False, verify=False
    ) as http:
        server = Server(url=running.url, token=running.token, read_token=running.read_token, http=http)
        yield server
        server.clear()


@pytest_asyncio.fixture
async def connected(server: Server) -> AsyncIterator[tuple[Connectors, Mint]]:
    async with connect(directory=server.settings) as both:
        yield both


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bench(name: str, connected: tuple[Connectors, Mint], server: Any) -> Bench:
    connectors, mint = connected
    return Bench(operation=connectors.registry.operation(name), world=WORLDS[name](server=server), mint=mint)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tracker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tracker]:
    state: Path = tmp_path_factory.mktemp("tickets")
    async with tickets(state) as running:
        with as_account(running.url, running.token) as http:
            yield Tracker(running=running, state=state, http=http)


@pytest_asyncio.fixture
async def at_desk(tracker: Tracker) -> AsyncIterator[Desk]:
    async with desk(tracker.running) as opened:
        yield opened


@pytest.fixture
def key() -> str:
    return next(keys())
