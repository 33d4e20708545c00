"""Approvals that more than one person has to give."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from bot.database import Database
from connectors.sandbox import company
from connectors.sandbox.process import Running
from graphs import audit
from graphs.records import Answered, ApprovalStatus, RunStatus, Verdict, Void
from graphs.workflows.it_access import RequestableGroup
from tests.scenario.desk import RULES, Office, open_office

WANTED = {"group": "billing-db", "days": "3", "reason": "close the quarter"}
TWO = RULES.model_copy(
    update={
        "groups": {
            "billing-db": RequestableGroup(approvers=("data-owners", "people-team"), max_days=30, quorum=2),
            "crm-readers": RequestableGroup(approvers=("data-owners",), max_days=5, quorum=3),
        }
    }
)
GRACE, BEN, INES = "grace.lindqvist", "ben.castellanos", "ines.moreau"


@pytest.fixture
async def office(database: Database, database_home: Path, server: Running) -> AsyncIterator[Office]:
    async with open_office(database, database_home, server, rules=TWO) as opened:
        yield opened


async def left(office: Office, server: Running, who: company.Employee, *, active: bool) -> None:
    """Say in the directory whether somebody works here."""
    change = {"op": "replace", "path": "active", "value": active}
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [change]}
    async with httpx.AsyncClient(
        headers={"Authorization": f"Bearer {server.token}"}, trust_env=False, verify=False
    ) as client:
        (await client.patch(f"{server.url}/Users/{who.id}", json=body)).raise_for_status()


async def test_two_distinct_people_have_to_approve(office: Office) -> None:
    run = await office.ask(WANTED)
    (card,) = office.desk.cards
    assert await office.click(card, BEN) is Answered.RECORDED
    assert (await office.runs.run(run)).status is RunStatus.WAITING
    waiting = await office.approval(card)
    assert [vote.by.name for vote in waiting.votes] == ["Ben Castellanos"]
    assert (waiting.status, waiting.decided_at) == (ApprovalStatus.PENDING, None)
    assert await office.click(card, BEN) is Answered.ALREADY_VOTED
    assert await office.click(card, BEN, Verdict.DENY, "on second thoughts") is Answered.ALREADY_VOTED
    assert await office.click(card, INES) is Answered.RECORDED, "of another of the groups"
    decided = await office.approval(card)
    assert decided.status is ApprovalStatus.APPROVED
    assert decided.decided_at == decided.votes[-1].at, "the quorum was reached with the second"
    assert (await office.runs.run(run)).status is RunStatus.DONE
    assert "Ada Okafor" in await office.members("billing-db")
    assert await office.click(card, GRACE) is Answered.ALREADY_DECIDED


async def test_each_vote_is_in_the_record(office: Office) -> None:
    run = await office.ask(WANTED)
    (card,) = office.desk.cards
    await office.click(card, BEN)
    await office.click(card, INES)
    async with office.database.pool.connection() as conn:
        said = [event async for event in audit.read(conn, run) if event.kind.startswith("approval.")]
    assert [event.kind for event in said] == ["approval.requested", "approval.voted", "approval.decided"]
    assert [event.facts.get("assents") for event in said] == [None, 1, 2]
    assert [event.facts["quorum"] for event in said] == [2, 2, 2]


async def test_one_denial_ends_it_whoever_has_approved(office: Office) -> None:
    run = await office.ask(WANTED)
    (card,) = office.desk.cards
    await office.click(card, BEN)
    assert await office.click(card, INES, Verdict.DENY, "not this quarter") is Answered.RECORDED
    ended = await office.runs.run(run)
    assert (ended.status, ended.reason, ended.facts["by"]) == (RunStatus.REFUSED, "denied", "Ines Moreau")
    assert await office.click(card, GRACE) is Answered.ALREADY_DECIDED
    assert await office.members("billing-db") == set()


async def test_two_last_votes_at_once_count_each_and_decide_once(office: Office) -> None:
    people = [await office.person(who) for who in (GRACE, BEN, INES)]
    for _ in range(10):
        run = await office.ask(WANTED, "tomas.varga")
        card = office.desk.cards[-1]
        answers = await asyncio.gather(
            *(office.runs.decide(card, Verdict.APPROVE, by=person) for person in [*people, *people])
        )
        assert sorted(answers).count(Answered.RECORDED) == 2
        decided = await office.approval(card)
        assert decided.status is ApprovalStatus.APPROVED
        assert len({vote.by.subject for vote in decided.votes}) == len(decided.votes) == 2
        assert office.desk.waiting == [run], "one job, however many clicks"
        await office.work()
        await office.later(timedelta(days=4))
        assert await office.members("billing-db") == set()


async def test_a_quorum_that_cannot_be_reached_is_refused_at_once(office: Office) -> None:
    run = await office.ask({**WANTED, "group": "crm-readers"})
    ended = await office.runs.run(run)
    assert (ended.status, ended.reason) == (RunStatus.REFUSED, "too_few_may_approve")
    assert (ended.facts["needed"], ended.facts["found"]) == ("3", "2")
    assert office.desk.cards == []


async def test_who_asks_does_not_count_towards_the_quorum_and_neither_do_those_who_left(
    office: Office, server: Running
) -> None:
    await left(office, server, company.INES, active=False)
    run = await office.ask(WANTED, GRACE)
    ended = await office.runs.run(run)
    assert (ended.status, ended.reason, ended.facts["found"]) == (
        RunStatus.REFUSED,
        "too_few_may_approve",
        "1",
    )


async def test_a_voter_who_lost_the_right_counts_no_more_and_a_new_card_asks(
    office: Office, server: Running
) -> None:
    run = await office.ask(WANTED)
    (card,) = office.desk.cards
    ben, ines = await office.person(BEN), await office.person(INES)
    await office.runs.decide(card, Verdict.APPROVE, by=ben)
    await office.runs.decide(card, Verdict.APPROVE, by=ines)
    await left(office, server, company.BEN, active=False)
    await office.work()
    assert await office.members("billing-db") == set()
    void, new = await office.approval(card), await office.pending(run)
    assert (void.status, void.void) == (
        ApprovalStatus.VOID,
        Void(key="voter_lost", facts={"by": "Ben Castellanos"}),
    )
    assert (new.replaces, new.replaced, new.votes) == (card, void.void, ())
    assert office.desk.keys == [f"voter_lost:{new.id}"]
    assert await office.click(card, GRACE) is Answered.REPLACED
    assert await office.click(new.id, GRACE) is Answered.RECORDED
    assert await office.click(new.id, INES) is Answered.RECORDED
    assert await office.members("billing-db") == {"Ada Okafor"}


async def test_linked_accounts_of_one_person_count_once(office: Office) -> None:
    """The directory gives both accounts the same employee number."""
    await office.ask(WANTED)
    (card,) = office.desk.cards
    ines = (await office.person(INES)).model_copy(update={"employee": "7"})
    twin = (await office.person(BEN)).model_copy(update={"employee": "7"})
    assert await office.runs.decide(card, Verdict.APPROVE, by=ines) is Answered.RECORDED
    assert await office.runs.decide(card, Verdict.APPROVE, by=twin) is Answered.ALREADY_VOTED
    assert (await office.approval(card)).status is ApprovalStatus.PENDING
