"""The database is read-only, or away, for longer than Slack repeats itself: questions are answered after."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bot.database import open_database
from bot.jobs import Jobs
from bot.workspace import server as workspace
from bot.workspace.timing import Timing
from connectors.keys import Keys
from connectors.sandbox import process
from graphs.audit import Vault
from tests.scenario.own_postgres import Own, own
from tests.scenario.slack_office import ADA, ASK_POLICY, BOT, TOMAS, Office, open_office, texts
from tests.scenario.test_slack_jobs import until
from tests.scenario.test_slack_office import seen

QUESTION = f"<@{BOT}> how many days of annual leave do I get?"
ANSWER = "27 days"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    with own("18", tmp_path_factory.mktemp("theirs") / "postgres") as running:
        yield running


@dataclass(frozen=True, kw_only=True)
class Outage:
    begin: Callable[[], None]
    end: Callable[[], None]


@pytest.fixture(params=["read-only", "away"])
def outage(request: pytest.FixtureRequest, server: Own) -> Outage:
    if request.param == "away":
        return Outage(begin=server.stop, end=server.start)
    return Outage(begin=partial(server.write, False), end=partial(server.write, True))


@pytest.fixture
async def office(
    server: Own, outage: Outage, tmp_path: Path, slack_home: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Office]:
    """A bot on that server, in a workspace that repeats nothing: as if its last repetition were over."""
    silent = partial(workspace.running, timing=Timing(retries=()))
    monkeypatch.setattr("tests.scenario.slack_office.running", silent)
    async with (
        process.directory(tmp_path / "directory") as directory,
        open_database(tmp_path, server.conninfo, tenant=tmp_path.name) as database,
    ):
        database.book.open(Vault(Keys.fresh()))
        async with open_office(database, tmp_path, slack_home, directory) as opened:
            yield opened


async def test_what_was_asked_meanwhile_is_answered_once_after(office: Office, outage: Outage) -> None:
    people = office.people
    before = [await people.message(QUESTION, as_=TOMAS, channel=ASK_POLICY) for _ in range(2)]
    await asyncio.to_thread(outage.begin)  # while the bot may be at work on them
    try:
        conversation = await office.dm(ADA)
        during = [
            await people.message(QUESTION, as_=ADA, channel=ASK_POLICY),
            await people.message(QUESTION, as_=TOMAS, channel=ASK_POLICY),
        ]
        direct = await people.message("how many days of annual leave?", as_=ADA, channel=conversation)

        async def refused() -> bool:
            """All three have been sent, and none was acknowledged: nothing was accepted."""
            given_up = [one for one in await people.deliveries() if not one["acknowledged"]]
            return len([one for one in given_up if one["type"] == "events_api"]) >= 3

        await until(refused, seconds=60)
    finally:
        await asyncio.to_thread(outage.end)
    for ts in [*before, *during]:
        await seen(office, ANSWER, as_=ADA, channel=ASK_POLICY, thread=ts)
    await seen(office, ANSWER, as_=ADA, channel=conversation, thread=direct)
    await seen_again(office)
    for ts in [*before, *during]:
        assert await answers(office, ts) == 1


async def seen_again(office: Office) -> None:
    """A question that is asked after the outage is answered: the pools and the worker are back."""
    ts = await office.people.message(QUESTION, as_=ADA, channel=ASK_POLICY)
    await seen(office, ANSWER, as_=ADA, channel=ASK_POLICY, thread=ts)


async def answers(office: Office, ts: str) -> int:
    found: list[dict[str, Any]] = await office.people.messages(as_=ADA, channel=ASK_POLICY, thread_ts=ts)
    return len([one for one in found if ANSWER in texts(one)])


async def test_the_pools_are_back_soon_however_long_the_database_was_away(
    server: Own, tmp_path: Path
) -> None:
    """Each tries on at the same pace: after six attempts that failed, too."""
    async with (
        open_database(tmp_path, server.conninfo) as database,
        Jobs.open(database) as jobs,
    ):
        pools = [database.pool, database.saver_pool, jobs._app.connector.pool]  # type: ignore[attr-defined]
        for pool in pools:
            pool.pop_stats()
        await asyncio.to_thread(server.stop)
        try:
            waiting = [asyncio.create_task(pool.getconn(timeout=120)) for pool in pools]
            await until(
                lambda: all(pool.get_stats().get("connections_errors", 0) >= 6 for pool in pools), seconds=60
            )
        finally:
            await asyncio.to_thread(server.start)
        async with asyncio.timeout(12):
            for pool, task in zip(pools, waiting, strict=True):
                await pool.putconn(await task)
