"""Who people and groups are, when it changes between two looks: nobody gets a vote or an effect by it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.database import Database
from connectors.breaker import MOST
from connectors.sandbox import company
from connectors.sandbox.process import Running
from graphs import delegations, reviews
from graphs.engine.machine import kind
from graphs.groups import Groups, GroupUnclear
from graphs.records import Answered, ApprovalStatus, Finding, RunStatus
from graphs.sections import ClauseRef
from graphs.workflows import break_glass
from graphs.workflows.break_glass import BreakGlass
from graphs.workflows.break_glass import end as break_glass_end
from tests.scenario import town_hall
from tests.scenario.desk import Office, open_office
from tests.scenario.duty import (
    BEN,
    GRACE,
    INES,
    TOMAS,
    approval,
    ask,
    click,
    decide,
    leave,
    person,
    ruled,
)

EMERGENCIES = (
    kind(
        BreakGlass(
            break_glass.Rules(
                groups={"prod-logs": break_glass.EmergencyGroup(approvers=("data-owners", "people-team"))},
                clause=ClauseRef(document="it-access.md", anchor="emergency-access"),
                channel="C0ACCESS",
                alarm_channel="C0ALARMS",
                review_channel="C0REVIEWS",
                reviewers="people-team",
            )
        )
    ),
    break_glass_end.workflow(),
)
URGENT = {"group": "prod-logs", "minutes": "30", "reason": "the sensor cloud is down"}


@pytest.fixture
async def office(database: Database, database_home: Path, server: Running) -> AsyncIterator[Office]:
    async with open_office(database, database_home, server, more=EMERGENCIES) as opened:
        yield opened


async def status(office: Office, run: str) -> RunStatus:
    return (await office.runs.run(run)).status


async def test_accounts_linked_after_the_request_are_one_human_at_the_click(
    office: Office, server: Running
) -> None:
    await ask(office)
    (card,) = office.desk.cards
    await town_hall.link(server, company.ADA, company.GRACE)
    assert await click(office, card, GRACE) is Answered.OWN_REQUEST
    assert await office.members("billing-db") == set()
    assert await click(office, card, BEN) is Answered.RECORDED
    assert await office.members("billing-db") == {"Ada Okafor"}


async def test_accounts_linked_between_click_and_execution_approve_nothing(
    office: Office, server: Running
) -> None:
    run = await ask(office)
    (card,) = office.desk.cards
    assert await decide(office, card, GRACE) is Answered.RECORDED
    await town_hall.link(server, company.ADA, company.GRACE)
    await office.work()
    assert await office.members("billing-db") == set()
    assert (await approval(office, card)).status is ApprovalStatus.VOID
    assert await status(office, run) is RunStatus.WAITING  # for somebody else, on a new card


async def test_voters_who_turn_out_to_be_one_human_are_one_vote(
    database: Database, database_home: Path, server: Running
) -> None:
    async with open_office(database, database_home, server, rules=ruled(quorum=2)) as office:
        await ask(office)
        (card,) = office.desk.cards
        assert await click(office, card, GRACE) is Answered.RECORDED
        await town_hall.link(server, company.GRACE, company.BEN)
        assert await click(office, card, BEN) is Answered.ALREADY_VOTED
        assert await office.members("billing-db") == set()


async def test_a_holder_linked_with_whoever_asked_lends_no_right(office: Office, server: Running) -> None:
    await ask(office)
    (card,) = office.desk.cards
    async with office.database.pool.connection() as conn:
        now = await office.runs._kit.clock.now(conn)
        await delegations.delegate(
            conn,
            holder=await person(office, GRACE),
            stand_in=await person(office, TOMAS),
            last_day=(now + timedelta(days=2)).date(),
            by="Grace",
        )
    await town_hall.link(server, company.ADA, company.GRACE)
    assert await click(office, card, TOMAS) is not Answered.RECORDED
    assert await office.members("billing-db") == set()


@pytest.mark.parametrize("name", ["data-owners", "DATA-OWNERS", "Data-Owners"])
async def test_another_group_of_the_same_name_decides_nothing_and_holds_up_nobody(
    office: Office, server: Running, name: str
) -> None:
    await ask(office)
    (card,) = office.desk.cards
    await town_hall.found_group(server, name, [company.TOMAS])
    assert await click(office, card, TOMAS) is Answered.NOT_ALLOWED
    run = await ask(office, BEN, values={"group": "crm-readers", "days": "2", "reason": "a check"})
    assert await status(office, run) is RunStatus.WAITING
    assert await click(office, card, GRACE) is Answered.RECORDED
    assert await office.members("billing-db") == {"Ada Okafor"}


@pytest.mark.parametrize("name", ["billing-db", "BILLING-DB"])
async def test_another_group_called_as_the_one_that_is_asked_for_gets_nobody(
    office: Office, server: Running, name: str
) -> None:
    await ask(office)
    (card,) = office.desk.cards
    other = await town_hall.found_group(server, name, [])
    assert await click(office, card, GRACE) is Answered.RECORDED
    directory = office.connectors.directory
    assert len((await directory.group(other)).members) == 0
    billing = next(team for team in company.GROUPS if team.name == "billing-db")
    assert company.ADA.id in (await directory.group(billing.id)).members
    await office.later(timedelta(days=4))
    assert company.ADA.id not in (await directory.group(billing.id)).members


async def test_groups_that_exchange_their_names_exchange_no_rights(office: Office, server: Running) -> None:
    await ask(office)
    (card,) = office.desk.cards
    owners = next(team for team in company.GROUPS if team.name == "data-owners")
    others = await town_hall.found_group(server, "data-owners-new", [company.TOMAS])
    await town_hall.rename(server, owners.id, "data-owners-old")
    await town_hall.rename(server, others, "data-owners")
    assert await click(office, card, TOMAS) is Answered.NOT_ALLOWED
    assert await decide(office, card, GRACE) is Answered.RECORDED
    await town_hall.rename(server, owners.id, "something else")
    await office.work()
    assert await office.members("billing-db") == {"Ada Okafor"}


async def test_whoever_left_the_group_has_approved_nothing_whatever_they_founded(
    office: Office, server: Running
) -> None:
    await ask(office)
    (card,) = office.desk.cards
    assert await decide(office, card, GRACE) is Answered.RECORDED
    await leave(office, server, await person(office, GRACE), "data-owners")
    await town_hall.found_group(server, "data-owners", [company.GRACE])
    await office.work()
    assert await office.members("billing-db") == set()


async def test_a_name_that_several_groups_have_is_said_to_be_unclear(office: Office, server: Running) -> None:
    await town_hall.found_group(server, "data-owners", [company.TOMAS])  # before anybody resolved the name
    run = await office.runs.run(await ask(office))
    assert (run.status, run.reason) == (RunStatus.REFUSED, "group_ambiguous")
    assert run.facts["group"] == "data-owners"


async def test_an_id_in_the_settings_says_which_of_several_is_meant(
    database: Database, database_home: Path, server: Running
) -> None:
    await town_hall.found_group(server, "data-owners", [company.TOMAS])
    owners = next(team for team in company.GROUPS if team.name == "data-owners")
    rules = ruled(approvers=(f"id:{owners.id}",))
    async with open_office(database, database_home, server, rules=rules) as office:
        await ask(office)
        (card,) = office.desk.cards
        assert await click(office, card, TOMAS) is Answered.NOT_ALLOWED
        assert await click(office, card, GRACE) is Answered.RECORDED
        assert await office.members("billing-db") == {"Ada Okafor"}


async def test_a_name_stands_for_another_group_only_when_an_operator_says_so(
    office: Office, server: Running
) -> None:
    groups = Groups(office.database.pool, office.connectors.directory)
    before = (await groups.ids(["data-owners"]))["data-owners"]
    await town_hall.rename(server, before, "gone")
    other = await town_hall.found_group(server, "data-owners", [company.TOMAS])
    again = Groups(office.database.pool, office.connectors.directory)
    assert (await again.ids(["data-owners"]))["data-owners"] == before
    assert await again.resolve("data-owners", by="the operator") == other
    assert (await again.ids(["data-owners"]))["data-owners"] == other
    with pytest.raises(GroupUnclear, match="no group of that name"):
        await again.ids(["nobody has heard of it"])


async def test_a_directory_that_is_away_is_asked_for_one_of_many_names(
    office: Office, server: Running
) -> None:
    """Names that nobody has resolved yet are asked for again and again; a click must not suffer from it."""
    directory = office.connectors.directory
    groups = Groups(office.database.pool, directory)
    known = await groups.ids(["data-owners"])
    unknown = [f"nobody-has-made-{number}" for number in range(4 * MOST)]
    await town_hall.away(server, True)
    assert await groups.clear([*unknown, "data-owners"]) == known, "what the record has is still known"
    await town_hall.away(server, False)
    assert (await directory.find_group("data-owners")).id == known["data-owners"], "it is not left alone"


async def test_a_reviewer_linked_with_whoever_took_part_reviews_nothing(
    office: Office, server: Running
) -> None:
    await ask(office, workflow="break_glass", values=URGENT)
    for who in (GRACE, BEN):
        assert await click(office, office.desk.cards[-1], who) is Answered.RECORDED
    await office.later(timedelta(minutes=31))
    async with office.database.pool.connection() as conn:
        (waiting,) = await reviews.waiting(conn)
    await town_hall.found_group(server, "people-team", [company.TOMAS])
    refused = await office.runs.review(waiting.id, Finding.IN_ORDER, by=await person(office, TOMAS))
    assert refused is Answered.NOT_ALLOWED
    await town_hall.link(server, company.INES, company.ADA)
    refused = await office.runs.review(waiting.id, Finding.IN_ORDER, by=await person(office, INES))
    assert refused is Answered.TOOK_PART
