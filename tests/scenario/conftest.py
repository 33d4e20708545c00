"""What the scenarios share."""

import shutil
from pathlib import Path

import pytest

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
