"""People and the bot, through a real workspace, database and directory."""

import asyncio
import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.blocks import answer, approval, progress, request
from bot.blocks.reason import REASON
from bot.database import Database, open_owner
from bot.listeners import requests
from connectors.sandbox import company
from connectors.sandbox.process import Running
from graphs.audit.head import tenant
from tests.scenario import town_hall
from tests.scenario.slack_office import (
    ADA,
    APPROVERS,
    ASK_POLICY,
    BEN,
    BOT,
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
    async with open_office(database, database_home, slack_home, server) as opened:
        yield opened
        assert not [call for call in await opened.people.log() if call["error"] in BAD_BLOCKS]


BAD_BLOCKS = {"invalid_blocks", "invalid_arguments", "invalid_blocks_format", "missing_scope"}


async def test_a_mention_is_answered_in_its_thread_with_the_section_quoted(office: Office) -> None:
    ts = await office.people.message(
        f"<@{BOT}> how many days of annual leave do I get?", as_=ADA, channel=ASK_POLICY
    )
    said = await seen(office, "27 days", as_=TOMAS, channel=ASK_POLICY, thread=ts)
    assert "Annual leave" in texts(said)


async def test_a_direct_message_and_a_command_are_answered_to_the_person_alone(office: Office) -> None:
    conversation = await office.dm(ADA)
    ts = await office.people.message("How long is parental leave?", as_=ADA, channel=conversation)
    await seen(office, "sixteen weeks", as_=ADA, channel=conversation, thread=ts)
    done = await office.people.command("/ask", "How long is parental leave?", as_=TOMAS, channel=ASK_POLICY)
    assert done["acknowledged"]
    said = await seen(office, "sixteen weeks", as_=TOMAS, channel=ASK_POLICY)
    assert said["ephemeral"]
    assert not await finds(office, "sixteen weeks", as_=ADA, channel=ASK_POLICY)


async def test_answers_go_on_while_the_record_cannot_be_written(office: Office) -> None:
    async with office.parts.pool.connection() as conn:
        here = await tenant(conn)
    async with open_owner(office.database_home, None) as owner:
        rule = f"CREATE POLICY shut ON audit_event AS RESTRICTIVE FOR INSERT WITH CHECK (tenant <> '{here}')"
        await owner.execute(rule.encode())
        try:
            conversation = await office.dm(ADA)
            ts = await office.people.message("How long is parental leave?", as_=ADA, channel=conversation)
            await seen(office, "sixteen weeks", as_=ADA, channel=conversation, thread=ts)
        finally:
            await owner.execute("DROP POLICY shut ON audit_event")


async def test_a_follow_up_in_the_thread_is_understood_from_what_was_said_before(office: Office) -> None:
    conversation = await office.dm(ADA)
    ts = await office.people.message("How long is parental leave?", as_=ADA, channel=conversation)
    await seen(office, "sixteen weeks", as_=ADA, channel=conversation, thread=ts)
    await office.people.message("and is it paid?", as_=ADA, channel=conversation, thread_ts=ts)
    said = await seen(office, "sixteen weeks", as_=ADA, channel=conversation, thread=ts, skip=3)
    assert "Parental leave" in texts(said)


async def test_a_citation_without_an_address_opens_the_section_it_quotes(office: Office) -> None:
    ts = await office.people.message(
        f"<@{BOT}> how many days of annual leave do I get?", as_=ADA, channel=ASK_POLICY
    )
    said = await seen(office, "27 days", as_=ADA, channel=ASK_POLICY, thread=ts)
    await office.people.action(answer.SHOW, as_=ADA, channel=ASK_POLICY, message_ts=said["ts"])
    view = await office.people.wait_for_view(as_=ADA)
    assert "Leave is asked for in the leave system." in texts(view)


async def test_what_only_the_asker_may_read_is_answered_to_them_alone(office: Office) -> None:
    question = f"<@{BOT}> at how much does the salary band four begin?"
    await office.people.message(question, as_=INES, channel=ASK_POLICY)
    said = await seen(office, "58,000", as_=INES, channel=ASK_POLICY)
    assert said["ephemeral"]
    ts = await office.people.message(question, as_=ADA, channel=ASK_POLICY)
    await seen(office, "", as_=ADA, channel=ASK_POLICY, thread=ts, skip=1)
    for person in (ADA, TOMAS):
        assert not await finds(office, "58,000", as_=person, channel=ASK_POLICY)


@pytest.mark.parametrize("name", ["people-team", "People-Team"])
async def test_a_group_that_is_only_called_so_reads_nothing(office: Office, name: str) -> None:
    theirs = await office.dm(INES)
    ts = await office.people.message("At how much does the salary band four begin?", as_=INES, channel=theirs)
    await seen(office, "58,000", as_=INES, channel=theirs, thread=ts)
    await town_hall.found_group(office.directory, name, [company.TOMAS])
    conversation = await office.dm(TOMAS)
    ts = await office.people.message(
        "Where does the salary band four begin, please?", as_=TOMAS, channel=conversation
    )
    await seen(office, "", as_=TOMAS, channel=conversation, thread=ts, skip=1)
    assert not await finds(office, "58,000", as_=TOMAS, channel=conversation)


async def test_what_the_handbook_does_not_cover_is_said_with_whom_to_ask(office: Office) -> None:
    ts = await office.people.message(
        f"<@{BOT}> what is the wifi password of the moon base?", as_=ADA, channel=ASK_POLICY
    )
    said = await seen(office, "did not find", as_=ADA, channel=ASK_POLICY, thread=ts)
    assert "@larkfield.example" in texts(said)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "/ask How many days"),
        ("x" * 40_000, "at most 3,000"),
        ("<!channel> *how* long is parental leave? <https://evil.example|x>", "sixteen weeks"),
    ],
    ids=["empty", "40,000 characters", "injection"],
)
async def test_odd_questions_get_a_clear_answer(office: Office, text: str, expected: str) -> None:
    await office.people.command("/ask", text, as_=ADA, channel=ASK_POLICY)
    said = await seen(office, expected, as_=ADA, channel=ASK_POLICY)
    assert "evil.example" not in texts(said)


