"""Messages as Slack can send them, however odd: each has an answer, or nothing to answer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app
from slack_bolt.async_app import AsyncApp
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.app import make_app
from bot.database import Database
from bot.wiring import Parts
from connectors.sandbox.process import Running
from tests.scenario.slack_office import ADA, ASK_POLICY, BOT, open_parts, texts

Json = dict[str, Any]
QUESTION, OTHER = "How long is parental leave?", "How many days of annual leave do I get?"
WISH = "I need billing-db for 3 days to close the quarter"
NO_WORDS, STANDS, SIXTEEN, DAYS = (
    "I read only what you write",
    "The request stands",
    "sixteen weeks",
    "27 days",
)


@dataclass
class Post:
    """The bot's door and its answers, without a socket and without a worker: the test does the jobs."""

    app: AsyncApp
    parts: Parts
    direct: str
    events: int = 0

    async def arrives(self, event: Json) -> str:
        """Have an event arrive, and return its id."""
        self.events += 1
        event_id = f"Ev{self.events:08}"
        installed = self.parts.installation
        payload = {
            "type": "event_callback",
            "api_app_id": installed.app,
            "team_id": installed.team,
            "event_id": event_id,
            "event": event,
            "authorizations": [{"enterprise_id": None, "team_id": installed.team, "user_id": BOT}],
        }
        request = SocketModeRequest.from_dict(
            {"type": "events_api", "envelope_id": "e", "payload": payload, "accepts_response_payload": False}
        )
        assert request is not None
        answer = await run_async_bolt_app(self.app, request)
        assert answer.status == 200
        async with asyncio.timeout(30):  # Bolt acknowledges before the listener has run
            while not await self._is_taken(event_id):
                await asyncio.sleep(0.01)
        return event_id

    async def _is_taken(self, event_id: str) -> bool:
        async with self.parts.pool.connection() as conn:
            cursor = await conn.execute(
                "SELECT 1 FROM event WHERE event_id = %s AND taken_at IS NOT NULL", (event_id,)
            )
            return await cursor.fetchone() is not None

    async def settle(self) -> None:
        """Do every job that waits to answer something."""
        while True:
            async with self.parts.pool.connection() as conn:
                cursor = await conn.execute(
                    "DELETE FROM procrastinate_jobs WHERE id = (SELECT min(id) FROM procrastinate_jobs"
                    " WHERE task_name = 'reply') RETURNING args"
                )
                row = await cursor.fetchone()
            if row is None:
                return
            await self.parts.replies.reply(row["args"]["event"])

    async def answer(self, event_id: str) -> str | None:
        """Return what is said in answer to an event."""
        async with self.parts.pool.connection() as conn:
            cursor = await conn.execute("SELECT payload FROM message WHERE id = %s", (f"reply:{event_id}",))
            row = await cursor.fetchone()
        return None if row is None else texts(row["payload"])

    async def runs(self) -> list[Json]:
        """Return what was asked for."""
        async with self.parts.pool.connection() as conn:
            cursor = await conn.execute("SELECT slots FROM run")
            return [row["slots"] for row in await cursor.fetchall()]

    def said(self, text: str, ts: str = "100.000001", **more: Any) -> Json:
        """Return a direct message of Ada's."""
        place = {"channel": self.direct, "channel_type": "im"}
        return {"type": "message", "user": ADA, "text": text, "ts": ts, "event_ts": ts} | place | more

    def changed(self, before: str, after: str, ts: str = "100.000001", **more: Any) -> Json:
        """Return the edit of a direct message of Ada's."""
        kept = {"type": "message", "user": ADA, "ts": ts}
        return {
            "type": "message",
            "subtype": "message_changed",
            "message": kept | {"text": after, "edited": {"user": ADA, "ts": "101.0"}} | more,
            "previous_message": kept | {"text": before},
            "channel": self.direct,
            "channel_type": "im",
            "ts": "101.000001",
        }


@pytest.fixture
async def post(database: Database, slack_home: Path, server: Running) -> AsyncIterator[Post]:
    async with open_parts(database, slack_home, url=server.url, token=server.token) as (_, parts):
        opened = await parts.slack.conversations_open(users=ADA)
        yield Post(app=make_app(parts)[0], parts=parts, direct=str(opened["channel"]["id"]))


ODD: dict[str, tuple[Callable[[Post], Json], str | None]] = {
    "NUL": (lambda post: post.said(f"{QUESTION}\x00"), SIXTEEN),
    "half a surrogate": (lambda post: post.said(f"\ud83d {QUESTION} \udc4d"), SIXTEEN),
    "NUL alone": (lambda post: post.said("\x00"), "ask a question in words"),
    "both in a request": (lambda post: post.said("I need billing-db for 3 days to fix\x00 it \ud83d"), None),
    "no words at all": (lambda post: post.said("   "), "I answer questions"),
    "a mention of nobody else": (lambda post: post.said(f"<@{BOT}>"), "I answer questions"),
    "a file": (lambda post: post.said("", subtype="file_share", files=[{"id": "F1"}]), NO_WORDS),
    "a file with a question": (
        lambda post: post.said(QUESTION, subtype="file_share", files=[{"id": "F1"}]),
        SIXTEEN,
    ),
    "a forwarded message": (
        lambda post: post.said("", attachments=[{"is_share": True, "text": WISH, "author_id": "U0BEN"}]),
        NO_WORDS,
    ),
    "a forwarded message with a question": (
        lambda post: post.said(QUESTION, attachments=[{"is_share": True, "text": WISH}]),
        SIXTEEN,
    ),
    "blocks without text": (
        lambda post: post.said("", blocks=[{"type": "rich_text", "elements": []}]),
        "I answer questions",
    ),
    "no text": (lambda post: {k: v for k, v in post.said("").items() if k != "text"}, "I answer questions"),
    "text that is none": (lambda post: post.said("") | {"text": None}, "I answer questions"),
    "said of oneself": (lambda post: post.said(QUESTION, subtype="me_message"), SIXTEEN),
    "40,000 characters": (lambda post: post.said(("a, " * 13_333)[:40_000]), "I read the first 4,000"),
    "another bot": (lambda post: post.said(QUESTION, subtype="bot_message", bot_id="B1"), None),
    "another bot in a person's name": (lambda post: post.said(QUESTION, bot_id="B1"), None),
    "nobody": (lambda post: {k: v for k, v in post.said(QUESTION).items() if k != "user"}, None),
    "a reminder": (lambda post: post.said(QUESTION, subtype="reminder_add"), None),
    "a preview that Slack adds": (lambda post: post.changed(QUESTION, QUESTION), None),
    "a bot's own edit": (lambda post: post.changed("a", QUESTION, bot_id="B1"), None),
    "an edit without the message": (lambda post: post.changed("", QUESTION) | {"message": None}, None),
    "a deletion": (
        lambda post: post.said("", subtype="message_deleted", deleted_ts="99.0", previous_message={}),
        None,
    ),
}


