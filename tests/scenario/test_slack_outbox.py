"""The outbox against a real workspace: each message once, whatever goes wrong, and never too fast."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks import parts
from bot.blocks.parts import Message
from bot.database import Database
from bot.demo.world import APPROVALS, world
from bot.messages import Messages, Row
from bot.outbox import Letter, Nowhere, Outbox
from bot.render import safe
from bot.workspace.client import ControlError, WorkspaceClient
from bot.workspace.server import running
from graphs.ports import Connection
from graphs.records import Notice

ROOT = Path(__file__).parents[2]
GRACE, BEN, ADA = "U0GRACE", "U0BEN", "U0ADA"
GENERAL = "C0GENERAL"


def message(text: str) -> Message:
    return parts.message(text, [parts.section(safe(text))])


@dataclass
class Board:
    """Draws whatever the test has put on it."""

    says: str = "first"
    channel: str = APPROVALS
    thread: str | None = None
    lost: bool = False

    async def draw(self, row: Row) -> Letter:
        if self.lost:
            raise Nowhere("there is no such record")
        if row.payload is not None and "text" in row.payload:
            shown = Message(text=row.payload["text"], blocks=tuple(row.payload["blocks"]))
            return Letter(channel=row.channel or self.channel, thread=row.thread, message=shown)
        return Letter(channel=self.channel, thread=self.thread, message=message(self.says))


@dataclass
class Post:
    """An outbox whose deliveries the test makes itself."""

    outbox: Outbox
    messages: Messages
    people: WorkspaceClient
    database: Database
    board: Board = field(default_factory=Board)

    async def card(self, name: str = "a1") -> None:
        async with self.database.pool.connection() as conn:
            await self.outbox.card(conn, name)

    async def deliver(self, name: str = "card:a1") -> None:
        await self.outbox.deliver(name, self.board)

    async def deliver_until_done(self, name: str = "card:a1", *, least: int = 0) -> int:
        """Deliver, without waiting for the pauses between attempts; return how many it took."""
        tries = 0
        while await self.state(name) == "due" or tries < least:
            assert tries < 500
            async with self.database.pool.connection() as conn:
                await conn.execute("UPDATE channel_pace SET free_at = clock_timestamp()")
            await self.deliver(name)
            tries += 1
        return tries

    async def state(self, name: str = "card:a1") -> str:
        return str((await self.row(name))["state"])

    async def row(self, name: str = "card:a1") -> dict[str, Any]:
        async with self.database.pool.connection() as conn:
            cursor = await conn.execute("SELECT * FROM message WHERE id = %s", (name,))
            row = await cursor.fetchone()
        assert row is not None
        return row

    async def shown(self, channel: str = APPROVALS, as_: str = GRACE) -> list[str]:
        return [str(each["text"]) for each in await self.people.messages(as_=as_, channel=channel)]


@pytest.fixture
async def post(database: Database) -> AsyncIterator[Post]:
    manifest = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))

    async def nobody(conn: Connection, name: str) -> None:
        """The test delivers."""

    async with (
        running(world(manifest, bot_token="xoxb-post", app_token="xapp-post")) as server,
        WorkspaceClient(server.url) as people,
    ):
        slack = AsyncWebClient(token="xoxb-post", base_url=server.api_url, timeout=2, retry_handlers=[])
        messages = Messages(database.pool)
        yield Post(Outbox(messages, slack, nobody), messages, people, database)


async def test_a_card_is_posted_once_and_then_updated(post: Post) -> None:
    await post.card()
    await post.deliver()
    await post.deliver()
    post.board.says = "second"
    await post.card()
    await post.deliver()
    assert await post.shown() == ["second"]
    assert await post.state() == "done"


async def test_many_changes_collapse_into_one_message(post: Post) -> None:
    for number in range(5):
        post.board.says = f"state {number}"
        await post.card()
    for _ in range(5):
        await post.deliver()
    assert await post.shown() == ["state 4"]
    assert len(await post.people.log("chat.update")) == 0
    assert len(await post.people.log("chat.postMessage")) == 1


async def test_a_change_during_a_delivery_is_delivered_too(post: Post) -> None:
    await post.card()
    row = await post.messages.due("card:a1")
    assert row is not None
    await post.card()
    await post.messages.shown(row)
    assert await post.state() == "due"


@pytest.mark.parametrize("kind", ["drop", "drop_after", "http_500"])
async def test_a_post_whose_answer_is_lost_is_there_once(post: Post, kind: str) -> None:
    await post.people.faults("chat.postMessage", kind)
    await post.card()
    await post.deliver_until_done()
    assert await post.shown() == ["first"]


async def test_a_post_is_known_by_its_channel_until_it_is_known_where_it_is(post: Post) -> None:
    """A click on a card can come before Slack's answer to its post does."""

    async def is_at(channel: str, ts: str) -> bool:
        return await post.outbox.has_posted("card:a1", channel=channel, ts=ts)

    await post.card()
    assert not await is_at(APPROVALS, "1.1"), "nothing is posted yet"
    await post.people.faults("chat.postMessage", "drop_after")
    await post.deliver()
    assert await is_at(APPROVALS, "1.1")
    assert not await is_at(GENERAL, "1.1")
    await post.deliver_until_done()
    (ts,) = [one["ts"] for one in await post.people.messages(as_=GRACE, channel=APPROVALS)]
    assert await is_at(APPROVALS, ts)
    assert not await is_at(APPROVALS, "1.1")
    assert not await is_at(GENERAL, ts)