async def test_a_guest_is_told_politely_that_the_bot_is_not_for_them(office: Office) -> None:
    await office.people.message(f"<@{BOT}> how long is parental leave?", as_=NOOR, channel="C0GENERAL")
    said = await seen(office, "not for guests", as_=NOOR, channel="C0GENERAL")
    assert said["ephemeral"]


async def test_opening_the_conversation_greets_once_and_suggests_what_to_ask(office: Office) -> None:
    conversation = await office.dm(ADA)
    for _ in range(2):
        await office.people.home("messages", as_=ADA)
    await seen(office, "Hello!", as_=ADA, channel=conversation)

    async def prompts() -> list[Json]:
        return await office.people.prompts(as_=ADA, channel=conversation)

    assert len(await office.people.wait_for(prompts, what="the prompts")) == 4
    await settled(office)
    greetings = [
        each
        for each in await office.people.messages(as_=ADA, channel=conversation)
        if "Hello!" in texts(each)
    ]
    assert len(greetings) == 1


async def test_access_is_asked_for_approved_granted_and_ended(office: Office) -> None:
    conversation = await office.dm(ADA)
    ts = await office.people.message(WISH, as_=ADA, channel=conversation)
    await seen(office, "Waiting for approval", as_=ADA, channel=conversation, thread=ts)
    card = await pending(office)
    shown = texts(card)
    for expected in (
        f"<@{ADA}>",
        "group = billing-db",
        "close the quarter",
        "Temporary access to data",
        "data-owners",
    ):
        assert expected in shown
    await office.people.action(approval.APPROVE, as_=GRACE, channel=APPROVERS, message_ts=card["ts"])
    await seen(office, "Done: access to", as_=ADA, channel=conversation, thread=ts)
    assert "Ada Okafor" in await office.members("billing-db")
    after = await seen(office, "Approved by", as_=BEN, channel=APPROVERS)
    assert after["ts"] == card["ts"]
    assert approval.APPROVE not in str(after["blocks"])
    await office.move_clock(timedelta(days=3, minutes=1))
    await seen(office, "has ended", as_=ADA, channel=conversation, thread=ts)
    assert "Ada Okafor" not in await office.members("billing-db")
    notices = await office.people.messages(as_=ADA, channel=conversation, thread_ts=ts)
    assert len([each for each in notices if "Done: access to" in texts(each)]) == 1


