"""Scheduled sources: fetched when due, by one worker at a time, and what went wrong is kept."""

import asyncio
import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.database import Database
from bot.jobs import Jobs, Round
from bot.schedule import Schedule
from bot.sync import IngestFailed, Sync, ingesting
from knowledge import embedder
from knowledge.edition import open_current
from tests.scenario.test_slack_jobs import Bench, until, working


@dataclass
class Reading:
    """An ingest that writes down what it was asked for."""

    asked: list[list[str]] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    failure: str = ""
    pause: float = 0.0
    at_once: int = 0
    most_at_once: int = 0

    async def __call__(self, names: Sequence[str]) -> Mapping[str, str]:
        self.asked.append(list(names))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(self.pause)
        self.at_once -= 1
        if self.failure:
            raise IngestFailed(self.failure)
        return self.problems


@dataclass
class Rounds(Bench):
    """A worker's rounds, with sources alone."""

    syncing: Sync | None = None
    jobs: Jobs | None = None
    database: Database | None = None

    async def sync(self) -> None:
        assert self.syncing
        await self.syncing.run()

    def rounds(self) -> tuple[Round, ...]:
        return (self.sweep,)

    async def sweep(self) -> None:
        assert self.database
        assert self.syncing
        assert self.jobs
        async with self.database.pool.connection() as conn:
            await self.syncing.sweep(conn, self.jobs.sync)


async def rows(database: Database) -> dict[str, dict[str, Any]]:
    async with database.pool.connection() as conn:
        cursor = await conn.execute("SELECT *, due_at - clock_timestamp() AS wait FROM sync")
        return {row["source"]: row for row in await cursor.fetchall()}


async def make_due(database: Database) -> None:
    async with database.pool.connection() as conn:
        await conn.execute("UPDATE sync SET due_at = clock_timestamp()")


async def test_two_workers_fetch_what_is_due_once_and_wait_for_the_schedule(database: Database) -> None:
    reading = Reading(pause=0.2)
    async with AsyncExitStack() as stack:
        for _ in range(2):
            jobs = await stack.enter_async_context(Jobs.open(database))
            sync = Sync(database.pool, {"handbook": "1h", "site": "daily 03:00 Europe/Amsterdam"}, reading)
            await stack.enter_async_context(working(jobs, Rounds(syncing=sync, jobs=jobs, database=database)))

        async def done() -> bool:
            found = await rows(database)
            return len(found) == 2 and all(row["outcome"] == "done" for row in found.values())

        await until(done)
        assert reading.asked == [["handbook", "site"]]
        await make_due(database)
        await until(lambda: len(reading.asked) == 2)
        await until(done)
    assert reading.most_at_once == 1
    found = await rows(database)
    assert timedelta(minutes=59) < found["handbook"]["wait"] <= timedelta(hours=1)
    assert found["site"]["wait"] <= timedelta(days=1)


async def test_a_source_that_fails_is_tried_again_sooner_and_says_why(database: Database) -> None:
    reading = Reading(problems={"site": "the server answers with 503"})
    sync = Sync(database.pool, {"handbook": "12h", "site": "12h"}, reading)
    await swept(database, sync)
    await sync.run()
    found = await rows(database)
    assert (found["handbook"]["outcome"], found["site"]["outcome"]) == ("done", "failed")
    assert found["site"]["detail"] == "the server answers with 503"
    assert found["site"]["wait"] <= timedelta(minutes=15)
    assert found["handbook"]["wait"] > timedelta(hours=11)
    await sync.run()
    assert len(reading.asked) == 1  # nothing is wanted any more


async def test_an_ingest_that_fails_altogether_is_kept_for_every_source(database: Database) -> None:
    sync = Sync(database.pool, {"handbook": "1h"}, Reading(failure="The disk is full."))
    await swept(database, sync)
    await sync.run()
    assert (await rows(database))["handbook"]["detail"] == "The disk is full."


async def test_rows_follow_the_settings(database: Database) -> None:
    await swept(database, Sync(database.pool, {"a": "1h", "b": "1h"}, Reading()))
    first = Sync(database.pool, {"a": "1h", "b": "1h"}, Reading())
    await first.run()
    later = Sync(database.pool, {"b": "2h", "a": "1h"}, Reading())
    assert await swept(database, later) == 1
    assert (await rows(database))["a"]["wanted_at"] is None
    assert (await rows(database))["b"]["wanted_at"] is not None
    await swept(database, Sync(database.pool, {}, Reading()))
    assert await rows(database) == {}


async def swept(database: Database, sync: Sync) -> int:
    """Sweep once; return how many jobs were made."""
    made = 0

    async def defer(conn: object) -> None:
        nonlocal made
        made += 1

    async with database.pool.connection() as conn:
        await sync.sweep(conn, defer)
    return made


@pytest.fixture
def home(tmp_path: Path, slack_home: Path) -> Path:
    """A home with the sentence model, and one configured folder."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copytree(slack_home / "models", home / "models")
    (tmp_path / "handbook").mkdir()
    (tmp_path / "handbook" / "leave.md").write_text("# Leave\n\nEverybody has 25 days.\n")
    (home / "countersign.toml").write_text(
        f'[[sources]]\nname = "handbook"\nkind = "folder"\npath = "{tmp_path}/handbook"\nschedule = "1h"\n'
    )
    embedder.load(home)
    return home


async def test_reading_happens_in_a_process_of_its_own(home: Path, tmp_path: Path) -> None:
    assert await ingesting(home, None)(["handbook"]) == {}
    first = open_current(home)
    assert [head.document for head in first.documents] == ["handbook/leave.md"]
    shutil.move(tmp_path / "handbook", tmp_path / "away")
    problems = await ingesting(home, home / "countersign.toml")(["handbook"])
    assert "there is no folder" in problems["handbook"]
    assert open_current(home).id == first.id
    with pytest.raises(IngestFailed, match="No source has the name other"):
        await ingesting(home, None)(["other"])
    status = json.loads((home / "cache" / "sources" / "handbook" / "status.json").read_text())
    assert "there is no folder" in status["problem"]


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("90m", "2026-03-01T10:00", "2026-03-01T11:30"),
        ("2d", "2026-03-01T10:00", "2026-03-03T10:00"),
        ("daily 03:00", "2026-03-01T10:00", "2026-03-02T03:00"),
        ("daily 03:00 Europe/Amsterdam", "2026-01-10T10:00", "2026-01-11T02:00"),
        ("daily 03:00 Europe/Amsterdam", "2026-07-10T10:00", "2026-07-11T01:00"),
        (
            "daily 02:30 Europe/Amsterdam",
            "2026-03-28T10:00",
            "2026-03-29T01:00",
        ),  # 02:30 is skipped that night
        ("0 6 * * 1-5 America/Halifax", "2026-07-10T10:00", "2026-07-13T09:00"),
    ],
)
def test_a_schedule_says_when(text: str, after: str, expected: str) -> None:
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
    assert Schedule.parse(text).after(moment).isoformat()[:16] == expected


@pytest.mark.parametrize(
    "text", ["soon", "1m", "daily 25:00", "daily 03:00 Mars/Base", "* * *", "61 * * * *", "0 3 * * * nowhere"]
)
def test_a_schedule_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        Schedule.parse(text)
