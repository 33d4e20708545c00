"""A payload of lists and records, from the plan to the call: shown, compared and carried out whole."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from bot.blocks import approval as card
from bot.database import Database
from connectors.base import Change, Operation, Payload
from graphs import effects
from graphs.engine import machine
from graphs.engine.workflow import Next, RunContext, Workflow, stage
from graphs.plans import Approvers, Plan, step
from graphs.records import Answered, ApprovalStatus, Field, Verdict
from tests.ledger import flow, system
from tests.ledger.system import APPROVERS, Http, Posted
from tests.scenario import test_unknown
from tests.scenario.test_unknown import House, open_house
from tests.unit.bot.slack_schemas import check_message, sayings

ledger = test_unknown.ledger  # the fixture


class Line(Payload):
    """One line of an order."""

    article: str
    quantity: int


class Address(Payload):
    """Where it goes."""

    street: str
    city: str


class Order(Payload):
    """An order of several lines."""

    ref: str
    lines: tuple[Line, ...]
    tags: tuple[str, ...]
    to: Address


class PostOrder(Operation[Order, Posted]):
    """Make an entry of an order."""

    name = "ledger.post_order"
    effect = "write"
    repeat = "keyed"
    scope = "ledger:write"

    def __init__(self, http: Http) -> None:
        self._entry = system.PostKeyed(http)
        self._http = http

    async def preview(self, data: Order) -> Change:
        return Change(target=data.ref, before="no order", after=f"{len(data.lines)} lines", needed=True)

    async def find(self, data: Order, key: str) -> Posted | None:
        return Posted(ref=data.ref) if await self._http.there(f"/keyed/{data.ref}") else None

    async def apply(self, data: Order, key: str) -> Posted:
        await self._http.change("PUT", f"/keyed/{data.ref}", key)
        return Posted(ref=data.ref)

    async def undo(self, data: Order, result: Posted, key: str) -> None:
        await self._http.change("DELETE", f"/keyed/{data.ref}", key)

    async def ping(self) -> Any:
        return await self._entry.ping()


@dataclass(kw_only=True)
class World:
    """What is ordered, as the stage finds it."""

    lines: list[Line] = field(
        default_factory=lambda: [
            Line(article="PX-7", quantity=2),
            Line(article="PX-9, new = yes", quantity=3),
        ]
    )


class Orders(Workflow[World]):
    """Orders."""

    name, title, version = flow.NAME, "Orders", 2

    @property
    def fields(self) -> tuple[Field, ...]:
        return (Field(name="refs", label="Which", kind="text"),)

    @stage(first=True)
    async def order(self, run: RunContext) -> Next:
        order = Order(
            ref=run.asked["refs"],
            lines=tuple(self.rules.lines),
            tags=("rush", "fragile"),
            to=Address(street="Kade 1", city="Delft"),
        )
        return Plan(
            steps=(step("order", PostOrder, order),),
            approvers=Approvers(groups=(APPROVERS,)),
            clause=("ledger.md", "orders"),
            beneficiary=None,
        )


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def house(
    database: Database, database_home: Path, ledger: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    monkeypatch.setattr(system, "OPERATIONS", (*system.OPERATIONS, PostOrder))
    kinds = [machine.kind(Orders(world))]
    async with open_house(database, database_home, ledger, workflows=kinds, rules=system.policy()) as opened:
        yield opened


async def test_lists_and_records_are_shown_compared_and_sent_as_they_were_approved(
    house: House, world: World, shared_data: Path
) -> None:
    run = await house.ask("order", "a")
    asked = await house.runs.approval(house.desk.cards[-1])
    assert asked is not None
    drawn = card.card(asked, users={})
    check_message(shared_data, drawn)
    said = sayings(drawn).split("\n")
    for line in (
        "lines[1]: article = PX-7, quantity = 2",
        "lines[2]: article = `PX-9, new = yes`, quantity = 3",
        "tags (2) = rush, fragile",
        "to: city = Delft, street = Kade 1",
    ):
        assert line in said
    by = house.people.known["ledger#grace"]
    assert await house.runs.decide(asked.id, Verdict.APPROVE, by=by) is Answered.RECORDED
    world.lines[1] = Line(article="PX-9, new = yes", quantity=2)
    await house.work()  # it is another order now, so it is asked again
    again = await house.runs.approval(house.desk.cards[-1])
    assert again is not None
    assert again.id != asked.id
    assert "What is sent, lines[2].quantity: 3 → 2" in sayings(card.card(again, users={})).split("\n")
    assert await house.landed("a") == []
    await house.decide()
    assert await house.landed("a") == ["apply"]
    async with house.database.pool.connection() as conn:
        (done,) = await effects.of_run(conn, run)
    assert done.payload == again.steps[0].sends
    assert done.payload["lines"][1] == {"article": "PX-9, new = yes", "quantity": 2}


async def test_a_list_that_is_too_long_for_a_card_can_only_be_denied(house: House, world: World) -> None:
    world.lines = [Line(article=f"article {number} {'x' * 60}", quantity=number) for number in range(200)]
    await house.ask("order", "a")
    asked = await house.runs.approval(house.desk.cards[-1])
    assert asked is not None
    assert asked.status is ApprovalStatus.PENDING
    drawn = card.card(asked, users={})
    assert "more lines not shown" in sayings(drawn)
    assert card.APPROVE not in str(drawn.blocks)


async def test_one_more_line_in_the_row_is_damage(house: House) -> None:
    await house.ask("order", "a")
    asked = await house.runs.approval(house.desk.cards[-1])
    assert asked is not None
    more = [*asked.steps[0].sends["lines"], {"article": "PX-1", "quantity": 1}]
    changed = replace(asked.steps[0], sends={**asked.steps[0].sends, "lines": more})
    async with test_unknown.open_owner(house.home, None) as conn:
        await conn.execute(
            "UPDATE approval SET action = jsonb_set(action, '{steps,0,parameters}', %s) WHERE id = %s",
            (Jsonb(dict(changed.sends)), asked.id),
        )
    by = house.people.known["ledger#grace"]
    assert await house.runs.decide(asked.id, Verdict.APPROVE, by=by) is Answered.DAMAGED
