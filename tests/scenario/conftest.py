"""What the scenarios share."""

from pathlib import Path

import pytest

from tests.scenario.slack_office import write_handbook


@pytest.fixture(scope="session")
def slack_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a small handbook, read once for all scenarios."""
    home = tmp_path_factory.mktemp("slack-home")
    write_handbook(home)
    return home
