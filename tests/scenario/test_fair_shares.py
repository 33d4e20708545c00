"""One person's many requests and messages hold up nobody else's, and emergencies come first."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks import parts
from bot.database import Database
from bot.demo.world import APPROVALS, world
from bot.events import Events
from bot.jobs import ANSWERING, Jobs
from bot.messages import Messages, Row
from bot.outbox import Letter, Outbox
from bot.render import safe
from bot.shares import share_of
from bot.workspace.client import WorkspaceClient
from bot.workspace.server import running
from graphs.cases import TooManyOpen
from graphs.ports import Connection
from tests.scenario import desk
from tests.scenario.test_slack_jobs import Bench, until, working

ROOT = Path(__file__).parents[2]


@dataclass
class Board:
    """Draws a card of `PERSON-NUMBER` in the turn of that person; `boss` has an emergency."""

    channel: str = APPROVALS

    async def draw(self, row: Row) -> Letter:
        whose = row.ref.partition("-")[0]
        shown = parts.message(row.ref, [parts.section(safe(row.ref))])
        return Letter(
            channel=self.channel,
            thread=None,
            message=shown,
            share=share_of(whose),
            urgent=whose == "boss",
        )


@dataclass
class Post:
    """An outbox whose deliveries the test makes, as the jobs that it wants come."""

    database: Database
    people: WorkspaceClient
    outbox: Outbox
    wanted: list[str] = field(default_factory=list)

    async def cards(self, *names: str) -> None:
        async with self.database.pool.connection() as conn:
            for name in names:
                await self.outbox.card(conn, name)

    async def deliver(self) -> None:
        """Do every job that waits, each once. The channel is free again after each post."""
        for name in [self.wanted.pop(0) for _ in list(self.wanted)]:
            await self.outbox.deliver(name, Board())

    async def hold(self) -> None:
        """Let the channel take nothing for as long as the test does not say."""
        async with self.database.pool.connection() as conn:
            await conn.execute(
                "UPDATE channel_pace SET free_at = clock_timestamp() + interval '1 hour', lasts = '1 hour'"
            )

    async def second(self) -> None:
        """Let a second of the channel's time pass, and the round of the outbox come."""
        async with self.database.pool.connection() as conn:
            await conn.execute("UPDATE channel_pace SET free_at = clock_timestamp()")
            await self.outbox.sweep(conn)

    async def shown(self) -> list[str]:
        return [str(one["text"]) for one in await self.people.messages(as_="U0GRACE", channel=APPROVALS)]


@pytest.fixture
async def post(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Post]:
    manifest = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
    monkeypatch.setattr("bot.outbox.PATIENCE", 0.0)  # nobody waits for a second to pass
    async with (
        running(world(manifest, bot_token="xoxb-post", app_token="xapp-post")) as server,
        WorkspaceClient(server.url) as people,
    ):
        slack = AsyncWebClient(token="xoxb-post", base_url=server.api_url, retry_handlers=[])
        wanted: list[str] = []

        async def want(conn: Connection, name: str) -> None:
            wanted.append(name)

        yield Post(database, people, Outbox(Messages(database.pool), slack, want), wanted)


async def test_the_next_card_of_another_is_posted_within_two_of_one_persons_sixty(post: Post) -> None:
    await post.cards(*(f"ada-{number}" for number in range(60)))
    await post.deliver()
    assert await post.shown() == ["ada-0"]
    await post.cards("ben-0", "boss-0")
    await post.hold()
    await post.deliver()
    for _ in range(6):
        await post.second()
        await post.deliver()
    assert await post.shown() == ["ada-0", "boss-0", "ben-0", "ada-1", "ada-2", "ada-3", "ada-4"]


async def test_people_take_turns_and_a_card_that_cannot_be_drawn_keeps_no_other(post: Post) -> None:
    await post.cards("ada-0", "ada-1", "ada-2", "ben-0", "ben-1", "cy-0")
    async with post.database.pool.connection() as conn:  # it waits in front, and whoever had it has died
        await conn.execute(
            "UPDATE message SET queued_in = %s, queued_until = clock_timestamp(), rank = 9"
            " WHERE id = 'card:cy-0'",
            (APPROVALS,),
        )
    post.wanted.remove("card:cy-0")
    for _ in range(8):
        await post.deliver()
        await post.second()
    assert await post.shown() == ["ada-0", "ben-0", "ada-1", "ben-1", "ada-2"]


