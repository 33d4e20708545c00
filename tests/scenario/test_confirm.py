"""What its requester confirms alone: who may, of what, and what comes of it when something has changed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.audit import ocsf
from bot.blocks import approval as card
from bot.blocks import doubt as doubts
from bot.blocks import progress
from bot.commands import audit as told
from bot.database import Database, open_owner
from connectors.directory import Person
from graphs import audit, cards, delegations
from graphs.audit.events import Event
from graphs.engine import machine
from graphs.engine.workflow import Next, RunContext, Workflow, stage
from graphs.plans import REQUESTER, Approvers, Plan, Requester, step
from graphs.records import Answered, Approval, ApprovalStatus, Field, Party, Resolution, Verdict
from tests.ledger import flow
from tests.ledger.system import APPROVERS, Entry, policy
from tests.scenario import test_unknown
from tests.scenario.test_unknown import House, open_house
from tests.unit.bot.slack_schemas import check_message, sayings

ledger = test_unknown.ledger  # the fixture
OUTSIDE = Party(system="crm", id="C-1", name="Acme")


@dataclass(kw_only=True)
class World:
    """What the stage finds, and a test changes."""

    gets: str = "ada"  # "": nobody; "outside": a customer
    approvers: Approvers | Requester = REQUESTER


class Permits(frozenset[str]):
    """The workflows that may be confirmed, for as long as it is given."""

    given = True

    def __contains__(self, name: object) -> bool:
        return self.given and super().__contains__(name)


class Own(Workflow[World]):
    """Entries of one's own."""

    name, title, version = flow.NAME, "Own entries", 2

    @property
    def fields(self) -> tuple[Field, ...]:
        return tuple(Field(name=name, label=name, kind="text") for name in ("operation", "refs"))

    @stage(first=True)
    async def post(self, run: RunContext) -> Next:
        gets = self.rules.gets
        steps = tuple(
            step(f"e{place}", run.asked["operation"], Entry(ref=name), undo="leave")
            for place, name in enumerate(run.asked["refs"].split())
        )
        beneficiary: Person | Party | None = OUTSIDE if gets == "outside" else None
        if gets not in {"", "outside"}:
            beneficiary = await run.directory.person(gets)
        return Plan(
            steps=steps, approvers=self.rules.approvers, clause=("ledger.md", "own"), beneficiary=beneficiary
        )


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def permits() -> Permits:
    return Permits({flow.NAME})


@pytest.fixture
async def house(
    database: Database, database_home: Path, ledger: str, world: World, permits: Permits
) -> AsyncIterator[House]:
    kinds, rules = [machine.kind(Own(world))], replace(policy(), confirmable=permits)
    async with open_house(database, database_home, ledger, workflows=kinds, rules=rules) as opened:
        yield opened


async def click(house: House, who: str = "ada", verdict: Verdict = Verdict.APPROVE) -> Answered:
    by = house.people.known[f"ledger#{who}"]
    return await house.runs.decide(house.desk.cards[-1], verdict, by=by, reason="no")


async def newest(house: House) -> Approval:
    found = await house.runs.approval(house.desk.cards[-1])
    assert found is not None
    return found


async def events(house: House, run: str, kind: str) -> list[Event]:
    async with house.database.pool.connection() as conn:
        return await audit.every(conn, run, (kind,))


async def test_whoever_asked_confirms_and_it_is_done_and_everything_says_so(
    house: House, shared_data: Path
) -> None:
    run = await house.ask("keyed", "a", "b")
    asked = await newest(house)
    assert (asked.confirmed, asked.approvers, asked.quorum) == (True, {}, 1)
    drawn = card.card(asked, users={}, editable=True)
    check_message(shared_data, drawn)
    for said in ("Please confirm", "Confirm by", "they alone confirm it"):
        assert said in sayings(drawn)
    assert "Who may decide" not in sayings(drawn)
    assert "Waiting for whoever asked to confirm it" in progress.progress(await house.runs.run(run)).text
    assert await click(house) is Answered.RECORDED
    await house.work()
    assert await house.status(run) == "done"
    assert [await house.landed(name) for name in ("a", "b")] == [["apply"], ["apply"]]
    assert "Confirmed by Ada" in sayings(card.card(await newest(house), users={}))
    (decided,) = await events(house, run, "approval.decided")
    assert decided.facts["confirmed"] is True
    assert told._sentence(decided) == "Ada confirmed it"
    (requested,) = await events(house, run, "approval.requested")
    assert told._sentence(requested) == "Whoever asked was asked to confirm it"
    shown = (requested.detail or {})["card"]
    kept = cards.approval({**shown, "clause": (requested.detail or {})["clause"]})
    assert "Please confirm" in sayings(card.card(kept, users={}))
    body = {"kind": decided.kind, "seq": 1, "outcome": decided.outcome, "facts": decided.facts}
    sent = ocsf.activity({**body, "at": decided.at.isoformat()}, digest="", tenant="")
    assert sent["status_detail"] == "confirm"


@pytest.mark.parametrize("gets", ["", "ada"])
async def test_what_nobody_else_gets_is_asked_of_whoever_asked(house: House, world: World, gets: str) -> None:
    world.gets = gets
    run = await house.ask("keyed", "a")
    assert (await house.status(run), (await newest(house)).status) == ("waiting", ApprovalStatus.PENDING)


