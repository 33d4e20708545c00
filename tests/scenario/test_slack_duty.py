"""Stand-ins, reminders and emergencies as people in Slack meet them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.blocks import approval, request
from bot.blocks import delegation as lending
from bot.blocks import review as reviewing
from bot.blocks.reason import REASON
from bot.database import Database
from bot.demo.world import ALARMS
from bot.listeners import delegation, requests
from connectors.sandbox.process import Running
from tests.scenario.slack_office import (
    ADA,
    APPROVERS,
    BEN,
    GRACE,
    INES,
    NOOR,
    TOMAS,
    Office,
    open_office,
    texts,
)

Json = dict[str, Any]
WISH = "I need billing-db for 3 days to close the quarter"


@pytest.fixture
async def office(
    database: Database, database_home: Path, slack_home: Path, server: Running
) -> AsyncIterator[Office]:
    async with open_office(database, database_home, slack_home, server, emergencies=True) as opened:
        yield opened
        refused = {"invalid_blocks", "invalid_arguments", "missing_scope", "not_in_channel"}
        assert not [call for call in await opened.people.log() if call["error"] in refused]


async def in_channel(office: Office, text: str, *, as_: str, channel: str, thread: str | None = None) -> Json:
    """Wait until a person sees this text."""

    async def look() -> Json | None:
        found = await office.people.messages(as_=as_, channel=channel, thread_ts=thread)
        return next((each for each in found if text in texts(each)), None)

    return await office.people.wait_for(look, timeout=20, what=f"'{text}' for {as_}")


async def card(office: Office) -> Json:
    """Wait for the card that can be decided."""

    async def look() -> Json | None:
        found = await office.people.messages(as_=BEN, channel=APPROVERS)
        return next((each for each in found if approval.APPROVE in str(each.get("blocks"))), None)

    return await office.people.wait_for(look, timeout=20, what="a card")


async def press(office: Office, message: Json, action: str, who: str, channel: str = APPROVERS) -> None:
    done = await office.people.action(action, as_=who, channel=channel, message_ts=message["ts"])
    assert done["acknowledged"]


async def window(office: Office, who: str) -> Json:
    """Open the window in which a person says who decides for them."""
    await office.people.command(delegation.COMMAND, as_=who, channel=await office.dm(who))
    return await office.people.wait_for_view(as_=who, callback_id=lending.FORM)


def lent(to: str, days: int = 1) -> Json:
    day = (datetime.now(UTC) + timedelta(days=days)).date().isoformat()
    return {
        lending.PERSON: {lending.PERSON: {"type": "users_select", "selected_user": to}},
        lending.DAY: {lending.DAY: {"type": "datepicker", "selected_date": day}},
    }


async def test_somebody_says_who_decides_for_them_and_the_card_says_so(office: Office) -> None:
    form = await window(office, GRACE)
    sent = await office.people.submit(form["id"], lent(TOMAS), as_=GRACE)
    assert sent["response_action"] == "update"
    assert "Tomas Varga* decides for *Grace Lindqvist" in texts(await office.people.wait_for_view(as_=GRACE))
    await in_channel(office, "You decide for *Grace Lindqvist*", as_=TOMAS, channel=await office.dm(TOMAS))
    await office.people.message(WISH, as_=ADA, channel=await office.dm(ADA))
    asked = await card(office)
    await office.people.invite(TOMAS, as_=GRACE, channel=APPROVERS)
    await press(office, asked, approval.APPROVE, TOMAS)
    await in_channel(office, f"Approved by <@{TOMAS}> for <@{GRACE}>", as_=BEN, channel=APPROVERS)

    async def carried_out() -> bool:
        return await office.members("billing-db") == {"Ada Okafor"}

    await office.people.wait_for(carried_out, timeout=20, what="the access that was approved")


async def test_somebody_ends_it_before_its_day(office: Office) -> None:
    await office.people.submit((await window(office, GRACE))["id"], lent(TOMAS), as_=GRACE)
    await office.people.close((await office.people.wait_for_view(as_=GRACE))["id"], as_=GRACE)
    form = await window(office, GRACE)
    assert "Tomas Varga* decides for *Grace Lindqvist" in texts(form)
    await office.people.action(lending.END, as_=GRACE, view_id=form["id"])

    async def told() -> bool:
        return "no longer decides for you" in texts((await office.people.views(as_=GRACE))[-1])

    await office.people.wait_for(told, timeout=20, what="the word that it is over")
    await in_channel(office, "no longer decide for *Grace", as_=TOMAS, channel=await office.dm(TOMAS))
    assert "Grace Lindqvist" not in texts(await window(office, TOMAS))


@pytest.mark.parametrize(
    ("to", "days", "block", "sentence"),
    [
        (GRACE, 1, lending.PERSON, "somebody else"),
        (NOOR, 1, lending.PERSON, "members of this workspace"),
        (TOMAS, -1, lending.DAY, "over"),
        (TOMAS, 90, lending.DAY, "60 days"),
    ],
)
async def test_what_cannot_be_lent_is_said_beside_the_field(
    office: Office, to: str, days: int, block: str, sentence: str
) -> None:
    form = await window(office, GRACE)
    answer = await office.people.submit(form["id"], lent(to, days), as_=GRACE)
    assert sentence in answer["errors"][block]


async def test_a_reminder_stands_once_in_the_thread_of_the_card_and_calls_those_who_may_decide(
    office: Office,
) -> None:
    await meet(office, GRACE)
    await office.people.message(WISH, as_=ADA, channel=await office.dm(ADA))
    asked = await card(office)
    await office.move_clock(timedelta(hours=12, minutes=1))
    said = await in_channel(
        office, "This still waits for a decision", as_=BEN, channel=APPROVERS, thread=asked["ts"]
    )
    assert f"<@{GRACE}>" in texts(said)
    assert f"<@{ADA}>" not in texts(said)
    await office.parts.runs.sweep()
    await press(office, asked, approval.APPROVE, GRACE)
    await in_channel(office, "Approved by", as_=BEN, channel=APPROVERS)
    thread = await office.people.messages(as_=BEN, channel=APPROVERS, thread_ts=asked["ts"])
    assert len(thread) == 2


async def meet(office: Office, who: str) -> None:
    """Let somebody talk to the bot, so that it knows their account."""
    conversation = await office.dm(who)
    ts = await office.people.message("hello", as_=who, channel=conversation)
    await in_channel(office, "", as_=who, channel=conversation, thread=ts)
    await office.parts.identity.person(who)


async def test_an_emergency_is_asked_for_by_form_said_aloud_approved_by_two_and_reviewed(
    office: Office,
) -> None:
    await office.people.command(requests.COMMAND, as_=ADA, channel=await office.dm(ADA))
    chosen = await office.people.wait_for_view(as_=ADA, callback_id=request.CHOOSE)
    await office.people.submit(
        chosen["id"],
        {request.WORKFLOW: {request.VALUE: {"type": "static_select", "selected_option": "break_glass"}}},
        as_=ADA,
    )
    form = await office.people.wait_for_view(as_=ADA, callback_id=request.FORM)
    filled = {
        "group": {"type": "static_select", "selected_option": "prod-logs"},
        "minutes": {"type": "number_input", "value": "30"},
        "reason": {"type": "plain_text_input", "value": "the sensor cloud is down"},
    }
    await office.people.submit(
        form["id"], {name: {request.VALUE: value} for name, value in filled.items()}, as_=ADA
    )
    await in_channel(office, "asks for *prod-logs* for 30 minutes", as_=INES, channel=ALARMS)
    asked = await card(office)
    assert "Approvals: 0 of 2 needed" in texts(asked)
    await press(office, asked, approval.APPROVE, GRACE)
    await press(office, asked, approval.APPROVE, BEN)
    await in_channel(office, "Approved by Grace Lindqvist, Ben Castellanos", as_=INES, channel=ALARMS)
    assert "Ada Okafor" in await office.members("prod-logs")
    await office.move_clock(timedelta(minutes=31))
    await in_channel(office, "*prod-logs* has ended", as_=INES, channel=ALARMS)
    assert "Ada Okafor" not in await office.members("prod-logs")
    review = await in_channel(office, "Review needed", as_=INES, channel=ALARMS)
    await press(office, review, reviewing.NOT_IN_ORDER, GRACE, ALARMS)
    await in_channel(office, "You had a part in this", as_=GRACE, channel=ALARMS)
    await office.move_clock(timedelta(hours=25))
    await in_channel(office, "still waits to be signed off", as_=INES, channel=ALARMS, thread=review["ts"])
    await press(office, review, reviewing.NOT_IN_ORDER, INES, ALARMS)
    view = await office.people.wait_for_view(as_=INES, callback_id=reviewing.OBJECTION)
    reason = {REASON: {REASON: {"type": "plain_text_input", "value": "nothing was down"}}}
    await office.people.submit(view["id"], reason, as_=INES)
    await in_channel(office, "Reviewed, not in order", as_=INES, channel=ALARMS)
    await in_channel(office, "was not in order", as_=BEN, channel=ALARMS)
