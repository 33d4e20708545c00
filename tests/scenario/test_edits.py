"""Approvers who change what is asked for, clauses that change while somebody waits, and asking again."""

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot import sentences
from bot.database import Database
from connectors.sandbox.process import Running
from graphs import delegations
from graphs.ports import ClauseUnreadable
from graphs.records import Answered, Approval, ApprovalStatus, Clause, RunStatus, Verdict
from graphs.workflows.it_access import RequestableGroup
from tests.scenario.desk import RULES, Office, open_office

WANTED = {"group": "billing-db", "days": "9", "reason": "close the quarter"}
GRACE, BEN, INES, ADA = "grace.lindqvist", "ben.castellanos", "ines.moreau", "ada.okafor"
NOOR = "noor.haddad"
THREE = RULES.model_copy(
    update={
        "groups": {
            "billing-db": RequestableGroup(approvers=("data-owners", "people-team"), max_days=30),
            "crm-readers": RequestableGroup(approvers=("data-owners", "people-team"), max_days=30, quorum=2),
            "prod-logs": RequestableGroup(approvers=("people-team",), max_days=30),
        }
    }
)


@pytest.fixture
async def office(database: Database, database_home: Path, server: Running) -> AsyncIterator[Office]:
    async with open_office(database, database_home, server, rules=THREE) as opened:
        yield opened


async def change(office: Office, card: str, who: str, **values: str) -> Answered:
    """Change a request as an approver, and work on what follows."""
    answered, problems = await office.runs.edit(card, values, by=await office.person(who))
    assert not problems or answered is Answered.NOT_CHANGED
    await office.work()
    return answered


async def asked(office: Office, **values: str) -> tuple[str, Approval]:
    run = await office.ask({**WANTED, **values})
    return run, await office.pending(run)


async def test_whoever_only_takes_away_has_approved_what_is_left(office: Office) -> None:
    run, first = await asked(office)
    assert await change(office, first.id, GRACE, days="3", group="billing-db") is Answered.RECORDED
    done = await office.runs.run(run)
    assert (done.status, done.values["days"]) == (RunStatus.DONE, "3")
    async with office.database.pool.connection() as conn:
        cursor = await conn.execute("SELECT id FROM approval WHERE run = %s AND round = 2", (run,))
        row = await cursor.fetchone()
    assert row is not None
    second, void = await office.approval(row["id"]), await office.approval(first.id)
    assert void.status is ApprovalStatus.VOID
    assert void.void is not None
    assert void.void.facts["changes"] == "For how many days: 9 → 3"
    assert [one.name for one in second.differences] == ["steps.grant.lasts"]
    assert second.digest != first.digest
    assert [vote.by.name for vote in second.assents] == ["Grace Lindqvist"]
    assert office.desk.keys == [f"narrowed:{second.id}", "granted"], "the requester is told what was changed"
    await office.later(timedelta(days=3, hours=1))
    assert await office.members("billing-db") == set()


async def test_whoever_takes_away_is_one_of_those_who_have_to_approve(office: Office) -> None:
    run, first = await asked(office, group="crm-readers")
    await office.click(first.id, BEN)
    assert await change(office, first.id, GRACE, days="3") is Answered.RECORDED
    second = await office.pending(run)
    assert [vote.by.name for vote in second.votes] == ["Grace Lindqvist"], "Ben has seen another card"
    assert await office.click(second.id, BEN) is Answered.RECORDED
    assert (await office.runs.run(run)).status is RunStatus.DONE


async def test_a_stand_in_changes_what_the_absent_may_approve(office: Office) -> None:
    run, first = await asked(office)
    assert await change(office, first.id, NOOR, days="3") is Answered.NOT_ALLOWED
    async with office.database.pool.connection() as conn:
        await delegations.delegate(
            conn,
            holder=await office.person(GRACE),
            stand_in=await office.person(NOOR),
            last_day=datetime.now(UTC).date() + timedelta(days=1),
            by="Grace",
        )
    assert await change(office, first.id, NOOR, days="3") is Answered.RECORDED
    async with office.database.pool.connection() as conn:
        cursor = await conn.execute("SELECT id FROM approval WHERE run = %s AND round = 2", (run,))
        row = await cursor.fetchone()
    assert row is not None
    (vote,) = (await office.approval(row["id"])).votes
    assert vote.stands_for is not None
    assert (vote.by.name, vote.stands_for.name) == ("Noor Haddad", "Grace Lindqvist")
    assert (await office.runs.run(run)).status is RunStatus.DONE


