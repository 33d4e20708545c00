"""The access workflow on a real database and a real directory server, the clock moved by hand."""

import asyncio
import secrets
from datetime import timedelta

import pytest

from graphs import audit
from graphs.records import Answered, ApprovalStatus, Clause, RunStatus, Verdict
from tests.scenario.desk import Office

WANTED = {"group": "billing-db", "days": "3", "reason": "close the quarter"}


async def ask(office: Office, values: dict[str, str], who: str = "ada.okafor") -> str:
    return await office.ask(values, who)


async def click(
    office: Office, card: str, who: str, verdict: Verdict = Verdict.APPROVE, reason: str | None = None
) -> Answered:
    return await office.click(card, who, verdict, reason)


async def test_a_request_is_granted_after_the_approval_and_ends_by_itself(office: Office) -> None:
    run = await ask(office, WANTED)
    assert (await office.runs.run(run)).status is RunStatus.WAITING
    assert "Ada Okafor" not in await office.members("billing-db")
    (card,) = office.desk.cards
    assert await click(office, card, "grace.lindqvist") is Answered.RECORDED
    done = await office.runs.run(run)
    assert done.status is RunStatus.DONE, done
    assert "Ada Okafor" in await office.members("billing-db")
    assert [step.key for step in done.milestones] == [
        "requested",
        "collected",
        "checked",
        "planned",
        "approved",
        "granted",
        "confirmed",
    ]
    await office.later(timedelta(days=2, hours=23))
    assert "Ada Okafor" in await office.members("billing-db")
    await office.later(timedelta(hours=2))
    assert "Ada Okafor" not in await office.members("billing-db")
    assert office.desk.keys == ["granted", "revoked"]
    async with office.database.pool.connection() as conn:
        story = [event.kind async for event in audit.read(conn)]
    assert story == [
        "run.started",
        "run.checked",
        "group.resolved",  # what the settings call billing-db
        "group.resolved",  # and data-owners
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


async def test_what_is_taken_back_is_what_the_record_says_was_done(office: Office) -> None:
    run = await ask(office, WANTED)
    await click(office, office.desk.cards[0], "grace.lindqvist")
    async with office.database.pool.connection() as conn:  # as if she had been a member all along
        await conn.execute(
            "UPDATE effect SET result = result || '{\"changed\": false}' WHERE run = %s", (run,)
        )
    await office.later(timedelta(days=3, hours=1))
    assert "Ada Okafor" not in await office.members("billing-db")
    assert office.desk.keys == ["granted", "revoked"]


async def test_nobody_acts_for_a_subject_of_another_directory(office: Office) -> None:
    ada = await office.connectors.directory.person_by_email("ada.okafor@larkfield.example")
    run = await office.runs.start(
        workflow="it_access",
        values=WANTED,
        requester=ada.model_copy(update={"issuer": "elsewhere"}),
        origin={"channel": "C1", "thread_ts": "1.1", "user": "U1"},
        key=secrets.token_hex(8),
    )
    await office.work()
    ended = await office.runs.run(run)
    assert (ended.status, ended.reason) == (RunStatus.REFUSED, "person_inactive")


async def test_what_is_missing_is_asked_for(office: Office) -> None:
    run = await ask(office, {"group": "billing-db"})
    waiting = await office.runs.run(run)
    assert waiting.status is RunStatus.COLLECTING
    assert [field.name for field in waiting.missing] == ["days", "reason"]
    ada = await office.connectors.directory.person_by_email("ada.okafor@larkfield.example")
    grace = await office.connectors.directory.person_by_email("grace.lindqvist@larkfield.example")
    assert await office.runs.submit(run, {"days": "3", "reason": "x"}, by=grace) == {
        "days": "not_yours",
        "reason": "not_yours",
    }
    assert await office.runs.submit(run, {"days": "99", "reason": "x"}, by=ada) == {"days": "too_large"}
    assert await office.runs.submit(run, {"days": "3", "reason": "close the quarter"}, by=ada) == {}
    await office.work()
    assert (await office.runs.run(run)).status is RunStatus.WAITING
    assert await office.runs.submit(run, {"days": "9", "reason": "x"}, by=ada) == {
        "days": "closed",
        "reason": "closed",
    }


async def test_nobody_decides_on_their_own_request(office: Office) -> None:
    await ask(office, WANTED, who="grace.lindqvist")
    (card,) = office.desk.cards
    assert await click(office, card, "grace.lindqvist") is Answered.OWN_REQUEST
    assert "Grace Lindqvist" not in await office.members("billing-db")


@pytest.mark.parametrize(
    ("who", "why"),
    [
        ("tomas.varga", Answered.NOT_ALLOWED),
        ("ada.okafor", Answered.OWN_REQUEST),
        ("jun.park", Answered.NOT_ACTIVE),
    ],
)
async def test_only_the_named_group_may_decide(office: Office, who: str, why: Answered) -> None:
    await ask(office, WANTED)
    (card,) = office.desk.cards
    assert await click(office, card, who) is why
    approval = await office.runs.approval(card)
    assert approval is not None
    assert approval.status is ApprovalStatus.PENDING


async def test_a_denial_gives_its_reason_and_ends_the_run(office: Office) -> None:
    run = await ask(office, WANTED)
    (card,) = office.desk.cards
    assert await click(office, card, "ben.castellanos", Verdict.DENY) is Answered.REASON_MISSING
    assert await click(office, card, "ben.castellanos", Verdict.DENY, "ask for the view") is Answered.RECORDED
    ended = await office.runs.run(run)
    assert (ended.status, ended.reason) == (RunStatus.REFUSED, "denied")
    assert office.desk.keys == ["denied"]
    assert await click(office, card, "grace.lindqvist") is Answered.ALREADY_DECIDED
    assert "Ada Okafor" not in await office.members("billing-db")


async def test_two_approvers_at_once_decide_once_and_cause_one_effect(office: Office) -> None:
    directory = office.connectors.directory
    grace = await directory.person_by_email("grace.lindqvist@larkfield.example")
    ben = await directory.person_by_email("ben.castellanos@larkfield.example")
    await ask(office, WANTED)
    (card,) = office.desk.cards
    answers = await asyncio.gather(
        office.runs.decide(card, Verdict.APPROVE, by=grace),
        office.runs.decide(card, Verdict.DENY, by=ben, reason="no"),
    )
    assert sorted(answers) == [Answered.ALREADY_DECIDED, Answered.RECORDED]


async def test_an_approval_that_nobody_decides_expires(office: Office) -> None:
    run = await ask(office, WANTED)
    (card,) = office.desk.cards
    await office.later(timedelta(hours=25))
    assert await click(office, card, "grace.lindqvist") is Answered.EXPIRED
    ended = await office.runs.run(run)
    assert (ended.status, ended.reason) == (RunStatus.REFUSED, "expired")
    assert office.desk.keys == ["expired"]


async def test_a_changed_clause_brings_a_new_card_with_the_difference(office: Office) -> None:
    run = await ask(office, WANTED)
    (card,) = office.desk.cards
    office.desk.text = "Two data owners approve access to data."
    assert await click(office, card, "grace.lindqvist") is Answered.RECORDED
    assert "Ada Okafor" not in await office.members("billing-db")
    renewed = await office.pending(run)
    assert renewed.replaces == card
    assert [one.name for one in renewed.differences] == ["clause"]
    assert await click(office, renewed.id, "grace.lindqvist") is Answered.RECORDED
    assert (await office.runs.run(run)).status is RunStatus.DONE
    assert "Ada Okafor" in await office.members("billing-db")


async def test_a_request_without_its_governing_clause_is_refused(office: Office) -> None:
    office.desk.missing = True
    run = await ask(office, WANTED)
    ended = await office.runs.run(run)
    assert (ended.status, ended.reason) == (RunStatus.REFUSED, "clause_missing")
    assert office.desk.cards == []


async def test_a_group_may_have_a_narrower_limit_than_the_form(office: Office) -> None:
    run = await ask(office, {**WANTED, "group": "crm-readers", "days": "6"})
    ended = await office.runs.run(run)
    assert (ended.status, ended.reason, ended.facts["most"]) == (RunStatus.REFUSED, "too_long", "5")


async def test_an_approval_is_not_carried_out_after_its_window(office: Office) -> None:
    run = await ask(office, WANTED)
    (card,) = office.desk.cards
    grace = await office.connectors.directory.person_by_email("grace.lindqvist@larkfield.example")
    assert await office.runs.decide(card, Verdict.APPROVE, by=grace) is Answered.RECORDED
    await office.later(timedelta(minutes=16))
    ended = await office.runs.run(run)
    assert (ended.status, ended.reason) == (RunStatus.REFUSED, "window_passed")
    assert "Ada Okafor" not in await office.members("billing-db")


async def test_a_run_whose_worker_fails_in_an_unforeseen_way_is_looked_at_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def mistaken(document: str, anchor: str) -> Clause:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(office.desk, "clause", mistaken)
    with pytest.raises(RuntimeError):
        await ask(office, WANTED)
    monkeypatch.undo()
    await office.later(timedelta(minutes=9))
    assert office.desk.cards == []
    await office.later(timedelta(minutes=2))
    assert len(office.desk.cards) == 1
    async with office.database.pool.connection() as conn:
        cursor = await conn.execute("SELECT due_at FROM timer ORDER BY due_at")
        timers = [row["due_at"] for row in await cursor.fetchall()]
    waiting = await office.runs.approval(office.desk.cards[0])
    assert waiting is not None
    assert timers == [waiting.remind_at, waiting.decide_by], "only those of the approval are left"
