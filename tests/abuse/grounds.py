"""Opening an arena: over a database and a directory that are there, or with both of its own."""

import logging
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from bot.database import open_database, open_owner
from bot.storage.cluster import Cluster
from bot.storage.embedded import Embedded
from connectors.keys import Keys
from connectors.registry import DirectorySettings, connect
from connectors.sandbox import process
from connectors.sandbox.process import Running
from graphs.audit import Vault
from graphs.kit import Kind
from graphs.policy.engine import Policy
from graphs.runs import Runs
from graphs.sealed import Seal
from tests.abuse.arena import ADMINISTRATOR, Arena
from tests.abuse.scenes import scenes, workflows
from tests.scenario.desk import DatabaseClock, Desk, Office, open_office

if TYPE_CHECKING:
    from tests.abuse.front import Front


@contextmanager
def unlogged() -> Iterator[None]:
    """Keep the log silent: every abuse is logged, as it should be, and there are thousands."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


@asynccontextmanager
async def arena() -> AsyncIterator[Arena]:
    """Open an arena with a database and a directory of its own; nothing is logged while it is open."""
    with unlogged(), tempfile.TemporaryDirectory(prefix="countersign-abuse-") as folder:
        home = Path(folder) / "home"
        home.mkdir()
        hurry(home)
        async with (
            Embedded(home),
            process.directory(Path(folder) / "directory", faults=True) as server,
            opened(home, server) as found,
        ):
            yield found


@asynccontextmanager
async def office(
    home: Path, folder: Path, *, more: Sequence[Kind] = ()
) -> AsyncIterator[tuple[Office, process.Running]]:
    """Open an office on a running database, in which and in whose directory nobody has done anything."""
    async with (
        open_database(home, None, tenant=f"office-{secrets.token_hex(6)}") as database,
        process.directory(folder, faults=True) as server,
        open_office(database, home, server, more=more) as opened_,
    ):
        yield opened_, server


def hurry(home: Path) -> None:
    """Make the home's database one that does not wait for the disk.

    Nothing is killed here and no power fails, so nothing that these figures say depends on it. What a kill
    leaves behind is measured by `make crash-sweep`, on a database that waits.
    """
    cluster = Cluster(home)
    cluster.prepare()
    cluster.ready()
    with (cluster.data / "postgresql.auto.conf").open("a") as settings:
        settings.write("fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n")


@asynccontextmanager
async def opened(home: Path, server: Running, *, policy: Policy | None = None) -> AsyncIterator[Arena]:
    """Open an arena over the database of a home and a directory server with faults."""
    desk = Desk()
    settings = DirectorySettings(
        url=server.url, token=server.read_token, write_token=server.token, issuer="larkfield", timeout=5
    )
    headers = {
        "Authorization": f"Bearer {server.token}",
        "Content-Type": "application/scim+json",
        "User-Agent": ADMINISTRATOR,
    }
    tenant = f"abuse-{secrets.token_hex(6)}"
    async with (
        open_database(home, None, tenant=tenant) as database,
        open_owner(home, None) as admin,
        connect(directory=settings) as (connectors, mint),
        httpx.AsyncClient(
            base_url=server.url.removesuffix("/v2"), headers=headers, trust_env=False, verify=False
        ) as scim,
        Runs.open(
            pool=database.pool,
            saver_pool=database.saver_pool,
            workflows=tuple(workflows()),
            clock=DatabaseClock(),
            queue=desk,
            notifier=desk,
            evidence=desk,
            directory=connectors.directory,
            registry=connectors.registry,
            mint=mint,
            policy=policy or Policy.shipped(),
            seal=Seal(Keys.fresh(), tenant),
        ) as runs,
        AsyncExitStack() as later,
    ):
        database.book.open(Vault(Keys.fresh()))
        face: list[Front] = []

        async def slack() -> "Front":
            if not face:
                from tests.abuse import front  # with Slack's library, which takes seconds to import

                face.append(
                    await later.enter_async_context(
                        front.opened(home, connectors.directory, runs, tenant=tenant)
                    )
                )
            return face[0]

        yield Arena(
            runs=runs,
            desk=desk,
            database=database,
            admin=admin,
            home=home,
            connectors=connectors,
            mint=mint,
            scim=scim,
            scene=scenes()[0],
            tenant=tenant,
            slack=slack,
        )