async def test_what_is_missing_is_filled_in_in_a_window(office: Office) -> None:
    conversation = await office.dm(ADA)
    ts = await office.people.message("I need access to billing-db", as_=ADA, channel=conversation)
    said = await seen(office, "I still need", as_=ADA, channel=conversation, thread=ts)
    await office.people.action(progress.FILL_IN, as_=ADA, channel=conversation, message_ts=said["ts"])
    view = await office.people.wait_for_view(as_=ADA, callback_id=request.FILL)
    assert [block["block_id"] for block in view["blocks"]] == ["days", "reason"]
    wrong = await office.people.submit(view["id"], fill(days="3", reason="   "), as_=ADA)
    assert wrong["response_action"] == "errors"
    assert "reason" in wrong["errors"]
    right = await office.people.submit(view["id"], fill(days="3", reason="close the quarter"), as_=ADA)
    assert right["acknowledged"]
    assert "close the quarter" in texts(await pending(office))


async def test_the_form_of_a_request_can_be_opened_by_command(office: Office) -> None:
    await office.people.command("/request", "billing-db for 3 days", as_=ADA, channel=ASK_POLICY)
    view = await office.people.wait_for_view(as_=ADA, callback_id=request.FORM)
    wrong = await office.people.submit(view["id"], fill(group="billing-db", days="3", reason="  "), as_=ADA)
    assert "reason" in wrong["errors"]
    await office.people.submit(view["id"], fill(group="billing-db", days="3", reason="audit"), as_=ADA)
    assert "audit" in texts(await pending(office))
    await seen(office, "Waiting for approval", as_=ADA, channel=await office.dm(ADA))


async def test_who_may_not_decide_is_told_why_in_private_and_nothing_happens(office: Office) -> None:
    await office.people.message(WISH, as_=GRACE, channel=await office.dm(GRACE))
    card = await pending(office)
    for button in (approval.APPROVE, approval.DENY):
        await office.people.action(button, as_=GRACE, channel=APPROVERS, message_ts=card["ts"])
    said = await seen(office, "your own request", as_=GRACE, channel=APPROVERS)
    assert said["ephemeral"]
    assert not await finds(office, "your own request", as_=BEN, channel=APPROVERS)
    assert "Grace Lindqvist" not in await office.members("billing-db")
    assert await pending(office) == card


async def test_a_denial_needs_a_reason_and_tells_the_requester(office: Office) -> None:
    conversation = await office.dm(ADA)
    ts = await office.people.message(WISH, as_=ADA, channel=conversation)
    card = await pending(office)
    await office.people.action(approval.DENY, as_=BEN, channel=APPROVERS, message_ts=card["ts"])
    view = await office.people.wait_for_view(as_=BEN, callback_id=approval.DENIAL)
    await office.people.submit(view["id"], denial("Ask finance first."), as_=BEN)
    said = await seen(office, "denied by", as_=ADA, channel=conversation, thread=ts)
    assert "Ask finance first." in texts(said)
    await seen(office, "Denied by", as_=GRACE, channel=APPROVERS)
    assert "Ada Okafor" not in await office.members("billing-db")