async def test_a_post_in_a_thread_whose_answer_is_lost_is_there_once(post: Post) -> None:
    post.board.channel = GENERAL
    post.board.thread = await post.people.message("the question", as_=ADA, channel=GENERAL)
    await post.people.faults("chat.postMessage", "drop_after")
    await post.card()
    await post.deliver_until_done()
    seen = await post.people.messages(as_=ADA, channel=GENERAL, thread_ts=post.board.thread)
    assert [each["text"] for each in seen] == ["the question", "first"]


async def test_a_mark_that_somebody_else_wrote_is_not_ours(post: Post) -> None:
    """Only the bot's own message counts: a person's says nothing, whatever it holds."""
    await post.people.message("first", as_=GRACE, channel=APPROVALS)
    await post.people.faults("chat.postMessage", "drop")
    await post.card()
    await post.deliver_until_done()
    seen = await post.people.messages(as_=GRACE, channel=APPROVALS)
    assert len([each for each in seen if each.get("bot_id")]) == 1


async def test_a_storm_of_rate_limits_loses_nothing_and_doubles_nothing(post: Post) -> None:
    await post.people.faults("chat.postMessage", "ratelimited", times=100, retry_after=1)
    await post.card()
    assert await post.deliver_until_done() == 101
    assert await post.shown() == ["first"]


async def test_nobody_posts_to_a_channel_that_slack_has_put_off(post: Post) -> None:
    await post.people.faults("chat.postMessage", "ratelimited", retry_after=30)
    post.board.channel = GENERAL
    async with post.database.pool.connection() as conn:
        for event in ("e1", "e2"):
            await post.outbox.reply(conn, event=event, channel=GENERAL, thread=None, message=message(event))
    await post.deliver("reply:e1")
    await post.deliver("reply:e2")
    assert len(await post.people.log("chat.postMessage")) == 1


async def test_a_channel_gets_one_post_a_second_at_most(post: Post) -> None:
    post.board.channel = GENERAL
    names = [f"a{number}" for number in range(4)]
    for name in names:
        await post.card(name)
    began = time.monotonic()

    async def until_done(name: str) -> None:
        while await post.state(f"card:{name}") == "due":
            await post.deliver(f"card:{name}")

    await asyncio.gather(*(until_done(name) for name in names))
    assert time.monotonic() - began >= 3.0
    at = sorted(float(each["ts"]) for each in await post.people.messages(as_=ADA, channel=GENERAL))
    assert len(at) == 4
    assert all(later - earlier > 0.5 for earlier, later in pairwise(at))  # a busy machine delays some


