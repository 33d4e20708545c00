"""Clicks that meet: whoever clicks with or after somebody else, or may not click at all."""

import asyncio

import pytest

from bot.blocks import approval
from bot.blocks.reason import REASON
from connectors.sandbox import company
from tests.town import ADA, APPROVERS, BEN, GRACE, INES, NOOR, PATIENCE, TOMAS, Asked, Town, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

RACES = 50
TOO_LATE = "This has already been decided."
REPLACED = "This card is out of date: a newer one shows what has changed."


async def decisions(town: Town, run: str) -> int:
    """How many decisions the record holds of a run."""
    ((count,),) = await town.rows(
        "SELECT count(*) FROM audit_event WHERE kind = 'approval.decided' AND run = %s", run
    )
    return int(count)


async def once(town: Town, asked: Asked) -> None:
    """One decision, one effect, and one change at the directory."""
    await town.stands(asked.run, "done")
    assert await decisions(town, asked.run) == 1
    assert [(act, state) for act, state, _ in await town.effects(asked.run)] == [("apply", "done")]
    assert await town.changes(asked.group) == ["added"]


async def nothing_happened(town: Town, asked: Asked) -> None:
    """Nobody has decided, and the card still waits."""
    assert await town.status(asked.run) == "waiting"
    assert await decisions(town, asked.run) == 0
    assert await town.effects(asked.run) == []
    assert await town.changes(asked.group) == []


async def test_fifty_times_two_approvers_click_at_once_and_each_time_one_decides(town: Town) -> None:
    groups = [await town.group() for _ in range(RACES)]
    late = {who: len(await told(town, who, TOO_LATE)) for who in (GRACE, BEN)}
    for number, group in enumerate(groups):
        who = (ADA, INES, TOMAS)[number % 3]
        text = f"I need {group} for 3 days to close the quarter"
        await town.people.message(text, as_=who, channel=await town.dm(who))
    races = [await race(town, group) for group in groups]
    for asked in races:
        await once(town, asked)

    async def losers_were_told() -> bool:
        now = [len(await told(town, who, TOO_LATE)) - late[who] for who in (GRACE, BEN)]
        return sum(now) == RACES

    await until(losers_were_told, "a word to each of those who were too late")
    ((people,),) = await town.rows(
        "SELECT array_agg(DISTINCT person->>'name') FROM vote JOIN approval ON id = approval"
        " WHERE run = ANY(%s)",
        [asked.run for asked in races],
    )
    assert set(people) <= {company.GRACE.name, company.BEN.name}


async def race(town: Town, group: str) -> Asked:
    asked = await town.asked(group)
    clicks = await asyncio.gather(town.click(GRACE, asked), town.click(BEN, asked))
    assert all(click["acknowledged"] for click in clicks)
    return asked


async def told(town: Town, who: str, words: str) -> list[str]:
    return [one for one in await town.whispers(who) if words in one]


async def test_an_approval_and_a_denial_at_once_are_one_decision(town: Town) -> None:
    asked = await town.request(ADA)
    await town.click(BEN, asked, approval.DENY)
    view = await town.people.wait_for_view(as_=BEN, callback_id=approval.DENIAL, timeout=PATIENCE)
    reason = {REASON: {REASON: {"value": "Not this quarter"}}}
    approved, denied = await asyncio.gather(
        town.click(GRACE, asked), town.people.submit(view["id"], reason, as_=BEN)
    )
    assert approved["acknowledged"]
    assert denied["acknowledged"]
    status = await town.stands(asked.run, "done", "refused")
    assert await decisions(town, asked.run) == 1
    assert await town.changes(asked.group) == (["added"] if status == "done" else [])
    if status == "done":
        assert TOO_LATE in denied["errors"][REASON]
        await town.people.close(view["id"], as_=BEN)
    else:
        await town.whispered(GRACE, TOO_LATE)


async def test_a_double_click_decides_once(town: Town) -> None:
    asked = await town.request(ADA)
    before = len(await town.whispers(GRACE))
    await asyncio.gather(*(town.click(GRACE, asked) for _ in range(3)))
    await once(town, asked)
    await town.whispered(GRACE, TOO_LATE, before=before)