async def test_two_clicks_at_once_decide_once(office: Office) -> None:
    conversation = await office.dm(ADA)
    ts = await office.people.message(WISH, as_=ADA, channel=conversation)
    card = await pending(office)
    await asyncio.gather(
        *(
            office.people.action(approval.APPROVE, as_=person, channel=APPROVERS, message_ts=card["ts"])
            for person in (GRACE, BEN, GRACE, BEN)
        )
    )
    await seen(office, "Done: access to", as_=ADA, channel=conversation, thread=ts)
    told = [
        await finds(office, "already been decided", as_=person, channel=APPROVERS) for person in (GRACE, BEN)
    ]
    assert any(told)
    await settled(office)
    async with office.parts.pool.connection() as conn:
        cursor = await conn.execute("SELECT count(*) AS effects FROM effect WHERE act = 'apply'")
        row = await cursor.fetchone()
    assert row == {"effects": 1}


async def test_a_dropped_answer_to_a_post_does_not_double_the_card(office: Office) -> None:
    await office.people.faults("chat.postMessage", "drop_after", times=2)
    conversation = await office.dm(ADA)
    ts = await office.people.message(WISH, as_=ADA, channel=conversation)
    await pending(office)
    await seen(office, "Waiting for approval", as_=ADA, channel=conversation, thread=ts)
    await settled(office)
    cards = [each for each in await office.people.messages(as_=GRACE, channel=APPROVERS) if is_pending(each)]
    assert len(cards) == 1
    thread = await office.people.messages(as_=ADA, channel=conversation, thread_ts=ts)
    assert len([each for each in thread if "Waiting for approval" in texts(each)]) == 1


async def test_an_event_that_comes_twice_is_answered_once(office: Office) -> None:
    await office.people.faults("socket", "duplicate")
    ts = await office.people.message(f"<@{BOT}> how long is parental leave?", as_=ADA, channel=ASK_POLICY)
    await seen(office, "sixteen weeks", as_=ADA, channel=ASK_POLICY, thread=ts)
    await settled(office)
    replies = await office.people.messages(as_=ADA, channel=ASK_POLICY, thread_ts=ts)
    assert len(replies) == 2  # the question and its answer


async def test_when_slack_puts_posts_off_they_come_later_and_once(office: Office) -> None:
    await office.people.faults("chat.postMessage", "ratelimited", times=2, retry_after=1)
    ts = await office.people.message(f"<@{BOT}> how long is parental leave?", as_=ADA, channel=ASK_POLICY)
    await seen(office, "sixteen weeks", as_=ADA, channel=ASK_POLICY, thread=ts)
    await settled(office)
    assert len(await office.people.messages(as_=ADA, channel=ASK_POLICY, thread_ts=ts)) == 2


async def seen(
    office: Office, text: str, *, as_: str, channel: str, thread: str | None = None, skip: int = 0
) -> Json:
    """Wait until a person sees a message with this text, apart from the first `skip` messages."""

    async def look() -> Json | None:
        found = await office.people.messages(as_=as_, channel=channel, thread_ts=thread)
        return next((each for each in found[skip:] if text in texts(each)), None)

    return await office.people.wait_for(look, timeout=20, what=f"'{text}' for {as_}")


async def finds(office: Office, text: str, *, as_: str, channel: str) -> bool:
    """Whether a person sees this text in the channel now, threads included."""
    found = await office.people.messages(as_=as_, channel=channel)
    for each in list(found):
        if each.get("reply_count"):
            found += await office.people.messages(as_=as_, channel=channel, thread_ts=each["ts"])
    return any(text in texts(each) for each in found)


async def pending(office: Office) -> Json:
    """Wait for the card that can be decided."""

    async def look() -> Json | None:
        found = await office.people.messages(as_=BEN, channel=APPROVERS)
        return next((each for each in found if is_pending(each)), None)

    return await office.people.wait_for(look, timeout=20, what="a card")


def is_pending(message: Json) -> bool:
    return approval.APPROVE in str(message.get("blocks"))