async def test_any_other_change_is_for_others_to_approve(office: Office) -> None:
    run, first = await asked(office)
    assert await change(office, first.id, GRACE, days="12") is Answered.RECORDED
    second = await office.pending(run)
    assert second.votes == ()
    assert [author.name for author in second.authors] == ["Grace Lindqvist"]
    assert await office.click(second.id, GRACE) is Answered.OWN_CHANGE
    assert await office.click(second.id, ADA) is Answered.OWN_REQUEST
    assert await change(office, second.id, GRACE, days="2") is Answered.OWN_CHANGE
    assert await office.click(second.id, BEN) is Answered.RECORDED
    done = await office.runs.run(run)
    assert (done.status, done.values["days"]) == (RunStatus.DONE, "12")


async def test_nobody_changes_a_request_so_that_too_few_could_approve_it(office: Office) -> None:
    _, first = await asked(office, group="prod-logs")
    assert await change(office, first.id, INES, days="12") is Answered.TOO_FEW_LEFT
    assert (await office.approval(first.id)).status is ApprovalStatus.PENDING
    assert await change(office, first.id, INES, days="1") is Answered.RECORDED, (
        "to take away they need nobody"
    )


async def test_a_narrowed_request_whose_clause_has_changed_too_carries_no_approval(office: Office) -> None:
    run, first = await asked(office)
    office.desk.text = "Nobody keeps access for long."
    assert await change(office, first.id, GRACE, days="3") is Answered.RECORDED
    second = await office.pending(run)
    assert second.votes == (), "Grace has not seen the new clause"
    assert await office.click(second.id, GRACE) is Answered.RECORDED
    assert (await office.runs.run(run)).status is RunStatus.DONE


@pytest.mark.parametrize(
    ("who", "values", "answered"),
    [
        (ADA, {"days": "3"}, Answered.OWN_REQUEST),
        ("tomas.varga", {"days": "3"}, Answered.NOT_ALLOWED),
        (GRACE, {"days": "9"}, Answered.NOT_CHANGED),
        (GRACE, {"days": "999"}, Answered.NOT_CHANGED),
        (GRACE, {"days": "2.5"}, Answered.NOT_CHANGED),
        (GRACE, {"days": "²"}, Answered.NOT_CHANGED),
        (GRACE, {"reason": "because I say so"}, Answered.NOT_CHANGED),
        (GRACE, {"person": "grace"}, Answered.NOT_CHANGED),
    ],
)
async def test_what_may_not_be_changed_stays(
    office: Office, who: str, values: dict[str, str], answered: Answered
) -> None:
    run, first = await asked(office)
    assert await change(office, first.id, who, **values) is answered
    assert (await office.approval(first.id)).status is ApprovalStatus.PENDING
    assert (await office.runs.run(run)).values == WANTED


async def test_an_edit_is_checked_again_by_the_rules_of_the_group(office: Office) -> None:
    run, first = await asked(office)
    assert await change(office, first.id, GRACE, group="crm-readers", days="30") is Answered.RECORDED
    second = await office.pending(run)
    assert (second.steps[0].sends["group"], second.quorum) == ("crm-readers", 2)


async def test_of_an_edit_and_a_decision_one_counts(office: Office) -> None:
    run, first = await asked(office)
    assert await office.runs.decide(first.id, Verdict.APPROVE, by=await office.person(BEN))
    assert await change(office, first.id, GRACE, days="3") is Answered.ALREADY_DECIDED
    assert (await office.runs.run(run)).values["days"] == "9"


async def test_a_waiting_approval_whose_clause_changes_is_void_and_a_new_card_asks(office: Office) -> None:
    runs = [(await asked(office, group=name))[0] for name in ("billing-db", "crm-readers", "prod-logs")]
    cards = [(await office.pending(run)).id for run in runs]
    before = office.desk.reads
    office.desk.text, office.desk.serves = "Two data owners approve access to data, for ten days.", "e2"
    await office.runs.sweep()
    assert office.desk.reads == before + 1, "one reading for all who wait on the clause"
    assert [(await office.approval(card)).status for card in cards] == [ApprovalStatus.VOID] * 3
    assert await office.click(cards[0], GRACE) is Answered.REPLACED
    await office.work()
    new = await office.pending(runs[0])
    assert (new.replaces, [one.name for one in new.differences]) == (cards[0], ["clause"])
    assert new.clause_before == "A data owner approves access to data, for thirty days at most."
    assert office.desk.keys[0].startswith("clause:")
    assert await office.click(new.id, GRACE) is Answered.RECORDED
    assert (await office.runs.run(runs[0])).status is RunStatus.DONE


