"""PgBouncer before the oldest PostgreSQL: everything works, or is refused with the reason."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from bot.database import Database, DatabaseUnavailable, open_database, open_owner
from bot.jobs import Jobs
from bot.serving import in_bot
from connectors.keys import Keys
from connectors.sandbox.process import Running
from graphs.audit import Vault
from graphs.records import Answered, RunStatus
from tests.scenario.desk import open_office
from tests.scenario.own_postgres import login, pgbouncer, postgres
from tests.scenario.slack_office import ADA, ASK_POLICY, BOT
from tests.scenario.slack_office import open_office as open_slack_office
from tests.scenario.test_it_access import WANTED, ask, click
from tests.scenario.test_slack_jobs import Bench, until, working
from tests.scenario.test_slack_office import seen


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The oldest PostgreSQL that is promised; how its superuser connects."""
    with postgres("15", tmp_path_factory.mktemp("theirs") / "postgres") as conninfo:
        login(conninfo, "bot", "CREATEROLE")
        with psycopg.connect(conninfo, autocommit=True) as conn:
            conn.execute("GRANT CREATE ON DATABASE company TO bot")
        yield conninfo


@pytest.fixture(scope="module")
def pooled(admin: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same database behind PgBouncer in session mode; how the application connects."""
    settings = "ignore_startup_parameters = options"  # dropped without a word: nothing may depend on them
    with pgbouncer(admin, tmp_path_factory.mktemp("pooler"), mode="session", settings=settings) as conninfo:
        yield make_conninfo(conninfo, user="bot")


@asynccontextmanager
async def opened(home: Path, url: str, tenant: str) -> AsyncIterator[Database]:
    async with open_database(home, url, tenant=tenant) as database:
        database.book.open(Vault(Keys.fresh()))
        yield database


async def test_every_session_behind_the_pooler_is_set_as_ours(pooled: str, tmp_path: Path) -> None:
    ours = (
        "SELECT current_user AS role, current_schema AS schema, current_setting('timezone') AS zone,"
        " current_setting('countersign.tenant') AS tenant,"
        " current_setting('idle_in_transaction_session_timeout') AS idle"
    )
    async with opened(tmp_path, pooled, "one") as database, opened(tmp_path, pooled, "two") as other:
        for each, tenant in ((database, "one"), (other, "two")):
            for pool in (each.pool, each.saver_pool):
                async with pool.connection() as conn:
                    assert await (await conn.execute(ours)).fetchone() == {
                        "role": "countersign_app",
                        "schema": "countersign",
                        "zone": "UTC",
                        "tenant": tenant,
                        "idle": "20s",
                    }
        with in_bot(tmp_path, database.conninfo) as serving:
            assert serving.current() is None


async def test_an_answer_to_a_request_comes_through_the_pooler(
    pooled: str, tmp_path: Path, server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the request over approval to the effect: locks, fences, checkpoints, the record."""

    @asynccontextmanager
    async def owner(
        home: Path, url: str | None
    ) -> AsyncIterator[psycopg.AsyncConnection[tuple[object, ...]]]:
        async with open_owner(home, pooled) as conn:
            yield conn

    monkeypatch.setattr("tests.scenario.desk.open_owner", owner)
    async with (
        opened(tmp_path, pooled, "larkfield") as database,
        open_office(database, tmp_path, server) as office,
    ):
        run = await ask(office, WANTED)
        assert await click(office, office.desk.cards[-1], "grace.lindqvist") is Answered.RECORDED
        assert (await office.runs.run(run)).status is RunStatus.DONE


async def test_a_job_is_notified_of_through_the_pooler(pooled: str, tmp_path: Path) -> None:
    async with opened(tmp_path, pooled, "jobs") as database, Jobs.open(database) as jobs:
        bench = Bench()
        async with working(jobs, bench):
            async with database.pool.connection() as conn:
                await jobs.reply(conn, "e1")
            await until(lambda: bench.done == ["reply e1"])


async def test_a_question_is_answered_through_the_pooler(
    pooled: str, tmp_path: Path, slack_home: Path, server: Running
) -> None:
    async with (
        opened(tmp_path, pooled, "main") as database,
        open_slack_office(database, tmp_path, slack_home, server) as office,
    ):
        ts = await office.people.message(
            f"<@{BOT}> how many days of annual leave do I get?", as_=ADA, channel=ASK_POLICY
        )
        await seen(office, "27 days", as_=ADA, channel=ASK_POLICY, thread=ts)


@pytest.mark.parametrize("mode", ["transaction", "statement"])
@pytest.mark.parametrize("settings", ["", "server_round_robin = 1\nmin_pool_size = 3"], ids=["lifo", "robin"])
async def test_a_pooler_that_shares_sessions_is_refused_and_left_as_it_was(
    admin: str, tmp_path: Path, mode: str, settings: str
) -> None:
    with pgbouncer(admin, tmp_path / "pooler", mode=mode, settings=settings) as conninfo:
        for _ in range(2):
            with pytest.raises(DatabaseUnavailable, match="Set pool_mode = session"):
                async with open_database(tmp_path, conninfo):
                    pass
            with pytest.raises(DatabaseUnavailable, match="Set pool_mode = session"):
                async with open_owner(tmp_path, conninfo):
                    pass
        with psycopg.connect(conninfo, autocommit=True) as conn:
            assert conn.execute("SELECT current_user").fetchone() == ("admin",)


async def test_a_pooler_without_a_free_session_is_named(admin: str, tmp_path: Path) -> None:
    settings = "default_pool_size = 1\nquery_wait_timeout = 2"
    with (
        pgbouncer(admin, tmp_path / "pooler", mode="session", settings=settings) as conninfo,
        pytest.raises(DatabaseUnavailable, match="default_pool_size"),
    ):
        async with open_database(tmp_path, conninfo):
            pass