def fill(**values: str) -> Json:
    """Return what a form sends."""
    states: Json = {
        "group": lambda value: {"type": "static_select", "selected_option": option(value)},
        "days": lambda value: {"type": "number_input", "value": value},
        "reason": lambda value: {"type": "plain_text_input", "value": value},
    }
    return {name: {request.VALUE: states[name](value)} for name, value in values.items()}


def denial(reason: str) -> Json:
    return {REASON: {REASON: {"type": "plain_text_input", "value": reason}}}


def option(value: str) -> Json:
    return {"text": {"type": "plain_text", "text": value, "emoji": False}, "value": value}


async def settled(office: Office) -> None:
    """Wait until nothing is left to be done: no event, no message, no job."""

    async def look() -> bool:
        async with office.parts.pool.connection() as conn:
            cursor = await conn.execute(
                "SELECT (SELECT count(*) FROM event WHERE taken_at IS NULL)"
                " + (SELECT count(*) FROM message WHERE state = 'due')"
                " + (SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
                " AND queue_name = current_setting('countersign.tenant')) AS left_over"
            )
            row = await cursor.fetchone()
        return row == {"left_over": 0}

    await office.people.wait_for(look, timeout=20, what="the end of the work")


async def test_an_event_whose_listener_died_is_answered_all_the_same(office: Office) -> None:
    ts = await office.people.message("just talking", as_=ADA, channel=ASK_POLICY)
    body = {
        "type": "event_callback",
        "event_id": "EvLost",
        "event": {
            "type": "app_mention",
            "user": ADA,
            "channel": ASK_POLICY,
            "ts": ts,
            "text": f"<@{BOT}> how long is parental leave?",
        },
    }
    await office.parts.events.store(body)
    async with office.parts.pool.connection() as conn:
        await conn.execute("UPDATE event SET next_at = clock_timestamp()")
    await seen(office, "sixteen weeks", as_=ADA, channel=ASK_POLICY, thread=ts)


async def test_while_the_directory_is_down_a_click_is_not_consumed(office: Office) -> None:
    conversation = await office.dm(ADA)
    ts = await office.people.message(WISH, as_=ADA, channel=conversation)
    card = await pending(office)
    office.directory.process.send_signal(signal.SIGSTOP)
    try:
        done = await office.people.action(
            approval.APPROVE, as_=GRACE, channel=APPROVERS, message_ts=card["ts"]
        )
        assert done["acknowledged"]
        said = await seen(office, "try again", as_=GRACE, channel=APPROVERS)
        assert said["ephemeral"]
        asked = await office.people.message(
            f"<@{BOT}> how long is parental leave?", as_=TOMAS, channel=ASK_POLICY
        )
        await seen(office, "cannot check who you are", as_=TOMAS, channel=ASK_POLICY)
        assert len(await office.people.messages(as_=ADA, channel=ASK_POLICY, thread_ts=asked)) == 1
    finally:
        office.directory.process.send_signal(signal.SIGCONT)
    await office.people.action(approval.APPROVE, as_=GRACE, channel=APPROVERS, message_ts=card["ts"])
    await seen(office, "Done: access to", as_=ADA, channel=conversation, thread=ts)


async def test_the_shortcut_opens_the_same_form(office: Office) -> None:
    await office.people.shortcut(requests.SHORTCUT, as_=ADA)
    view = await office.people.wait_for_view(as_=ADA, callback_id=request.FORM)
    assert [block["block_id"] for block in view["blocks"]] == ["group", "days", "reason"]


async def test_the_clause_on_a_card_opens_for_those_who_may_read_it(office: Office) -> None:
    await office.people.message(WISH, as_=ADA, channel=await office.dm(ADA))
    card = await pending(office)
    await office.people.action(approval.CLAUSE, as_=BEN, channel=APPROVERS, message_ts=card["ts"])
    view = await office.people.wait_for_view(as_=BEN)
    assert "A data owner decides." in texts(view)