@pytest.mark.parametrize(("operation", "gets"), [("final", "ada"), ("keyed", "grace"), ("keyed", "outside")])
async def test_what_cannot_be_undone_or_concerns_another_is_refused_when_it_is_planned(
    house: House, world: World, operation: str, gets: str
) -> None:
    world.gets = gets
    run = await house.ask(operation, "a")
    assert (await house.runs.run(run)).reason == "confirm_not_alone"
    assert house.desk.cards == []
    assert await events(house, run, "approval.requested") == []


async def test_nothing_is_confirmed_alone_that_the_installation_does_not_permit(
    house: House, permits: Permits
) -> None:
    permits.given = False
    run = await house.ask("keyed", "a")
    assert (await house.runs.run(run)).reason == "confirm_not_permitted"
    assert house.desk.cards == []


@pytest.mark.parametrize("before", [True, False])
async def test_a_permission_that_is_gone_before_or_after_the_click_is_none(
    house: House, permits: Permits, before: bool
) -> None:
    run = await house.ask("keyed", "a")
    permits.given = not before
    assert await click(house) is (Answered.FORBIDDEN if before else Answered.RECORDED)
    permits.given = False
    await house.work()
    if not before:
        assert (await house.runs.run(run)).reason == "confirm_not_permitted"
    assert await house.landed("a") == []


@pytest.mark.parametrize("who", ["grace", "tomas"])
@pytest.mark.parametrize("verdict", Verdict)
async def test_nobody_else_confirms_or_ends_it(house: House, who: str, verdict: Verdict) -> None:
    await house.ask("keyed", "a")
    assert await click(house, who, verdict) is Answered.NOT_YOURS
    assert (await newest(house)).votes == ()
    answered, _ = await house.runs.edit(
        house.desk.cards[-1], {"refs": "other"}, by=house.people.known[f"ledger#{who}"]
    )
    assert answered is Answered.NOT_YOURS
    assert await house.landed("a") == []


async def test_whoever_stands_in_for_the_requester_confirms_nothing(house: House) -> None:
    ada, grace = (house.people.known[f"ledger#{name}"] for name in ("ada", "grace"))
    async with house.database.pool.connection() as conn:
        now = await house.runs._kit.clock.now(conn)
        last = (now + timedelta(days=2)).date()
        await delegations.delegate(conn, holder=ada, stand_in=grace, last_day=last, by="a test")
    await house.ask("keyed", "a")
    assert await click(house, "grace") is Answered.NOT_YOURS


async def test_another_account_of_the_requester_confirms_nothing(house: House) -> None:
    known = house.people.known
    for name in ("ada", "tomas"):
        known[f"ledger#{name}"] = known[f"ledger#{name}"].model_copy(update={"employee": "7"})
    assert known["ledger#ada"].human == known["ledger#tomas"].human
    await house.ask("keyed", "a")
    assert await click(house, "tomas") is Answered.NOT_YOURS


async def test_whoever_asked_changes_nothing_on_the_card(house: House) -> None:
    await house.ask("keyed", "a")
    answered, _ = await house.runs.edit(
        house.desk.cards[-1], {"refs": "other"}, by=house.people.known["ledger#ada"]
    )
    assert answered is Answered.NOT_CHANGED
    assert (await newest(house)).status is ApprovalStatus.PENDING


async def test_what_goes_to_another_after_the_click_is_not_done(house: House, world: World) -> None:
    run = await house.ask("keyed", "a")
    assert await click(house) is Answered.RECORDED
    world.gets = "grace"
    await house.work()
    assert (await house.runs.run(run)).reason == "confirm_not_alone"
    assert await house.landed("a") == []


async def test_what_others_have_to_approve_now_is_not_done_on_ones_own_word(
    house: House, world: World
) -> None:
    run = await house.ask("keyed", "a")
    assert await click(house) is Answered.RECORDED
    world.approvers = Approvers(groups=(APPROVERS,))
    await house.work()
    assert (await house.status(run), (await newest(house)).confirmed) == ("waiting", False)
    assert await click(house) is Answered.OWN_REQUEST
    assert await house.landed("a") == []


async def test_whoever_left_after_the_click_has_nothing_done(house: House) -> None:
    run = await house.ask("keyed", "a")
    assert await click(house) is Answered.RECORDED
    gone = house.people.known["ledger#ada"].model_copy(update={"active": False})
    house.people.known["ledger#ada"] = gone
    await house.work()
    assert await house.status(run) == "refused"
    assert await house.landed("a") == []


async def test_of_what_was_cut_off_whoever_asked_says_what_became_of_it(
    house: House, shared_data: Path
) -> None:
    run = await house.ask("blind", "a")
    await house.fault("apply", "blind", "a", "error")
    assert await click(house) is Answered.RECORDED
    await house.work()
    assert await house.status(run) == "unknown"
    shown = doubts.card(await house.doubt(), users={})
    check_message(shared_data, shown)
    assert "Who may say: whoever asked" in sayings(shown)
    assert await house.say(Resolution.HAPPENED, "grace") is Answered.NOT_ALLOWED
    assert await house.say(Resolution.HAPPENED, "ada") is Answered.RECORDED
    assert await house.status(run) == "done"


async def test_a_card_that_is_changed_in_the_database_to_be_confirmed_alone_does_nothing(
    house: House, world: World
) -> None:
    world.approvers = Approvers(groups=(APPROVERS,))
    run = await house.ask("keyed", "a")
    async with open_owner(house.home, None) as conn:
        await conn.execute(
            'UPDATE approval SET action = action || \'{"confirmed": true, "approvers": []}\' WHERE run = %s',
            (run,),
        )
    assert await click(house) is Answered.DAMAGED
    assert await house.landed("a") == []
