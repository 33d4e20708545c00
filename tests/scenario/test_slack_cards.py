"""A button counts on the card that was posted for it, and on no copy of that card."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot import sentences
from bot.blocks import approval
from bot.database import Database
from connectors.sandbox.process import Running
from tests.scenario.slack_office import (
    ADA,
    APPROVERS,
    ASK_POLICY,
    BEN,
    GRACE,
    Office,
    open_office,
)
from tests.scenario.test_slack_office import WISH, finds, pending, seen


@pytest.fixture
async def slack(
    database: Database, database_home: Path, slack_home: Path, server: Running
) -> AsyncIterator[Office]:
    async with open_office(database, database_home, slack_home, server) as opened:
        yield opened


async def passed_on(slack: Office, card: dict[str, Any], channel: str) -> str:
    """Post the card's very blocks once more, with the bot's own token, when the bot knows where its own is.

    While it posts a card, a click in that channel counts: the card can be seen before its place is known.
    """
    async with slack.parts.pool.connection() as conn:
        cursor = await conn.execute("SELECT id FROM approval")
        (name,) = [f"card:{row['id']}" for row in await cursor.fetchall()]

    async def known() -> bool:
        return not await slack.parts.outbox.has_posted(name, channel=APPROVERS, ts="0")

    await slack.people.wait_for(known, what="the place of the card")
    copy = await slack.parts.slack.chat_postMessage(channel=channel, text="a copy", blocks=card["blocks"])
    return str(copy["ts"])


@pytest.mark.parametrize("channel", [ASK_POLICY, APPROVERS])
@pytest.mark.parametrize(
    "action", [approval.APPROVE, approval.DENY, approval.EDIT, approval.CLAUSE], ids=lambda name: name
)
async def test_the_buttons_of_a_copy_do_nothing(slack: Office, channel: str, action: str) -> None:
    conversation = await slack.dm(ADA)
    await slack.people.message(WISH, as_=ADA, channel=conversation)
    card = await pending(slack)
    copy = await passed_on(slack, card, channel)
    clicked = await slack.people.action(action, as_=GRACE, channel=channel, message_ts=copy)
    assert clicked["acknowledged"]
    await seen(slack, sentences.ELSEWHERE, as_=GRACE, channel=channel)
    assert not await finds(slack, sentences.ELSEWHERE, as_=BEN, channel=channel), "nobody else reads it"
    assert not await slack.people.views(as_=GRACE)
    async with slack.parts.pool.connection() as conn:
        cursor = await conn.execute("SELECT status FROM approval")
        assert [row["status"] for row in await cursor.fetchall()] == ["pending"]
    await slack.people.action(approval.APPROVE, as_=GRACE, channel=APPROVERS, message_ts=card["ts"])
    await seen(slack, "Approved", as_=GRACE, channel=APPROVERS)


async def test_the_card_of_another_request_is_not_the_card(slack: Office) -> None:
    """Somebody with the bot's token writes the button of one request onto the card of another."""
    conversation = await slack.dm(ADA)
    await slack.people.message(WISH, as_=ADA, channel=conversation)
    card = await pending(slack)
    await slack.parts.slack.chat_update(
        channel=APPROVERS, ts=card["ts"], text="changed", blocks=renamed(card["blocks"], "another")
    )
    await slack.people.action(approval.APPROVE, as_=GRACE, channel=APPROVERS, message_ts=card["ts"])
    await seen(slack, sentences.ELSEWHERE, as_=GRACE, channel=APPROVERS)
    assert await slack.members("billing-db") == set()


async def test_a_card_of_another_installation_is_called_so(slack: Office) -> None:
    """Two installations share one app: the one that hears of the click has neither record nor message."""
    conversation = await slack.dm(ADA)
    await slack.people.message(WISH, as_=ADA, channel=conversation)
    theirs = renamed((await pending(slack))["blocks"], "of-another-installation")
    posted = await slack.parts.slack.chat_postMessage(channel=APPROVERS, text="theirs", blocks=theirs)
    await slack.people.action(approval.APPROVE, as_=GRACE, channel=APPROVERS, message_ts=str(posted["ts"]))
    await seen(slack, sentences.FOREIGN, as_=GRACE, channel=APPROVERS)
    assert not await finds(slack, sentences.ELSEWHERE, as_=GRACE, channel=APPROVERS)


def renamed(blocks: list[dict[str, Any]], value: str) -> list[dict[str, Any]]:
    """Let every button of these blocks name something else."""
    return [
        {
            **block,
            "elements": [
                {**one, "value": value} if one.get("type") == "button" else one for one in block["elements"]
            ],
        }
        if block["type"] == "actions"
        else block
        for block in blocks
    ]
