"""No message ends in silence: every error of Slack's, for every kind of message."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, get_args

import pytest
from slack_sdk.errors import SlackApiError

from bot import refusals, substitutes, undelivered
from bot.blocks import parts
from bot.blocks.parts import Message
from bot.database import Database
from bot.messages import MAYBE, Kind, Messages, Row
from bot.outbox import Letter, Outbox
from bot.refusals import Cure
from bot.render import safe
from graphs.ports import Connection
from graphs.records import Notice
from tests.scenario.slack_office import ADA

HERE, OPERATORS, PRIVATE = "C0HERE", "C0OPERATORS", "D0ADA"
SAID = "thirty days"
UNKNOWN = "an_error_that_nobody_has_documented"
ERRORS = sorted((refusals.DOCUMENTED | {UNKNOWN}) - {refusals.UNSET, refusals.UNDRAWN})
GONE = ("message_not_found", "thread_not_found", "cannot_reply_to_message")  # treated by themselves too
MEANINGS = sorted({*GONE, *{(refusals.why(one), refusals.mend(one)): one for one in ERRORS}.values()})
KINDS: tuple[str, ...] = (*get_args(Kind), "ephemeral")
DRAWN = ("card", "doubt", "progress", "review")  # which change when their record does


@dataclass(kw_only=True)
class Slack:
    """A stand-in that refuses what a test says, and keeps what it has accepted."""

    refuses: dict[str, str] = field(default_factory=dict)  # by channel; "*": everywhere
    only_blocks: bool = False  # plain text is accepted
    posts: dict[str, dict[str, Any]] = field(default_factory=dict)
    shown: list[dict[str, Any]] = field(default_factory=list)  # to one person alone
    calls: int = 0

    async def chat_postMessage(self, **call: Any) -> dict[str, Any]:  # noqa: N802  # Slack's name
        self._refuse(call)
        ts = f"{len(self.posts) + 1}.0"
        self.posts[ts] = {**call, "ts": ts, "bot_id": "B1"}
        return {"channel": call["channel"], "ts": ts}

    async def chat_update(self, **call: Any) -> dict[str, Any]:
        self._refuse(call)
        self.posts[call["ts"]] |= call
        return {"channel": call["channel"], "ts": call["ts"]}

    async def chat_postEphemeral(self, **call: Any) -> dict[str, Any]:  # noqa: N802  # Slack's name
        self._refuse(call)
        self.shown.append(call)
        return {}

    async def conversations_open(self, **call: Any) -> dict[str, Any]:
        return {"channel": {"id": PRIVATE}}

    async def conversations_history(self, **call: Any) -> dict[str, Any]:
        return {"messages": [one for one in self.posts.values() if one["channel"] == call["channel"]]}

    conversations_replies = conversations_history

    def _refuse(self, call: dict[str, Any]) -> None:
        self.calls += 1
        error = self.refuses.get(call["channel"]) or self.refuses.get("*")
        if error is not None and (call["blocks"] or not self.only_blocks):
            if error.startswith("HTTP "):  # an answer that is none of Slack's
                raise SlackApiError("refused", _Answer(data=b"", status_code=int(error[5:])))
            raise SlackApiError("refused", _Answer(data={"ok": False, "error": error}))

    def said(self, channel: str) -> list[str]:
        """Return all that is to be read in a channel."""
        every = [*self.posts.values(), *self.shown]
        return [json.dumps([one["text"], one["blocks"]]) for one in every if one["channel"] == channel]


@dataclass(frozen=True, kw_only=True)
class _Answer:
    data: dict[str, Any] | bytes
    status_code: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class Board:
    """Draws what each row says, or the same card for every record."""

    channel: str = HERE
    says: str = SAID

    async def draw(self, row: Row) -> Letter:
        if row.payload is not None and "text" in row.payload:
            shown = Message(text=row.payload["text"], blocks=tuple(row.payload["blocks"]))
            return Letter(channel=row.channel or self.channel, thread=row.thread, message=shown)
        return Letter(channel=self.channel, thread=None, message=message(self.says))


def message(text: str) -> Message:
    return parts.message(safe(text), [parts.section(safe(text))])


@dataclass(kw_only=True)
class Desk:
    """An outbox over a real database and a stand-in for Slack."""

    outbox: Outbox
    slack: Slack
    database: Database
    board: Board = field(default_factory=Board)

    def refuse(self, error: str, *, private: bool = True) -> None:
        """Have Slack refuse all that is posted in a channel of this error's own, and in private."""
        self.board.channel = f"C0{''.join(filter(str.isalnum, error)).upper()}"
        self.board.says = SAID
        self.slack.posts.clear()
        self.slack.shown.clear()
        self.slack.refuses = {self.board.channel: error} | ({PRIVATE: error} if private else {})

    async def want(self, kind: str, ref: str = "x") -> str:
        """Have a message of a kind wanted; return its name."""
        async with self.database.pool.connection() as conn:
            return await _want(self.outbox, conn, kind, ref, self.board.channel)

    async def deliver(self, name: str, *, times: int = 1) -> dict[str, Any]:
        """Deliver a message without waiting for the pauses; return its row."""
        for _ in range(times):
            await self.outbox.deliver(name, self.board)
            async with self.database.pool.connection() as conn:
                await conn.execute("UPDATE channel_pace SET free_at = clock_timestamp()")
        return await self.row(name)

    async def deliver_all(self, *, rounds: int = 12) -> None:
        """Deliver whatever is due or waits, as often as a row can change its form and place."""
        for _ in range(rounds):
            for name in [row["id"] for row in await self.rows() if row["state"] in {"due", "waiting"}]:
                async with self.database.pool.connection() as conn:
                    await conn.execute("UPDATE channel_pace SET free_at = clock_timestamp()")
                await self.outbox.deliver(name, self.board)

    async def rows(self) -> list[dict[str, Any]]:
        async with self.database.pool.connection() as conn:
            cursor = await conn.execute("SELECT * FROM message ORDER BY seq")
            return list(await cursor.fetchall())

    async def row(self, name: str) -> dict[str, Any]:
        (row,) = [row for row in await self.rows() if row["id"] == name]
        return row

    async def needs_somebody(self) -> dict[str, str]:
        """Return what the operator is shown: the state of each message, by its name."""
        async with self.database.pool.connection() as conn:
            return {one.id: one.state for one in await undelivered.undelivered(conn)}