async def test_a_card_that_was_deleted_is_posted_again_when_it_changes(post: Post) -> None:
    await post.card()
    await post.deliver()
    row = await post.row()
    await post.outbox._slack.chat_delete(channel=APPROVALS, ts=row["ts"])
    post.board.says = "second"
    await post.card()
    await post.deliver_until_done()
    assert await post.shown() == ["second"]


@pytest.mark.parametrize("channel", ["C0NOWHERE", "C0FINANCE"])
async def test_what_slack_refuses_in_a_channel_waits_and_is_said_in_the_log_once(
    post: Post, channel: str, caplog: pytest.LogCaptureFixture
) -> None:
    post.board.channel = channel
    await post.card()
    await post.deliver()
    await post.deliver()
    assert await post.state() == "waiting"
    assert caplog.text.count("card:a1") == 1
    assert "not_in_channel" in caplog.text or "channel_not_found" in caplog.text


async def test_a_message_whose_record_is_gone_is_given_up(post: Post) -> None:
    post.board.lost = True
    await post.card()
    await post.deliver()
    assert await post.state() == "failed"


async def test_a_private_answer_is_shown_at_most_once(post: Post) -> None:
    await post.people.faults("chat.postEphemeral", "drop_after")
    async with post.database.pool.connection() as conn:
        await post.outbox.reply(
            conn, event="e1", channel=GENERAL, thread=None, message=message("for you"), to_user=ADA
        )
    await post.deliver_until_done("reply:e1")
    assert len(await post.people.log("chat.postEphemeral")) == 1
    assert await post.state("reply:e1") == "failed"
    assert "for you" not in await post.shown(GENERAL, as_=BEN)


async def test_an_event_is_answered_once_however_often_its_job_runs(post: Post) -> None:
    for text in ("one", "two"):
        async with post.database.pool.connection() as conn:
            await post.outbox.reply(conn, event="e1", channel=GENERAL, thread=None, message=message(text))
    await post.deliver_until_done("reply:e1")
    assert await post.shown(GENERAL, as_=ADA) == ["one"]


async def test_a_person_is_written_to_in_their_conversation_with_the_bot(post: Post) -> None:
    async with post.database.pool.connection() as conn:
        await post.outbox.reply(conn, event="e1", channel=ADA, thread=None, message=message("hello"))
    await post.deliver_until_done("reply:e1")
    row = await post.row("reply:e1")
    assert row["posted_in"].startswith("D")
    assert await post.shown(row["posted_in"], as_=ADA) == ["hello"]
    with pytest.raises(ControlError):
        await post.shown(row["posted_in"], as_=BEN)


async def test_news_waits_for_what_was_said_before_in_the_same_run(post: Post) -> None:
    async with post.database.pool.connection() as conn:
        await post.outbox.progress(conn, "r1")
        await post.outbox.tell(conn, "r1", Notice(key="granted"))
        await post.outbox.tell(conn, "r1", Notice(key="granted"))
    await post.deliver("notice:r1:granted")
    assert await post.shown() == []
    await post.deliver_until_done("progress:r1")
    await post.deliver_until_done("notice:r1:granted")
    assert len(await post.shown()) == 2


async def test_a_transaction_that_fails_posts_nothing(post: Post) -> None:
    async def fail() -> None:
        async with post.database.pool.connection() as conn:
            await post.outbox.card(conn, "a1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    await post.deliver()
    assert await post.shown() == []


async def test_nothing_is_unfurled(post: Post) -> None:
    await post.card()
    await post.deliver()
    (call,) = await post.people.log("chat.postMessage")
    assert str(call["args"]["unfurl_links"]) in {"0", "False", "false"}
    assert str(call["args"]["unfurl_media"]) in {"0", "False", "false"}
    assert "link_names" not in call["args"]
