"""The five steps, from a message to the end of what it granted, through the Web API alone."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from bot.blocks import answer, approval, progress, request
from bot.blocks.reason import REASON
from bot.demo import reading
from connectors.sandbox import company
from connectors.sandbox.supervision import python
from tests.town import ADA, APPROVERS, ASK_POLICY, BEN, GRACE, PATIENCE, Town, button, text

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def countersign(town: Town, *words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *python("bot.cli", *words, "--home", str(town.home)), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode()


async def test_the_five_steps_happen(town: Town) -> None:
    await step_one_questions_are_answered_with_the_sections_that_say_so(town)
    run = await step_two_a_request_is_completed_in_a_form(town)
    await step_three_an_approver_decides_and_the_requester_cannot(town, run)
    await step_four_the_directory_has_it_until_the_end(town)
    await step_five_the_record_tells_the_whole_story(town, run)


async def step_one_questions_are_answered_with_the_sections_that_say_so(town: Town) -> None:
    people = town.people
    found = await town.ask(
        ADA, "<@U0COUNTERSIGN> How many weeks of parental leave do I get?", channel=ASK_POLICY
    )
    await citation_opens_what_it_quotes(town, found, ASK_POLICY)
    found = await town.ask(ADA, "Can I carry unused holiday over to next year?")
    await citation_opens_what_it_quotes(town, found, await town.dm(ADA))
    before = len(await town.whispers(ADA, channel=ASK_POLICY))
    done = await people.command(
        "/ask", "what is the meal allowance when I travel?", as_=ADA, channel=ASK_POLICY
    )
    assert done["acknowledged"]
    await town.whispered(ADA, "[1]", before=before, channel=ASK_POLICY)
    assert not await town.whispers(BEN, channel=ASK_POLICY), "the answer to /ask is for Ada alone"
    found = await town.ask(ADA, "Does the company pay for my dentist in Portugal?")
    assert "Whom to ask" in text(found)
    assert "[1]" not in text(found)


async def citation_opens_what_it_quotes(town: Town, found: Mapping[str, Any], channel: str) -> None:
    assert "[1]" in text(found), text(found)
    show = button(found, answer.SHOW)
    assert show is not None
    await town.people.action(
        answer.SHOW, as_=ADA, channel=channel, message_ts=found["ts"], value=show["value"]
    )
    view = await town.people.wait_for_view(as_=ADA, timeout=PATIENCE)
    quote = next(line for line in text(found).splitlines() if line.startswith(">"))
    assert letters(quote)[:40] in letters(reading.plain(view, {}))
    await town.people.close(view["id"], as_=ADA)


def letters(said: str) -> str:
    return "".join(filter(str.isalnum, said))


async def step_two_a_request_is_completed_in_a_form(town: Town) -> str:
    people, channel = town.people, await town.dm(ADA)
    ts = await people.message("I need billing-db to close the quarter", as_=ADA, channel=channel)
    asked = await people.wait_for_message(
        lambda one: button(one, progress.FILL_IN) is not None,
        as_=ADA,
        channel=channel,
        thread_ts=ts,
        timeout=PATIENCE,
    )
    fill = button(asked, progress.FILL_IN)
    assert fill is not None
    await people.action(
        progress.FILL_IN, as_=ADA, channel=channel, message_ts=asked["ts"], value=fill["value"]
    )
    view = await people.wait_for_view(as_=ADA, callback_id=request.FILL, timeout=PATIENCE)
    asked_for = [block["block_id"] for block in view["blocks"] if block["type"] == "input"]
    assert asked_for == ["days"], "only what is missing is asked for"
    too_many = await people.submit(view["id"], {"days": {request.VALUE: {"value": "99"}}}, as_=ADA)
    assert "at most 30" in too_many["errors"]["days"]
    done = await people.submit(view["id"], {"days": {request.VALUE: {"value": "3"}}}, as_=ADA)
    assert done["acknowledged"]
    assert not done.get("errors")
    await town.heard(ADA, "Waiting for approval")
    return str(fill["value"])


async def step_three_an_approver_decides_and_the_requester_cannot(town: Town, run: str) -> None:
    card = await town.asked("billing-db")
    assert card.run == run
    (shown,) = await town.cards("billing-db")
    for said in (
        "For: 3 days",
        "Ada Okafor is not a member of billing-db",
        "Ada Okafor is a member of billing-db",
        "group = billing-db",
        "Temporary access to data",
        "close the quarter",
    ):
        assert said in text(shown)
    assert "Ada Okafor" not in await town.members("billing-db")
    assert (await town.click(GRACE, card))["acknowledged"]

    # Grace's own request, which she cannot decide on, and which Ben denies with a reason.
    await town.people.message("I need prod-logs for 2 days to see", as_=GRACE, channel=await town.dm(GRACE))
    other = await town.asked("prod-logs")
    before = len(await town.whispers(GRACE))
    await town.click(GRACE, other)
    await town.whispered(GRACE, "You cannot decide on your own request", before=before)
    await town.click(BEN, other, approval.DENY)
    view = await town.people.wait_for_view(as_=BEN, callback_id=approval.DENIAL, timeout=PATIENCE)
    reason = {REASON: {REASON: {"value": "Ask the platform team to look with you"}}}
    assert (await town.people.submit(view["id"], reason, as_=BEN))["acknowledged"]
    assert await town.stands(other.run, "refused")
    await town.heard(GRACE, "Ask the platform team to look with you")
    assert await town.changes("prod-logs") == []


async def step_four_the_directory_has_it_until_the_end(town: Town) -> None:
    await town.heard(ADA, "Done: access to billing-db")
    await town.people.wait_for_message(
        lambda one: (
            "Approved by" in text(one) and "billing-db" in text(one) and not button(one, approval.APPROVE)
        ),
        as_=GRACE,
        channel=APPROVERS,
        timeout=PATIENCE,
    )
    assert company.ADA.name in await town.members("billing-db")
    assert await town.changes("billing-db") == ["added"]
    await town.people.clock(days=2, hours=23)
    assert company.ADA.name in await town.members("billing-db")
    await town.people.clock(hours=2)
    await town.heard(ADA, "The access to billing-db has ended")
    assert company.ADA.name not in await town.members("billing-db")
    assert await town.changes("billing-db") == ["added", "removed"]


async def step_five_the_record_tells_the_whole_story(town: Town, run: str) -> None:
    assert "Grace Lindqvist" in await countersign(town, "audit", "show", run)
    kinds = [event["kind"] for event in json.loads(await countersign(town, "audit", "show", run, "--json"))]
    assert kinds == [
        "run.started",
        "run.filled",
        "run.checked",
        "approval.requested",
        "approval.decided",
        "effect.intended",
        "effect.done",
        "effect.read_back",
        "run.ended",
        "effect.intended",
        "effect.done",
        "effect.read_back",
        "run.ended",
    ]