async def test_an_edition_that_leaves_the_clause_as_it_was_changes_nothing(office: Office) -> None:
    run, first = await asked(office)
    office.desk.serves = "e2"
    before = office.desk.reads
    await office.runs.sweep()
    await office.runs.sweep()
    assert office.desk.reads == before + 1, "it is not read again until there is another edition"
    assert (await office.pending(run)).id == first.id


async def test_what_was_granted_ends_even_when_the_clauses_cannot_be_read(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, first = await asked(office)
    await office.click(first.id, GRACE)
    assert (await office.runs.run(run)).status is RunStatus.DONE

    async def broken() -> str:
        raise OSError("the disk of the editions is gone")

    monkeypatch.setattr(office.desk, "edition", broken)
    with pytest.raises(OSError, match="the disk"):
        await office.later(timedelta(days=9, hours=1))
    await office.work()
    assert await office.members("billing-db") == set()


async def test_a_clause_that_is_gone_ends_the_requests_that_wait_on_it(office: Office) -> None:
    run, _ = await asked(office)
    office.desk.missing, office.desk.serves = True, "e2"
    await office.runs.sweep()
    await office.work()
    ended = await office.runs.run(run)
    assert (ended.status, ended.reason) == (RunStatus.REFUSED, "clause_missing")


async def test_policies_that_cannot_be_read_are_not_called_changed_or_missing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, first = await asked(office)

    async def unreadable(document: str, anchor: str) -> Clause:
        raise ClauseUnreadable(document)

    monkeypatch.setattr(office.desk, "clause", unreadable)
    office.desk.serves = "e2"
    await office.runs.sweep()
    await office.work()
    assert (await office.pending(run)).id == first.id, "that the clause has changed is not known"
    other = await office.ask({"group": "crm-readers", "days": "2", "reason": "a report"})
    ended = await office.runs.run(other)
    assert (ended.status, ended.reason) == (RunStatus.REFUSED, "clause_unreadable")
    assert "cannot be found" not in sentences.reason(ended.reason, ended.facts)


async def test_what_nobody_decided_or_somebody_denied_can_be_asked_again_once(office: Office) -> None:
    run, first = await asked(office)
    ada, grace = await office.person(ADA), await office.person(GRACE)
    assert await office.runs.again(run, by=ada) is None, "it is still open"
    await office.later(timedelta(hours=25))
    assert await office.runs.again(run, by=grace) is None
    assert await office.runs.again(run, by=ada) is True
    assert await office.runs.again(run, by=ada) is False, "a second click is not a second request"
    await office.work()
    async with office.database.pool.connection() as conn:
        cursor = await conn.execute("SELECT id FROM run WHERE key = %s", (f"again {run}",))
        row = await cursor.fetchone()
    assert row is not None
    second = await office.pending(row["id"])
    assert second.id != first.id
    await office.click(second.id, GRACE, Verdict.DENY, "not now")
    assert await office.runs.again(row["id"], by=ada) is True


async def test_only_one_approval_of_a_run_can_wait(office: Office) -> None:
    """Held by the database, whatever the code does."""
    _, first = await asked(office)
    async with office.database.pool.connection() as conn:
        with pytest.raises(Exception, match="approval_live"):
            await conn.execute(
                "INSERT INTO approval (id, run, round, digest, action, card, decide_by, clause_document,"
                " clause_anchor, clause_hash, clause_seen)"
                " SELECT %s, run, 9, digest, action, card, decide_by,"
                " clause_document, clause_anchor, clause_hash, clause_seen FROM approval WHERE id = %s",
                (secrets.token_hex(4), first.id),
            )
        await conn.rollback()


async def test_a_value_is_kept_in_one_form_however_it_came(office: Office) -> None:
    run, card = await asked(office, days="009")
    assert (await office.runs.run(run)).values["days"] == "9"
    assert await change(office, card.id, GRACE, days="09") is Answered.NOT_CHANGED
    assert await change(office, card.id, GRACE, days="03") is Answered.RECORDED
    assert (await office.runs.run(run)).values["days"] == "3"
    lacking = await office.ask({**WANTED, "group": "prod-logs", "days": ""})
    assert not await office.runs.submit(lacking, {"days": " 004 "}, by=await office.person(ADA))
    assert (await office.runs.run(lacking)).values["days"] == "4"
