"""Fixtures that all kinds of tests share."""

import asyncio
import fcntl
import logging
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from bot.database import Database, open_database, open_owner
from bot.storage.embedded import Embedded
from connectors.keys import Keys
from graphs.audit import Vault

if TYPE_CHECKING:
    from tests.town import Town


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--renew-pictures", action="store_true", help="write the documentation's screenshots anew"
    )


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything can run, a test that was skipped has failed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Fail a test that leaves the log silent: later tests of what is logged would prove nothing."""
    yield
    silenced, logging.root.manager.disable = logging.root.manager.disable, logging.NOTSET
    assert silenced == logging.NOTSET, "this test left the log disabled"


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
    """A database that is empty as far as this test's tenant can see, and whose clock is right."""
    async with open_database(database_home, None, tenant=f"test-{secrets.token_hex(6)}") as opened:
        async with open_owner(database_home, None) as conn:
            await conn.execute("UPDATE clock SET shift = interval '0'")
        opened.book.open(Vault(Keys.fresh()))
        yield opened


@pytest.fixture(scope="session")
def prepared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo's home that is ready to start, to be copied: the handbook is read, the database migrated.

    Made once, whoever of several test processes is first.
    """
    from tests import town

    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    home, ready = shared / "prepared-home", shared / "prepared-home.ready"
    with (shared / "prepared-home.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            asyncio.run(town.prepare(home))
            ready.touch()
    return home


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running_town(
    prepared_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> "AsyncIterator[Town]":
    """Workspace, directory and two bots as processes, so that two clicks at once meet two of them."""
    from tests import town

    home = town.copied(prepared_home, tmp_path_factory.mktemp("town") / "home")
    async with town.open_town(home, bots=2) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def town(running_town: "Town") -> "Town":
    """The running installation, every process of it alive and without the faults of the test before.

    Its tests share the session's event loop: `pytestmark = pytest.mark.asyncio(loop_scope="session")`.
    """
    await running_town.ensure_up()
    return running_town