async def test_every_odd_message_has_its_answer_or_none(post: Post) -> None:
    for odd, (event, expected) in ODD.items():
        arrived = await post.arrives(event(post))
        await post.settle()
        said = await post.answer(arrived)
        fits = said is None if expected is None else said is not None and expected in said
        assert fits, f"{odd}: {said}"
        async with post.parts.pool.connection() as conn:  # each is a message of its own
            await conn.execute("UPDATE event SET about = NULL, thread = NULL")
    assert [run["reason"] for run in await post.runs()] == ["fix\ufffd it \ufffd"]


async def test_a_question_that_is_changed_before_its_answer_is_answered_as_it_now_reads(post: Post) -> None:
    first = await post.arrives(post.said(QUESTION))
    second = await post.arrives(post.changed(QUESTION, OTHER))
    await post.settle()
    assert await post.answer(first) is None
    assert DAYS in (await post.answer(second) or "")


async def test_a_question_that_is_changed_after_its_answer_is_answered_anew(post: Post) -> None:
    first = await post.arrives(post.said(QUESTION))
    await post.settle()
    second = await post.arrives(post.changed(QUESTION, OTHER))
    await post.settle()
    assert SIXTEEN in (await post.answer(first) or "")
    assert DAYS in (await post.answer(second) or "")


async def test_a_question_that_becomes_a_request_is_one_and_a_request_that_is_changed_stands(
    post: Post,
) -> None:
    await post.arrives(post.said(QUESTION))
    await post.settle()
    asked = await post.arrives(post.changed(QUESTION, WISH))
    await post.settle()
    assert await post.answer(asked) is None
    changed = await post.arrives(post.changed(WISH, WISH.replace("3 days", "30 days")))
    await post.settle()
    assert STANDS in (await post.answer(changed) or "")
    assert [run["days"] for run in await post.runs()] == ["3"]


async def test_a_message_that_is_deleted_before_its_answer_has_none_and_asks_for_nothing(post: Post) -> None:
    for number, text in enumerate((QUESTION, WISH)):
        ts = f"10{number}.000001"
        first = await post.arrives(post.said(text, ts=ts))
        gone = {"type": "message", "subtype": "message_deleted", "deleted_ts": ts, "ts": "105.0"}
        previous = {"type": "message", "user": ADA, "text": text, "ts": ts}
        place = {"channel": post.direct, "channel_type": "im"}
        await post.arrives(gone | {"previous_message": previous} | place)
        await post.settle()
        assert await post.answer(first) is None
    assert await post.runs() == []


def mention(text: str, ts: str, **more: Any) -> Json:
    return {"type": "app_mention", "user": ADA, "text": text, "ts": ts, "channel": ASK_POLICY} | more


async def test_an_edit_that_adds_the_mention_is_answered_and_one_that_changes_it_anew(post: Post) -> None:
    """Of a message in a channel Slack tells us only when it mentions us."""
    ts = await _posted(post)
    edited = {"edited": {"user": ADA, "ts": "101.0"}}
    added = await post.arrives(mention(f"<@{BOT}> {QUESTION}", ts, **edited))
    await post.settle()
    assert SIXTEEN in (await post.answer(added) or "")
    same = await post.arrives(mention(f"<@{BOT}> {QUESTION}", ts, **edited))
    changed = await post.arrives(mention(f"<@{BOT}> {OTHER}", ts, **edited))
    await post.settle()
    assert await post.answer(same) is None
    assert DAYS in (await post.answer(changed) or "")


async def test_a_mention_in_a_channel_that_was_deleted_is_not_answered(post: Post) -> None:
    gone = await post.arrives(mention(f"<@{BOT}> {QUESTION}", "1700000000.000001"))
    await post.settle()
    assert await post.answer(gone) is None


async def test_a_mention_in_somebody_elses_thread_is_answered_there(post: Post) -> None:
    root, reply = await _posted(post), await _posted(post)
    arrived = await post.arrives(mention(f"<@{BOT}> {QUESTION}", reply, thread_ts=root))
    await post.settle()
    async with post.parts.pool.connection() as conn:
        cursor = await conn.execute("SELECT thread FROM message WHERE id = %s", (f"reply:{arrived}",))
        row = await cursor.fetchone()
    assert row is None or row["thread"] == root


async def _posted(post: Post) -> str:
    """Have something stand in the channel, as a message that can be mentioned."""
    answer = await post.parts.slack.chat_postMessage(channel=ASK_POLICY, text="a message")
    return str(answer["ts"])
