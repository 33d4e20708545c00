"""The whole bot while Slack refuses its messages: what the requester, the operator and the approvers see."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from slack_sdk.errors import SlackApiError

from bot import undelivered
from bot.database import Database
from connectors.sandbox.process import Running
from tests.scenario.slack_office import ADA, APPROVERS, ASK_POLICY, GRACE, Office, open_office, texts

ASK = "I need billing-db for 3 days to close the quarter"
QUESTION = "How many days of annual leave do I get?"


@pytest.fixture
async def office(
    database: Database, database_home: Path, slack_home: Path, server: Running
) -> AsyncIterator[Office]:
    async with open_office(database, database_home, slack_home, server) as opened:
        yield opened


class Refusing:
    """Has Slack refuse to post, in a channel or everywhere, for as long as the block lasts."""

    def __init__(
        self, office: Office, error: str, *, channel: str | None = None, blocks: bool = False
    ) -> None:
        self._slack = office.parts.slack
        self._error = error
        self._channel = channel
        self._blocks = blocks  # only what has blocks
        self._posting: Callable[..., Awaitable[Any]] = self._slack.chat_postMessage

    def __enter__(self) -> Self:
        setattr(self._slack, "chat_postMessage", self._refuse)  # noqa: B010  # a method is no attribute to assign to
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        setattr(self._slack, "chat_postMessage", self._posting)  # noqa: B010  # likewise

    async def _refuse(self, **call: Any) -> Any:
        if self._channel in {None, call["channel"]} and (call["blocks"] or not self._blocks):
            raise SlackApiError("refused", {"ok": False, "error": self._error})
        return await self._posting(**call)


async def until(look: Callable[[], Awaitable[Any]], *, seconds: float = 60) -> Any:
    """Look again and again until something is found."""
    async with asyncio.timeout(seconds):
        while not (found := await look()):
            await asyncio.sleep(0.1)
    return found


async def thread(office: Office, channel: str, ts: str) -> str:
    """Return all that Ada reads in a thread."""
    return "\n".join(
        texts(one) for one in await office.people.messages(as_=ADA, channel=channel, thread_ts=ts)
    )


async def reads(office: Office, channel: str, ts: str, *words: str) -> str:
    """Wait until Ada reads these words in a thread; return all of it."""

    async def look() -> str:
        read = await thread(office, channel, ts)
        return read if all(word in read for word in words) else ""

    return str(await until(look))


async def shown(office: Office) -> Sequence[undelivered.Undelivered]:
    """Return what the operator is shown."""
    async with office.parts.pool.connection() as conn:
        return await undelivered.undelivered(conn)


async def card(office: Office) -> list[dict[str, Any]]:
    every = await office.people.messages(as_=GRACE, channel=APPROVERS)
    return [one for one in every if "billing-db" in texts(one)]


@pytest.mark.parametrize("error", ["not_in_channel", "token_revoked"])
async def test_a_card_that_slack_refuses_waits_and_the_requester_is_told_the_truth(
    office: Office, error: str
) -> None:
    dm = await office.dm(ADA)
    with Refusing(office, error, channel=APPROVERS):
        ts = await office.people.message(ASK, as_=ADA, channel=dm)
        read = await reads(office, dm, ts, "could not be posted", "nobody can decide yet")
        assert "Whoever runs me has been told" in read
        (waits,) = await shown(office)
        assert (waits.kind, waits.state, waits.error) == ("card", "waiting", error)
        assert not await card(office)
    (message,) = await until(lambda: card(office))
    await reads(office, dm, ts, "The card is there now")
    assert not await shown(office)
    await office.people.action("approval.approve", as_=GRACE, channel=APPROVERS, message_ts=message["ts"])
    await reads(office, dm, ts, "Done: access to")


async def test_when_the_time_to_decide_is_over_the_requester_hears_that_nobody_could(office: Office) -> None:
    dm = await office.dm(ADA)
    with Refusing(office, "is_archived", channel=APPROVERS):
        ts = await office.people.message(ASK, as_=ADA, channel=dm)
        await reads(office, dm, ts, "could not be posted")
        await office.move_clock(timedelta(hours=25))
        read = await reads(office, dm, ts, "Nothing was done, because the card", "that channel is archived")
    assert "Nobody decided in time" not in read
    assert "nobody decided in time" not in await reads(office, dm, ts, "Why: the card for the approvers")


async def test_an_answer_that_slack_refuses_is_said_in_plain_text_or_later(office: Office) -> None:
    dm = await office.dm(ADA)
    for error in ("invalid_blocks", "msg_too_long", "msg_blocks_too_long"):
        with Refusing(office, error, blocks=True):
            ts = await office.people.message(QUESTION, as_=ADA, channel=dm)
            await reads(office, dm, ts, "27 days", "plain text")
    async with office.parts.pool.connection() as conn:
        await conn.execute("UPDATE message SET form = 0 WHERE kind = 'reply'")
    with Refusing(office, "token_revoked"):
        ts = await office.people.message(QUESTION, as_=ADA, channel=dm)
        (waits,) = await until(lambda: shown(office))
        assert (waits.kind, waits.error) == ("reply", "token_revoked")
    await reads(office, dm, ts, "27 days")


async def test_a_card_whose_form_is_refused_says_what_is_asked_and_that_nobody_can_decide(
    office: Office,
) -> None:
    dm = await office.dm(ADA)
    with Refusing(office, "invalid_blocks", channel=APPROVERS, blocks=True):
        ts = await office.people.message(ASK, as_=ADA, channel=dm)
        await reads(office, dm, ts, "does not accept the card with its buttons")
        (message,) = await until(lambda: card(office))
        assert "nobody can decide on it here yet" in texts(message)
        assert "close the quarter" in texts(message)
    async with office.parts.pool.connection() as conn:
        await undelivered.resend(conn)
    await reads(office, dm, ts, "The card is there now")
    (message,) = await card(office)
    await office.people.action("approval.approve", as_=GRACE, channel=APPROVERS, message_ts=message["ts"])
    await reads(office, dm, ts, "Done: access to")


async def test_whoever_asked_in_a_channel_that_is_closed_hears_in_private(office: Office) -> None:
    dm = await office.dm(ADA)
    with Refusing(office, "restricted_action_read_only_channel", channel=ASK_POLICY):
        await office.people.message(f"<@U0COUNTERSIGN> {QUESTION}", as_=ADA, channel=ASK_POLICY)

        async def told() -> bool:
            every = await office.people.messages(as_=ADA, channel=dm)
            return any("27 days" in texts(one) and "I cannot post this in" in texts(one) for one in every)

        await until(told)
    assert not await shown(office)