async def _want(outbox: Outbox, conn: Connection, kind: str, ref: str, channel: str) -> str:
    drawn: dict[str, tuple[str, Callable[[], Awaitable[object]]]] = {
        "card": (f"card:{ref}", lambda: outbox.card(conn, ref)),
        "doubt": (f"doubt:{ref}", lambda: outbox.doubt(conn, ref)),
        "progress": (f"progress:{ref}", lambda: outbox.progress(conn, ref)),
        "review": (f"review:{ref}", lambda: outbox.review(conn, ref)),
        "notice": (f"notice:{ref}:granted", lambda: outbox.tell(conn, ref, Notice(key="granted"))),
        "beside": (f"beside:{ref}:reminder", lambda: outbox.beside_card(conn, ref, "reminder")),
        "alarm": (f"alarm:{ref}:asked", lambda: outbox.alarm(conn, ref, "asked", {})),
    }
    if kind in drawn:
        name, wants = drawn[kind]
        await wants()
        return name
    thread = None if kind in {"more", "operator"} else "1.1"
    await outbox.reply(
        conn,
        event=ref,
        channel=channel,
        thread=thread,
        message=message(SAID),
        to_user=ADA if kind == "ephemeral" else None,
        for_user=ADA if kind == "reply" else None,
    )
    if kind in {"more", "operator"}:
        await conn.execute("UPDATE message SET kind = %s WHERE ref = %s", (kind, ref))
    return f"reply:{ref}"


@asynccontextmanager
async def opened(database: Database) -> AsyncIterator[Desk]:
    slack = Slack()

    async def nobody(conn: Connection, name: str) -> None:
        """The test delivers."""

    outbox = Outbox(Messages(database.pool), slack, nobody, operator=OPERATORS)  # type: ignore[arg-type]  # a stand-in
    yield Desk(outbox=outbox, slack=slack, database=database)


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    async with opened(database) as desk:
        yield desk


async def refused_everywhere(desk: Desk, kind: str, error: str) -> None:
    """Assert that the operator is shown what Slack refuses, and that it is there once Slack accepts it."""
    desk.refuse(error)
    name = await desk.want(kind, error)
    shown = await _refused_for_long(desk, name, error)
    told = [row for row in await desk.rows() if row["kind"] == "operator" and row["ref"] == name]
    assert len(told) == (refusals.cure(error) is not Cure.TIME and kind != "operator"), error

    desk.slack.refuses = {}
    row = await desk.deliver(shown, times=2)
    assert row["state"] == "done", error
    everywhere = [*desk.slack.said(desk.board.channel), *desk.slack.said(PRIVATE)]
    assert len([said for said in everywhere if SAID in said]) == 1, error
    assert shown not in await desk.needs_somebody(), error
    if shown != name:
        async with desk.database.pool.connection() as conn:
            await conn.execute("UPDATE message SET id = ref WHERE id = %s", (shown,))