async def test_a_click_on_a_card_that_was_replaced_changes_nothing(town: Town) -> None:
    """The name stands for another group since the card was posted."""
    asked = await town.request(ADA)
    await town.make_anew(asked.group)
    await town.resolve(asked.group)
    await town.people.faults("chat.update", "http_500", times=8)  # the card stays as people saw it first
    before = len(await town.whispers(BEN))
    await town.click(GRACE, asked)
    new = await town.asked(asked.group, besides=asked.card)
    assert new.run == asked.run
    await town.click(BEN, asked)
    await town.whispered(BEN, REPLACED, before=before)
    assert await town.changes(asked.group) == []
    await town.click(BEN, new)
    await town.stands(new.run, "done")
    assert await town.changes(asked.group) == ["added"]


async def test_a_click_after_the_time_to_decide_changes_nothing(town: Town) -> None:
    asked = await town.request(ADA)
    await town.people.faults("chat.update", "http_500", times=6)
    before = len(await town.whispers(GRACE))
    await town.people.clock(hours=25)
    await town.click(GRACE, asked)
    await town.whispered(GRACE, "The time to decide on this is over", before=before)
    await town.stands(asked.run, "refused")
    assert await decisions(town, asked.run) == 0
    assert await town.changes(asked.group) == []


async def test_nobody_approves_their_own_request(town: Town) -> None:
    asked = await town.request(GRACE)
    before = len(await town.whispers(GRACE))
    assert (await town.click(GRACE, asked))["acknowledged"]
    await town.whispered(GRACE, "You cannot decide on your own request", before=before)
    await nothing_happened(town, asked)
    await town.click(BEN, asked)
    await once(town, asked)


@pytest.mark.parametrize(
    ("who", "words"),
    [(TOMAS, "You are not among those who may decide"), (NOOR, "not for guests")],
    ids=["without the role", "a guest"],
)
@pytest.mark.parametrize("action", [approval.APPROVE, approval.DENY])
async def test_who_may_not_decide_is_told_so_in_private(
    town: Town, who: str, words: str, action: str
) -> None:
    seen_by = {one["id"] for one in (await town.people.bootstrap(as_=who))["conversations"]}
    if APPROVERS not in seen_by:
        await town.people.invite(who, as_=GRACE, channel=APPROVERS)
    asked = await town.request(ADA)
    before = len(await town.whispers(who))
    assert (await town.click(who, asked, action))["acknowledged"]
    await town.whispered(who, words, before=before)
    assert not await town.people.views(as_=who), "who may not deny is not asked for a reason"
    assert not any(words in one for one in await town.whispers(BEN)), "nobody else reads it"
    await nothing_happened(town, asked)
    await town.click(GRACE, asked)
    await once(town, asked)


async def test_who_has_left_the_company_decides_no_more(town: Town) -> None:
    """The Slack account is there still; the directory says that the person's is not active."""
    asked = await town.request(ADA)
    before = len(await town.whispers(BEN))
    await town.activate(company.BEN, active=False)
    try:
        await town.click(BEN, asked)
        await town.whispered(BEN, "your account is not active", before=before)
        await nothing_happened(town, asked)
    finally:
        await town.activate(company.BEN, active=True)
    await town.click(BEN, asked)
    await once(town, asked)


async def test_an_approver_who_leaves_before_it_is_carried_out_has_approved_nothing(town: Town) -> None:
    """The directory is read again when it is carried out, and not only at the click. Others decide anew."""
    asked = await town.request(ADA)
    await town.fault("down", on="PATCH", resource="Groups", times=4)
    await town.click(BEN, asked)
    await town.stands(asked.run, "retrying")
    await town.activate(company.BEN, active=False)
    try:
        new = await town.asked(asked.group, besides=asked.card)
        assert new.run == asked.run
        assert await town.changes(asked.group) == []
        await town.click(GRACE, new)
        await town.stands(asked.run, "done")
        assert await town.changes(asked.group) == ["added"]
    finally:
        await town.activate(company.BEN, active=True)