async def test_what_waits_for_its_turn_is_no_failed_attempt_and_is_looked_at_seldom(post: Post) -> None:
    await post.cards("ada-0")
    await post.deliver()
    await post.hold()
    await post.cards("ada-1", "ada-2")
    await post.deliver()
    async with post.database.pool.connection() as conn:
        await post.outbox.sweep(conn)
        cursor = await conn.execute(
            "SELECT id FROM message WHERE state = 'due' AND tries = 0"
            " AND next_at > clock_timestamp() + interval '20 seconds' ORDER BY seq"
        )
        assert [row["id"] for row in await cursor.fetchall()] == ["card:ada-1", "card:ada-2"]
    assert set(post.wanted) == {"card:ada-1"}


async def asks(office: desk.Office, number: int, who: str = "ada.okafor") -> str:
    values = {"group": "billing-db", "days": "3", "reason": f"reason {number}"}
    person = await office.person(who)
    return await office.runs.start(
        workflow="it_access", values=values, requester=person, origin={"user": "U1"}, key=f"{who} {number}"
    )


async def test_a_person_has_so_many_requests_open_and_no_more_also_when_they_come_at_once(
    office: desk.Office,
) -> None:
    office.runs._most_open = 3
    outcomes = await asyncio.gather(*(asks(office, number) for number in range(8)), return_exceptions=True)
    assert sum(isinstance(one, str) for one in outcomes) == 3
    assert sum(isinstance(one, TooManyOpen) for one in outcomes) == 5
    begun = next(number for number, one in enumerate(outcomes) if isinstance(one, str))
    assert await asks(office, begun) == outcomes[begun]  # the same request is no other
    assert await asks(office, 0, "grace.lindqvist")


async def test_one_that_has_ended_makes_room(office: desk.Office) -> None:
    office.runs._most_open = 1
    run = await asks(office, 0)
    with pytest.raises(TooManyOpen):
        await asks(office, 1)
    async with office.database.pool.connection() as conn:
        await conn.execute("UPDATE run SET status = 'refused' WHERE id = %s", (run,))
    assert await asks(office, 1)


@pytest.fixture
async def jobs(database: Database) -> AsyncIterator[Jobs]:
    async with Jobs.open(database) as opened:
        yield opened


async def test_what_is_decided_and_emergencies_wait_behind_no_answer(database: Database, jobs: Jobs) -> None:
    """As many answers as can be made at a time are under way, and more wait."""

    class Hanging(Bench):
        under_way = 0

        async def reply(self, event: str) -> None:
            self.under_way += 1
            await asyncio.Event().wait()

    async with database.pool.connection() as conn:
        for number in range(500):
            await jobs.reply(conn, f"e{number}", after=number)
    bench = Hanging()
    async with working(jobs, bench):
        await until(lambda: bench.under_way == ANSWERING)
        async with database.pool.connection() as conn:
            await jobs.advance(conn, "r1")
            await jobs.deliver(conn, "card:a1")
        await until(lambda: len(bench.done) == 2)
    assert bench.under_way == ANSWERING


async def test_an_emergency_comes_before_what_is_decided_and_that_before_the_rest(
    database: Database, jobs: Jobs
) -> None:
    async with database.pool.connection() as conn:
        for name, urgent in (("ordinary", False), ("emergency", True)):
            await conn.execute(
                "INSERT INTO run (id, key, workflow, version, status, requester, origin, slots, urgent)"
                " VALUES (%s, %s, 'it_access', 1, 'started', '{}', '{}', '{}', %s)",
                (name, name, urgent),
            )
        for name in ("reply:e1", "progress:r1", "card:a1", "alarm:r1"):
            await jobs.deliver(conn, name)
        for name in ("ordinary", "emergency"):
            await jobs.advance(conn, name)
        cursor = await conn.execute(
            "SELECT args FROM procrastinate_jobs WHERE queue_name = current_setting('countersign.tenant')"
            " ORDER BY priority DESC, id"
        )
        order = [next(iter(row["args"].values())) for row in await cursor.fetchall()]
    assert order == ["emergency", "alarm:r1", "card:a1", "progress:r1", "ordinary", "reply:e1"]


async def test_whoever_says_much_is_answered_after_whoever_says_little(database: Database) -> None:
    events = Events(database.pool)
    for number in range(12):
        user = "U0ADA" if number < 11 else "U0BEN"
        said = {"type": "message", "user": user, "channel": "D1", "ts": f"{number}.0", "text": "x"}
        await events.store({"type": "event_callback", "event_id": f"Ev{number}", "event": said})
    async with database.pool.connection() as conn:
        assert [await events.just_said(conn, f"Ev{number}") for number in (0, 5, 10, 11)] == [0, 5, 10, 0]