async def change_refused(desk: Desk, kind: str, error: str) -> None:
    """Assert the same of a message that is there and is to show something else."""
    desk.refuse(error)
    refused, desk.slack.refuses = desk.slack.refuses, {}
    name = await desk.want(kind, error)
    assert (await desk.deliver(name))["state"] == "done", error
    desk.slack.refuses, desk.board.says = refused, f"{SAID}, and one more"
    await desk.want(kind, error)
    await _refused_for_long(desk, name, error)

    desk.slack.refuses = {}
    assert (await desk.deliver(name, times=2))["state"] == "done", error
    assert desk.board.says in " ".join(desk.slack.said(desk.board.channel)), error
    assert name not in await desk.needs_somebody(), error


async def _refused_for_long(desk: Desk, name: str, error: str) -> str:
    """Have a message tried again and again; return the name of the one that the operator is then shown.

    A private answer of which Slack does not say whether it was shown is told in private once more.
    """
    for _ in range(undelivered.OFTEN + 2):  # of the private answer, and of what follows it
        row = await desk.deliver(name)
        if row["error"] == MAYBE:
            (name,) = [each["id"] for each in await desk.rows() if each["id"].startswith("reply:private")]
        elif row["state"] == "waiting" and row["form"] == 0:
            break
    state = "delayed" if refusals.cure(error) is Cure.TIME else "waiting"
    assert (await desk.needs_somebody()).get(name) == state, error
    return name


async def told_in_private(desk: Desk, kind: str, error: str) -> None:
    """Assert that what cannot be said in a channel is told to the person, and why."""
    desk.refuse(error, private=False)
    row = await desk.deliver(await desk.want(kind, error), times=2)
    said = desk.slack.said(PRIVATE)
    assert len(said) == 1, error
    assert SAID in said[0], error
    assert refusals.why(error) in said[0], error
    assert row["state"] == "done", error


async def said_plainly(desk: Desk, kind: str, error: str) -> None:
    """Assert that plain text stands in the place of what Slack never accepts, and is listed."""
    desk.slack.only_blocks = True
    desk.refuse(error)
    name = await desk.want(kind, error)
    await desk.deliver(name, times=2)
    said = desk.slack.said(desk.board.channel)
    assert len(said) == 1, error
    assert SAID in said[0], error
    assert error in said[0], error
    assert (await desk.needs_somebody()).get(name) == "plain", error
    assert ("nobody can decide" in said[0]) == (kind in {"card", "doubt", "review"}), error


@pytest.mark.parametrize("kind", KINDS)
async def test_whatever_slack_answers_no_message_ends_in_silence(desk: Desk, kind: str) -> None:
    for error in MEANINGS:
        await refused_everywhere(desk, kind, error)


@pytest.mark.parametrize("kind", DRAWN)
async def test_a_change_that_slack_refuses_is_shown_to_somebody_and_made_later(desk: Desk, kind: str) -> None:
    for error in MEANINGS:
        await change_refused(desk, kind, error)


@pytest.mark.parametrize("kind", ["reply", "ephemeral"])
async def test_what_cannot_be_said_where_it_belongs_is_told_in_private(desk: Desk, kind: str) -> None:
    for error in MEANINGS:
        if refusals.cure(error) is Cure.OPERATOR_HERE:
            await told_in_private(desk, kind, error)


@pytest.mark.parametrize("kind", KINDS)
async def test_what_slack_never_accepts_leaves_plain_text_in_its_place(desk: Desk, kind: str) -> None:
    for error in MEANINGS:
        if refusals.cure(error) is Cure.OTHER_WORDS:
            await said_plainly(desk, kind, error)


async def test_a_card_whose_form_was_refused_takes_its_place_when_it_is_sent_again(desk: Desk) -> None:
    desk.slack.refuses, desk.slack.only_blocks = {HERE: "invalid_blocks"}, True
    name = await desk.want("card")
    await desk.deliver_all(rounds=3)
    desk.slack.refuses = {}
    async with desk.database.pool.connection() as conn:
        assert await undelivered.resend(conn, [name]) == [name]
    await desk.deliver_all(rounds=3)
    (said,) = desk.slack.said(HERE)
    assert "section" in said
    assert "nobody can decide" not in said


