"""Fixtures that all kinds of tests share."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot.database import Database, open_database
from bot.postgres import Embedded


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real handbooks, questions and payloads beside the checkout."""
    folder = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.fail(f"the real data that this test reads is missing: {folder} (see CONTRIBUTING.md)")
    return folder


@pytest.fixture(scope="session")
def database_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose PostgreSQL server runs for the whole session."""
    home = tmp_path_factory.mktemp("database")
    with asyncio.Runner() as runner:
        server = Embedded(home)
        runner.run(server.__aenter__())
        yield home
        runner.run(server.__aexit__(None, None, None))


@pytest.fixture
async def database(database_home: Path) -> AsyncIterator[Database]:
    """A database that is empty as far as this test's tenant can see."""
    async with open_database(database_home, None, tenant=f"test-{secrets.token_hex(6)}") as opened:
        yield opened
