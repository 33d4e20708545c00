"""What the scenarios share."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from bot.database import Database
from connectors.sandbox import process
from connectors.sandbox.process import Running
from knowledge import embedder
from tests.scenario.desk import Office, open_office
from tests.scenario.slack_office import write_handbook


@pytest.fixture(scope="session")
def read_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a small handbook, read once for all scenarios."""
    home = tmp_path_factory.mktemp("slack-home")
    write_handbook(home)
    return home


@pytest.fixture
def slack_home(read_home: Path, tmp_path: Path) -> Path:
    """A copy of it: which edition serves in a home is up to that home's database."""
    home = tmp_path / "slack-home"
    home.mkdir()
    shutil.copytree(read_home / "editions", home / "editions")
    (home / "models").symlink_to(read_home / "models")
    return home


_LOADED: dict[Path, embedder.MiniLM] = {}


@pytest.fixture(scope="module", autouse=True)
def model_loaded_once() -> Iterator[None]:
    """A bot's process loads its model once; these tests open a hundred bots in one process."""
    load = embedder.load

    def once(home: Path, *, threads: int | None = None) -> embedder.MiniLM:
        place = (home / "models").resolve()
        if place not in _LOADED:
            _LOADED[place] = load(home, threads=threads)
        return _LOADED[place]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedder, "load", once)
        yield


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def directory_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with process.directory(tmp_path_factory.mktemp("directory"), faults=True) as running:
        yield running


@pytest.fixture
async def server(directory_server: Running) -> Running:
    """A directory server as it is at its first start, for this test alone."""
    async with httpx.AsyncClient(trust_env=False, verify=False) as http:
        answer = await http.post(
            f"{directory_server.url.removesuffix('/v2')}/_sandbox/reset",
            headers={"Authorization": f"Bearer {directory_server.token}"},
        )
    answer.raise_for_status()
    return directory_server


@pytest.fixture
async def office(database: Database, database_home: Path, server: Running) -> AsyncIterator[Office]:
    """The runs over a real database and directory, worked on by hand."""
    async with open_office(database, database_home, server) as opened:
        yield opened