@pytest.mark.parametrize("call", [1, 2, 3])
@pytest.mark.parametrize("kind", [one for one in KINDS if one != "ephemeral"])  # these are shown once
async def test_sending_it_again_is_not_lost_while_it_is_being_delivered(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, kind: str, call: int
) -> None:
    name = await desk.want(kind)
    desk.slack.refuses, desk.slack.only_blocks = {HERE: "invalid_blocks"}, True
    posting, updating = desk.slack.chat_postMessage, desk.slack.chat_update

    async def mended_during(method: Callable[..., Awaitable[Any]], **given: Any) -> Any:
        try:
            return await method(**given)
        finally:
            if desk.slack.calls == call:
                desk.slack.refuses = {}
                async with desk.database.pool.connection() as conn:
                    assert await undelivered.resend(conn, [name]) == [name]

    monkeypatch.setattr(desk.slack, "chat_postMessage", partial(mended_during, posting))
    monkeypatch.setattr(desk.slack, "chat_update", partial(mended_during, updating))
    await desk.deliver(name, times=2)
    if call > desk.slack.calls:  # nobody sends it again before it stands there in plain text
        assert (await desk.needs_somebody())[name] == "plain"
        async with desk.database.pool.connection() as conn:
            await undelivered.resend(conn, [name])
    await desk.deliver_all(rounds=4)
    (said,) = desk.slack.said(HERE)
    assert "section" in said
    assert "plain text" not in said
    assert "nobody can decide" not in said
    assert name not in await desk.needs_somebody()


async def test_an_answer_that_is_too_long_is_said_in_pieces_in_order(desk: Desk) -> None:
    words = [f"word{number}" for number in range(900)]
    lines = [" ".join(words[at : at + 300]) for at in range(0, 900, 300)]
    whole = Message(text="an answer", blocks=tuple(parts.section(safe(line)) for line in lines))
    desk.slack.refuses, desk.slack.only_blocks = {HERE: "msg_blocks_too_long"}, True
    async with desk.database.pool.connection() as conn:
        await desk.outbox.reply(conn, event="long", channel=HERE, thread="1.1", message=whole, for_user=ADA)
    await desk.deliver_all(rounds=6)
    posts = [one for one in desk.slack.posts.values() if one["channel"] == HERE]
    told = [one["text"] for one in posts]
    assert len(told) == 3
    assert all(one["thread_ts"] == "1.1" for one in posts)
    assert [word for text in told for word in text.split() if word.startswith("word")] == words


async def test_a_cause_is_shown_to_the_operator_once(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.slack.refuses = {HERE: "is_archived"}
    for number in range(5):
        async with desk.database.pool.connection() as conn:
            await desk.outbox.card(conn, f"a{number}")
    await desk.deliver_all(rounds=4)
    assert len(desk.slack.said(OPERATORS)) == 1
    assert caplog.text.count("is_archived") == 1


async def test_of_many_that_wait_for_the_same_one_is_tried_and_all_follow_it(desk: Desk) -> None:
    desk.slack.refuses = {HERE: "is_archived"}
    for number in range(5):
        async with desk.database.pool.connection() as conn:
            await desk.outbox.card(conn, f"a{number}")
    await desk.deliver_all(rounds=1)
    async with desk.database.pool.connection() as conn:
        await conn.execute("UPDATE message SET next_at = clock_timestamp() WHERE state = 'waiting'")
    async with desk.database.pool.connection() as conn:
        assert await desk.outbox._messages.claim(conn) == ["card:a0"]
    desk.slack.refuses = {}
    await desk.outbox.deliver("card:a0", desk.board)
    async with desk.database.pool.connection() as conn:
        assert await desk.outbox._messages.claim(conn) == [f"card:a{number}" for number in range(1, 5)]


async def test_the_pauses_between_attempts_grow_to_a_bound(desk: Desk) -> None:
    desk.slack.refuses = {HERE: "not_in_channel"}
    name = await desk.want("card")
    pauses = []
    for _ in range(30):
        await desk.outbox.deliver(name, desk.board)
        async with desk.database.pool.connection() as conn:
            await conn.execute("UPDATE channel_pace SET free_at = clock_timestamp()")
            cursor = await conn.execute(
                "SELECT extract(epoch FROM next_at - clock_timestamp())::float8 AS pause FROM message"
                " WHERE id = %s",
                (name,),
            )
            row = await cursor.fetchone()
        assert row is not None
        pauses.append(row["pause"])
    assert pauses[0] < 1.1
    assert pauses[-1] > 50
    assert max(pauses) <= undelivered.LONGEST


def test_every_error_of_slack_says_what_it_means_and_what_helps() -> None:
    for error in ERRORS:
        assert refusals.why(error)
        assert refusals.mend(error).endswith(".")
    assert refusals.cure(UNKNOWN) is Cure.OPERATOR_HERE


@pytest.mark.parametrize("length", [1, substitutes.LONGEST, substitutes.LONGEST * 3])
def test_plain_text_is_cut_within_no_link_and_no_character(length: int) -> None:
    link = "<https://handbook.larkfield.example/it-access|IT &amp; access>"
    text = " ".join([link] * (length // 40 + 1))
    found = substitutes.pieces(
        Message(text="", blocks=({"type": "section", "text": {"type": "mrkdwn", "text": text}},))
    )
    assert all(piece.count("<") == piece.count(">") for piece in found)
    assert " ".join(found).split() == text.split()
