"""Tickets in plans, in a real ticket system: opened and closed around an access, and for troubles."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio

from bot import lexicon, sentences
from bot.database import Database
from bot.examinations import connectors
from bot.examinations.patient import Patient
from bot.settings import made
from connectors.registry import SHIPPED
from connectors.sandbox import process
from connectors.sandbox.process import Running
from connectors.tickets import TicketSystem
from connectors.tickets.connector import TicketSettings
from graphs.engine.machine import kind
from graphs.policy.engine import PARAMETERS, Policy
from graphs.records import ApprovalStatus, RunStatus, Verdict
from graphs.workflows.service_ticket import Rules, ServiceTicket
from tests.contract.tracker import Row, Tracker, as_account
from tests.scenario.desk import RULES, Office, open_office

GRACE, BEN, ADA = "grace.lindqvist", "ben.castellanos", "ada.okafor"
ACCESS = {"group": "billing-db", "days": "3", "reason": "close the quarter"}
TROUBLES = Rules(channel="C0DESK", desk="it", clause={"document": "it-access.md", "anchor": "questions"})  # type: ignore[arg-type]  # as the settings give them
POLICY = replace(
    Policy.shipped(
        operations=[*SHIPPED, *TicketSystem.operations], parameters={**PARAMETERS, **ServiceTicket.described}
    ),
    confirmable=frozenset({"service_ticket"}),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tracker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tracker]:
    state = tmp_path_factory.mktemp("tracker")
    async with process.tickets(state) as running:
        with as_account(running.url, running.token) as client:
            yield Tracker(running=running, state=state, http=client)


@dataclass(frozen=True, kw_only=True)
class Place:
    """An office with its tickets."""

    office: Office
    tracker: Tracker
    before: int  # the number of the last ticket that there was

    def tickets(self) -> list[Row]:
        """Return the tickets that were opened since: number, title, status, assignee, messages."""
        return [one for one in self.tracker.tickets() if int(one[0]) > self.before]


@pytest.fixture
def refuses() -> bool:
    """Whether the directory refuses to be changed."""
    return False


@pytest.fixture
async def place(
    database: Database, database_home: Path, server: Running, tracker: Tracker, *, refuses: bool
) -> AsyncIterator[Place]:
    given = tracker.running
    system = TicketSystem(
        TicketSettings(url=given.url), {"tickets:read": given.read_token, "tickets:write": given.token}
    )
    every = [int(one[0]) for one in tracker.tickets()]
    async with open_office(
        database,
        database_home,
        server,
        rules=RULES.model_copy(update={"tickets": True}),
        more=(kind(ServiceTicket(TROUBLES)),),
        systems=[system],
        policy=POLICY,
        write_token=server.read_token if refuses else "",
    ) as office:
        yield Place(office=office, tracker=tracker, before=max(every, default=0))


async def test_the_doctor_asks_the_ticket_system_with_each_credential(
    tracker: Tracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tracker.running
    settings = made({"home": tmp_path, "connectors": {"tickets": {"url": given.url}}})
    (missing, *_) = await connectors.examine(Patient(settings=settings, key=None))
    assert (missing.name, missing.ok) == ("tickets_read_token", False)
    assert "COUNTERSIGN_CONNECTOR_TOKENS__TICKETS_READ" in missing.mend
    monkeypatch.setenv("COUNTERSIGN_CONNECTOR_TOKENS__TICKETS_READ", given.read_token)
    for token, ok in ((given.token, True), ("of yesterday", False)):
        monkeypatch.setenv("COUNTERSIGN_CONNECTOR_TOKENS__TICKETS_WRITE", token)
        settings = made({"home": tmp_path, "connectors": {"tickets": {"url": given.url}}})
        found = await connectors.examine(Patient(settings=settings, key=None))
        assert [(one.name, one.ok) for one in found] == [("the ticket system", ok)], found


async def test_an_access_has_a_ticket_that_is_closed_when_it_is_granted(place: Place) -> None:
    run = await place.office.ask(ACCESS)
    card = await place.office.pending(run)
    assert [step.operation for step in card.steps] == [
        "tickets.open",
        "directory.add_to_group",
        "tickets.close",
    ]
    assert place.tickets() == []
    await place.office.click(card.id, GRACE)
    assert (await place.office.runs.run(run)).status is RunStatus.DONE
    assert "Ada Okafor" in await place.office.members("billing-db")
    ((_, title, status, _, messages),) = place.tickets()
    assert (title, status) == ("Access to billing-db for Ada Okafor", "resolved")
    assert len(messages.split(",")) == 2


async def test_what_is_denied_leaves_no_ticket(place: Place) -> None:
    run = await place.office.ask(ACCESS)
    await place.office.click((await place.office.pending(run)).id, GRACE, Verdict.DENY, "not now")
    assert (await place.office.runs.run(run)).status is RunStatus.REFUSED
    assert place.tickets() == []


@pytest.mark.parametrize("refuses", [True])
async def test_a_grant_that_the_directory_refuses_takes_the_ticket_back_and_says_so(place: Place) -> None:
    run = await place.office.ask(ACCESS)
    await place.office.click((await place.office.pending(run)).id, GRACE)
    found = await place.office.runs.run(run)
    assert (found.status, found.reason) == (RunStatus.REFUSED, "connector_refused")
    assert "Ada Okafor" not in await place.office.members("billing-db")
    ((_, _, status, _, messages),) = place.tickets()
    assert status == "retracted"
    assert len(messages.split(",")) == 2  # what it was for, and that it was taken back
    assert str(sentences.stands(found.facts)) == "I had carried it out, and have taken it back."


async def test_a_trouble_is_sorted_and_opened_when_whoever_told_it_confirms(place: Place) -> None:
    told = "My VPN is down since this morning, I cannot work"
    run = await place.office.ask({"words": told}, workflow="service_ticket")
    card = await place.office.pending(run)
    assert {line.label: line.value for line in card.lines} == {"Category": "software", "Priority": "urgent"}
    for other in (BEN, GRACE):
        await place.office.click(card.id, other)
        assert (await place.office.approval(card.id)).status is ApprovalStatus.PENDING
    await place.office.click(card.id, ADA)
    assert (await place.office.runs.run(run)).status is RunStatus.DONE
    ((number, title, status, _, _),) = place.tickets()
    assert (title, status) == (told, "unread")
    ((priority, keyword),) = place.tracker.rows(
        "SELECT p._name, k._name FROM _issue i JOIN _priority p ON p.id = i._priority"
        " JOIN issue_keyword l ON l.nodeid = i.id JOIN _keyword k ON k.id = l.linkid WHERE i.id = ?",
        number,
    )
    assert (priority, keyword) == ("urgent", "software")
    lexicon.learn(systems={}, operations={}, sentences=ServiceTicket.sentences)
    _, notice = place.office.desk.told[-1]
    assert str(sentences.notice(notice.key, notice.facts)).startswith(f"Ticket {number} is open")


async def test_open_tickets_about_the_same_are_shown_before_anybody_confirms(place: Place) -> None:
    known = place.tracker.ticket("VPN gateway does not answer")
    solved = place.tracker.ticket("VPN too slow")
    place.tracker.patch(solved, status="resolved")
    run = await place.office.ask({"words": "my vpn is down"}, workflow="service_ticket")
    shown = [line.value for line in (await place.office.pending(run)).lines if line.label.startswith("Perh")]
    assert f"ticket {known}, VPN gateway does not answer" in shown
    assert not any(one.startswith(f"ticket {solved},") for one in shown)


async def test_what_keeps_everybody_from_working_is_approved_by_the_desk(place: Place) -> None:
    told = "The wifi is down for everybody in the warehouse"
    run = await place.office.ask({"words": told}, workflow="service_ticket")
    card = await place.office.pending(run)
    assert tuple(card.approvers) == ("it",)
    await place.office.click(card.id, ADA)
    assert place.tickets() == []
    await place.office.click(card.id, BEN)
    assert [one[1] for one in place.tickets()] == [told]
