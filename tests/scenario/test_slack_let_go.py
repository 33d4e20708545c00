"""Clicks that Slack calls failed, and private answers that it refuses: whoever clicked is told."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bot.database import Database, open_owner
from bot.listeners import guarded
from bot.listeners.surfaces import Body
from connectors.sandbox.process import Running
from tests.scenario.slack_office import ADA, APPROVERS, GRACE, Office, open_office, texts
from tests.scenario.test_slack_unseen import ASK, card, reads, until


@pytest.fixture
async def office(
    database: Database, database_home: Path, slack_home: Path, server: Running
) -> AsyncIterator[Office]:
    async with open_office(database, database_home, slack_home, server) as opened:
        yield opened


async def asked(office: Office) -> tuple[str, str, str]:
    """Have Ada ask; return her conversation, her message, and the timestamp of the card."""
    dm = await office.dm(ADA)
    ts = await office.people.message(ASK, as_=ADA, channel=dm)
    (message,) = await until(lambda: card(office))
    return dm, ts, str(message["ts"])


async def click(office: Office, ts: str, action: str = "approval.approve") -> dict[str, Any]:
    return await office.people.action(action, as_=GRACE, channel=APPROVERS, message_ts=ts)


async def alone(office: Office, channel: str = APPROVERS) -> int:
    """Return how many messages Grace reads in a channel."""
    return len(await office.people.messages(as_=GRACE, channel=channel))


async def whispered(office: Office, words: str, *, channel: str = APPROVERS, before: int = 0) -> None:
    """Wait until Grace reads these words in something new."""

    async def look() -> bool:
        every = await office.people.messages(as_=GRACE, channel=channel)
        return any(words in texts(one) for one in every[before:])

    await until(look)


async def votes(office: Office) -> int:
    async with office.parts.pool.connection() as conn:
        cursor = await conn.execute("SELECT count(*) AS votes FROM vote")
        row = await cursor.fetchone()
    assert row is not None
    return int(row["votes"])


async def test_a_click_that_the_database_holds_up_is_let_go_and_not_applied_later(office: Office) -> None:
    dm, ts, shown = await asked(office)
    async with open_owner(office.database_home, None) as owner, owner.transaction():
        await owner.execute("SELECT FROM approval FOR UPDATE")
        answer = await click(office, shown)
        await whispered(office, "I have let go of it")
    assert answer["acknowledged"], "in three seconds, whatever the database does"

    async def nobody_waits() -> bool:
        async with open_owner(office.database_home, None) as owner:
            cursor = await owner.execute(
                "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%approval%'"
                " AND pid <> pg_backend_pid()"
            )
            return await cursor.fetchone() is None

    await until(nobody_waits)
    assert await votes(office) == 0
    assert (await click(office, shown))["acknowledged"]
    await reads(office, dm, ts, "Done: access to")


async def test_a_private_answer_whose_address_has_expired_is_written_to_the_person(office: Office) -> None:
    _, _, shown = await asked(office)
    await office.people.faults("views.open", "refused", error="expired_trigger_id")
    await office.people.faults("response_url", "refused", error="expired_url")
    await click(office, shown, "approval.deny")
    await whispered(office, "Slack did not open the window", channel=await office.dm(GRACE))


async def test_a_window_that_slack_does_not_open_is_explained(office: Office) -> None:
    _, _, shown = await asked(office)
    faults: list[tuple[dict[str, Any], str]] = [
        ({"kind": "ratelimited", "retry_after": 30}, "Please try again"),
        ({"kind": "refused", "error": "expired_trigger_id"}, "Slack did not open the window"),
        ({"kind": "refused", "error": "invalid_arguments"}, "Slack did not open the window"),
        ({"kind": "drop"}, "did not say whether it opened"),
    ]
    for fault, says in faults:
        await office.people.faults("views.open", **fault)
        before = await alone(office)
        assert (await click(office, shown, "approval.deny"))["acknowledged"]
        await whispered(office, says, before=before)
    assert await votes(office) == 0


class _Outbox:
    """Keeps what people are told in private."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def write_to(self, user: str, message: Any) -> None:
        self.told.append(message.text)


BUTTON: Body = {"type": "block_actions", "user": {"id": GRACE}}
WINDOW: Body = {
    "type": "view_submission",
    "user": {"id": GRACE},
    "view": {"blocks": [{"type": "section"}, {"type": "input", "block_id": "why"}]},
}


async def test_a_click_that_takes_too_long_is_let_go_before_slack_calls_it_failed() -> None:
    answers: list[dict[str, Any]] = []
    undone = asyncio.Event()

    async def ack(**named: Any) -> None:
        answers.append(named)

    async def hangs(body: Body, ack: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            undone.set()

    for body in (BUTTON, WINDOW):
        outbox = _Outbox()
        parts = SimpleNamespace(outbox=outbox)
        answers.clear()
        undone.clear()
        await guarded.guarded(parts, hangs)(body, ack)  # type: ignore[arg-type]  # stand-ins
        async with asyncio.timeout(30):
            await undone.wait()
        if body is WINDOW:
            assert answers == [{"response_action": "errors", "errors": {"why": guarded.LET_GO}}]
        else:
            assert (answers, outbox.told) == ([{}], [guarded.LET_GO])


async def test_what_a_listener_raises_is_raised() -> None:
    async def ack(**named: Any) -> None:
        """Nobody looks."""

    async def fails(body: Body, ack: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await guarded.guarded(SimpleNamespace(), fails)(BUTTON, ack)  # type: ignore[arg-type]  # stand-ins
