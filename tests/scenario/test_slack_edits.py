"""Approving with changes, and asking again, through Slack's buttons and windows."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.blocks import approval, progress
from bot.database import Database
from connectors.sandbox.process import Running
from tests.scenario.slack_office import ADA, APPROVERS, BEN, GRACE, Office, open_office, texts
from tests.scenario.test_slack_office import BAD_BLOCKS, WISH, denial, fill, pending, seen


@pytest.fixture
async def slack(
    database: Database, database_home: Path, slack_home: Path, server: Running
) -> AsyncIterator[Office]:
    async with open_office(database, database_home, slack_home, server) as opened:
        yield opened
        assert not [call for call in await opened.people.log() if call["error"] in BAD_BLOCKS]


async def test_an_approver_takes_two_days_away_and_so_approves_the_third(slack: Office) -> None:
    conversation = await slack.dm(ADA)
    ts = await slack.people.message(WISH, as_=ADA, channel=conversation)
    card = await pending(slack)
    await slack.people.action(approval.EDIT, as_=GRACE, channel=APPROVERS, message_ts=card["ts"])
    view = await slack.people.wait_for_view(as_=GRACE, callback_id=approval.CHANGE)
    same = await slack.people.submit(view["id"], fill(group="billing-db", days="3"), as_=GRACE)
    assert "changes nothing" in str(same["errors"])
    far = await slack.people.submit(view["id"], fill(group="billing-db", days="99"), as_=GRACE)
    assert set(far["errors"]) == {"days"}
    done = await slack.people.submit(view["id"], fill(group="billing-db", days="1"), as_=GRACE)
    assert done["acknowledged"]
    said = await seen(slack, "changed it", as_=ADA, channel=conversation, thread=ts)
    assert "For how many days: 3 → 1" in texts(said)
    await seen(slack, "Done: access to", as_=ADA, channel=conversation, thread=ts)
    assert await slack.members("billing-db") == {"Ada Okafor"}
    old = await seen(slack, "counts no more", as_=BEN, channel=APPROVERS)
    assert old["ts"] == card["ts"]


async def test_a_denied_request_is_asked_again_with_one_click(slack: Office) -> None:
    conversation = await slack.dm(ADA)
    ts = await slack.people.message(WISH, as_=ADA, channel=conversation)
    card = await pending(slack)
    await slack.people.action(approval.DENY, as_=BEN, channel=APPROVERS, message_ts=card["ts"])
    view = await slack.people.wait_for_view(as_=BEN, callback_id=approval.DENIAL)
    await slack.people.submit(view["id"], denial("Ask finance first."), as_=BEN)
    closed = await seen(slack, "Closed without being carried out", as_=ADA, channel=conversation, thread=ts)
    for _ in range(2):
        await slack.people.action(progress.AGAIN, as_=ADA, channel=conversation, message_ts=closed["ts"])
    again = await pending(slack)
    assert again["ts"] != card["ts"]
    await slack.people.action(approval.APPROVE, as_=GRACE, channel=APPROVERS, message_ts=again["ts"])
    await seen(slack, "Done: access to", as_=ADA, channel=conversation, thread=ts)


async def test_whoever_asked_withdraws_it_with_a_button_that_asks_first(slack: Office) -> None:
    conversation = await slack.dm(ADA)
    ts = await slack.people.message(WISH, as_=ADA, channel=conversation)
    card = await pending(slack)
    mine = await seen(slack, "Waiting for approval", as_=ADA, channel=conversation, thread=ts)
    await slack.people.action(
        progress.WITHDRAW, as_=ADA, channel=conversation, message_ts=mine["ts"], confirm=True
    )
    await seen(slack, "You have withdrawn this request.", as_=ADA, channel=conversation, thread=ts)
    gone = await seen(slack, "Withdrawn by its requester", as_=GRACE, channel=APPROVERS)
    assert gone["ts"] == card["ts"]
    assert approval.APPROVE not in str(gone)
    assert await slack.members("billing-db") == set()
