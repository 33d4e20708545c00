"""What the scenarios share."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.sandbox import process
from connectors.sandbox.process import Running
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


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    """A directory server of this test alone."""
    async with process.directory(tmp_path / "directory", faults=True) as running:
        yield running
