"""One installation for the tests that kill its processes; each test finds it whole again.

Tests here share the session's event loop: `pytestmark = pytest.mark.asyncio(loop_scope="session")`.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.town import Town, copied, open_town


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def mortal_town(prepared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """Workspace, directory and bot, each a process that may be killed."""
    home = copied(prepared_home, tmp_path_factory.mktemp("crash") / "home")
    async with open_town(home) as town:
        yield town


@pytest_asyncio.fixture(loop_scope="session")
async def town(mortal_town: Town) -> Town:
    """The installation, every process of it alive and without faults."""
    await mortal_town.ensure_up()
    return mortal_town
