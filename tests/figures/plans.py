"""A10: a plan that was changed between its approval and its execution does nothing, wherever it was changed.

Each case asks, has it approved, changes one thing of the plan, and lets the bot go on. The witness is the
outside system's own log: from the change on nothing may be applied.
"""

import copy
import itertools
import random
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb

from bot.database import open_database, open_owner
from bot.storage.embedded import Embedded
from connectors.keys import Keys
from connectors.sandbox import process
from graphs import cases
from graphs.audit import Vault
from graphs.digests import digest
from graphs.engine import machine
from graphs.engine.workflow import Next, RunContext, Workflow, stage
from graphs.plans import REQUESTER, Approvers, Plan, ref, step
from graphs.records import Answered, Field, Party, Verdict
from graphs.sealed import FENCE
from graphs.workflows.break_glass import BreakGlass
from tests.abuse import grounds
from tests.abuse.arena import BEN, GRACE, Arena
from tests.abuse.scenes import Scene, scenes
from tests.figures.record import Figure, none_wrong
from tests.ledger import flow, system
from tests.ledger.system import APPROVERS, Entry
from tests.scenario.test_unknown import House, open_house

SEED = 10
WHOLE, SAMPLE = 1000, 12
Action = dict[str, Any]
Change = tuple[str, Callable[[Action, random.Random], None]]


# what can be changed of an action in its row


def _some(action: Action, chance: random.Random) -> Action:
    found: Action = chance.choice(action["steps"])
    return found


def _drop(action: Action, chance: random.Random) -> None:
    action["steps"].remove(_some(action, chance))


def _add(action: Action, chance: random.Random) -> None:
    more = {**copy.deepcopy(_some(action, chance)), "name": "more"}
    _other(more["parameters"], chance)
    action["steps"].insert(chance.randint(0, len(action["steps"])), more)


def _swap(action: Action, chance: random.Random) -> None:
    steps = action["steps"]
    if len(steps) > 1:
        at = chance.randrange(len(steps) - 1)
        steps[at], steps[at + 1] = steps[at + 1], steps[at]


def _other(parameters: Action, chance: random.Random) -> None:
    """Send something else, somewhere else, or what another step leaves behind."""
    name = chance.choice(sorted(parameters))
    value = parameters[name]
    others = [f"{value}-other" if isinstance(value, str) else "other", {"$ref": "e0.ref"}, {"$ref": "e1.ref"}]
    parameters[name] = chance.choice([one for one in others if one != value])


def _sends(action: Action, chance: random.Random) -> None:
    _other(_some(action, chance)["parameters"], chance)


def _of_a_step(name: str, *values: Any) -> Change:
    def change(action: Action, chance: random.Random) -> None:
        one = _some(action, chance)
        one[name] = chance.choice([value for value in values if value != one.get(name)])

    return f"a step's {name}", change


def _of_all(name: str, *values: Any) -> Change:
    def change(action: Action, chance: random.Random) -> None:
        action[name] = chance.choice([value for value in values if value != action.get(name)])

    return name, change


CHANGES: tuple[Change, ...] = (
    ("a step less", _drop),
    ("a step more", _add),
    ("another order", _swap),
    ("what is sent", _sends),
    _of_a_step("name", "another", "e9"),
    _of_a_step("operation", "ledger.post_blind", "ledger.post_final", "directory.remove_from_group"),
    _of_a_step("undo", "undo", "leave", "pivot"),
    _of_a_step("lasts", 60, 9_999_999),
    _of_a_step("effect", "read", "destructive"),
    _of_a_step("scope", "groups:admin", ""),
    _of_a_step("reversible", True, False),
    _of_a_step("target", "another"),
    _of_a_step("preconditions", {}, {"entries": "7"}),
    _of_all("beneficiary", {}, {"person": "x#9"}, {"system": "crm", "id": "C-9"}),
    _of_all("requester", "x#9"),
    _of_all("authors", [], ["x#9"]),
    _of_all("approvers", [], [{"name": "everybody", "id": "everybody"}]),
    _of_all("quorum", 0, 1, 2, 9),
    _of_all(
        "escalation", {}, {"groups": [{"name": "all", "id": "all"}], "at": "2020-01-01T00:00:00.000+00:00"}
    ),
    _of_all("clause", "0" * 64),
    _of_all("level", 0, 1, 3, 4),
    _of_all("then", "other"),
    _of_all("confirmed", True),
    _of_all("decide_by", "2090-01-01T00:00:00.000+00:00"),
    _of_all("execute_within", 9_999_999),
    _of_all("version", 9),
    _of_all("workflow", "another"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One change of an approval's row: what it is, and whether its digest is made anew as well."""

    what: str
    action: Action
    again: bool

    async def write(self, conn: Any, card: str, tenant: str) -> None:
        """Write it as the database's owner."""
        await conn.execute("UPDATE approval SET action = %s WHERE id = %s", (Jsonb(self.action), card))
        if self.again:
            await conn.execute(
                "UPDATE approval SET digest = %s WHERE id = %s", (digest(tenant, self.action), card)
            )


def changed(action: Action, number: int, chance: random.Random) -> Row | None:
    """Return the action with one thing changed; None where that leaves it as it was."""
    what, change = CHANGES[number % len(CHANGES)]
    made = copy.deepcopy(action)
    change(made, chance)
    again = bool(number // len(CHANGES) % 2)
    return None if made == action else Row(what=what, action=made, again=again)


# what a stage can plan otherwise


@dataclass(kw_only=True)
class World:
    """What the stage plans: four steps, but for what is changed of them."""

    change: Callable[[Plan], Plan] = field(default=lambda plan: plan)


class Planned(Workflow[World]):
    """Four entries, the third of which rests on the first; the last is the pivot."""

    name, title, version = flow.NAME, "Entries", 2

    @property
    def fields(self) -> tuple[Field, ...]:
        return tuple(Field(name=name, label=name, kind="text") for name in ("operation", "refs"))

    @stage(first=True)
    async def post(self, run: RunContext) -> Next:
        kind, names = run.asked["operation"], run.asked["refs"].split()
        plan = Plan(
            steps=(
                step("e0", kind, Entry(ref=names[0])),
                step("e1", kind, Entry(ref=names[1]), undo="leave"),
                step("e2", kind, Entry(ref=names[2], follows=ref("e0.ref"))),
                step("e3", kind, Entry(ref=names[3]), undo="pivot"),
            ),
            approvers=Approvers(groups=(APPROVERS,)),
            clause=("ledger.md", "entries"),
            beneficiary=await run.requester(),
        )
        return self.rules.change(plan)


def _step(at: int, **changes: Any) -> Callable[[Plan], Plan]:
    def change(plan: Plan) -> Plan:
        steps = [*plan.steps]
        steps[at] = replace(steps[at], **changes)
        return replace(plan, steps=tuple(steps))

    return change


def _payload(at: int, **changes: Any) -> Callable[[Plan], Plan]:
    def change(plan: Plan) -> Plan:
        return _step(at, payload=plan.steps[at].payload.model_copy(update=changes))(plan)

    return change


def _of_plan(**changes: Any) -> Callable[[Plan], Plan]:
    return lambda plan: replace(plan, **changes)


def _ordered(*order: int) -> Callable[[Plan], Plan]:
    return lambda plan: replace(plan, steps=tuple(plan.steps[at] for at in order))


PLANS: tuple[Callable[[Plan], Plan], ...] = (
    *(
        _ordered(*order)
        for order in ((0, 1, 2), (1, 2, 3), (0, 2, 1, 3), (1, 0, 2, 3), (0, 1, 3), (3, 0, 1, 2))
    ),
    lambda plan: replace(
        plan, steps=(*plan.steps, step("e4", "ledger.post_keyed", Entry(ref="more"), undo="leave"))
    ),
    *(_payload(at, ref="elsewhere") for at in range(4)),
    *(_payload(2, follows=to) for to in ("", "typed", ref("e1.ref"))),
    *(_step(0, undo=undo) for undo in ("leave", "pivot")),
    *(_step(3, undo=undo) for undo in ("undo", "leave")),
    *(_step(at, lasts=timedelta(days=9)) for at in range(3)),
    *(_step(at, operation="ledger.post_blind") for at in (1, 3)),
    *(_step(at, name="another") for at in (1, 3)),
    *(
        _of_plan(approvers=approvers)
        for approvers in (
            REQUESTER,
            Approvers(groups=("others",)),
            Approvers(groups=(APPROVERS, "others")),
            Approvers(groups=(APPROVERS,), quorum=2),
            Approvers(groups=(APPROVERS,), later=("others",)),
        )
    ),
    _of_plan(beneficiary=None),
    _of_plan(beneficiary=Party(system="crm", id="C-9", name="Acme")),
    _of_plan(beneficiary=system.person("tomas")),
    _of_plan(then="other"),
)


@dataclass(kw_only=True)
class Tally:
    """How many cases there were, and which were wrong."""

    tried: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, what: str, landed: object) -> None:
        self.tried += 1
        if landed:
            self.wrong.append(what)
            sys.stderr.write(f"wrong, {what}: {landed}\n")

    def figure(self, what: str, least: int) -> Figure:
        return none_wrong("A10", what, tried=self.tried, wrong=len(self.wrong), least=least)


NAMES = ("a", "b", "c", "d")  # of the entries


@dataclass(kw_only=True)
class Bench:
    """Runs over the ledger, the owner of their database, and the world of their stage."""

    house: House
    world: World
    tenant: str
    owner: Any
    log: Path  # of the ledger
    numbers: Iterator[int]

    async def approved(self, *, stop_at: str = "", kind: str = "keyed") -> tuple[str, str, Action]:
        """Ask and have it approved; `stop_at`: carry it out as far as before that entry."""
        house, self.world.change = self.house, lambda plan: plan
        house.mark = f"m{next(self.numbers)}"
        run = await house.ask(kind, *NAMES)
        card = house.desk.cards[-1]
        if stop_at:
            await house.fault("apply", kind, stop_at, "down")
        by = house.people.known["ledger#grace"]
        assert await house.runs.decide(card, Verdict.APPROVE, by=by) is Answered.RECORDED
        if stop_at:
            await house.work()
        cursor = await self.owner.execute("SELECT action FROM approval WHERE id = %s", (card,))
        return run, card, (await cursor.fetchone())[0]

    def applied(self) -> list[str]:
        """Return everything that the ledger itself has noted as applied."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if line.startswith("apply ")]

    async def go_on(self, run: str) -> None:
        self.house.desk.waiting.append(run)
        await self.house.work()


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    """Open all of it anew."""
    with grounds.unlogged(), tempfile.TemporaryDirectory(prefix="countersign-plans-") as name:
        home, state = Path(name) / "home", Path(name) / "ledger"
        home.mkdir()
        state.mkdir()
        grounds.hurry(home)
        world, tenant = World(), "plans"
        async with (
            Embedded(home),
            open_database(home, None, tenant=tenant) as database,
            open_owner(home, None) as owner,
            system.running(state) as ledger,
        ):
            database.book.open(Vault(Keys.fresh()))
            kinds = [machine.kind(Planned(world))]
            async with open_house(database, home, ledger, workflows=kinds, rules=system.policy()) as house:
                yield Bench(
                    house=house,
                    world=world,
                    tenant=tenant,
                    owner=owner,
                    log=state / "landed.log",
                    numbers=itertools.count(),
                )


async def require_unchanged_lands(at: Bench) -> None:
    """Return if a plan that nobody changes is carried out, from its beginning and from its second step on."""
    for stop_at in ("", "b"):
        before = at.applied()
        run, _, _ = await at.approved(stop_at=stop_at)
        await at.go_on(run)
        assert len(at.applied()) - len(before) == len(NAMES), "the figures would say nothing"


async def in_rows(at: Bench, count: int, *, begun: bool) -> Tally:
    """Change the row of an approval before its plan begins, or after its first step."""
    chance, tally, number = random.Random(SEED + begun), Tally(), 0
    while tally.tried < count:
        run, card, action = await at.approved(stop_at="b" if begun else "")
        row = changed(action, number, chance)
        number += 1
        if row is None:
            continue
        before = at.applied()
        await row.write(at.owner, card, at.tenant)
        await at.go_on(run)
        after = at.applied()
        tally.add(f"{row.what}{', with its digest' if row.again else ''}", after[len(before) :])
    return tally


async def by_the_stage(at: Bench, count: int) -> Tally:
    """Have the stage plan otherwise than was approved: a new card asks, or it is refused."""
    tally = Tally()
    for number in range(count):
        run, _, _ = await at.approved(kind=("keyed", "findable")[number // len(PLANS) % 2])
        before = at.applied()
        at.world.change = PLANS[number % len(PLANS)]
        await at.go_on(run)
        tally.add(f"plan {number % len(PLANS)} of the stage", at.applied()[len(before) :])
    return tally


async def in_checkpoints(at: Bench, count: int) -> Tally:
    """Have a request that nobody approved go on with the approval of another one."""
    tally = Tally()
    graph = next(iter(at.house.runs._machines.values())).graph
    for _ in range(count):
        _, approved, _ = await at.approved()
        before = at.applied()
        at.house.desk.waiting.clear()  # the approved one is not worked on
        at.house.mark = f"m{next(at.numbers)}"
        run = await at.house.ask("keyed", *NAMES)
        async with at.house.database.pool.connection() as conn:
            token = await cases.fence_off(conn, run)
        config = {"configurable": {"thread_id": run, FENCE: token}}
        await graph.aupdate_state(config, {"approval": approved}, as_node="approve")
        await at.go_on(run)
        tally.add("another request's approval in the checkpoint", at.applied()[len(before) :])
    return tally


async def in_rows_of(arena: Arena, scene: Scene, voters: tuple[str, ...], count: int) -> Tally:
    """Change the row of an approval of one of the product's workflows, or of one operation by itself."""
    chance, tally, number, control = random.Random(SEED), Tally(), 0, True
    while tally.tried < count:
        await arena.begin(scene)
        asked = await arena.ask()
        for who in voters:
            assert await arena.click(asked.card, who) is Answered.RECORDED
        if control:  # what nobody changes is carried out, or the figure would say nothing
            await arena.work()
            assert len(await arena.changes()) == 1
            control = False
            continue
        ((action,),) = await arena.rows("SELECT action FROM approval WHERE id = %s", asked.card)
        row = changed(action, number, chance)
        number += 1
        if row is None:
            continue
        await row.write(arena.admin, asked.card, arena.tenant)
        await arena.work()
        tally.add(f"{scene.name}: {row.what}", await arena.changes())
    return tally


def _played() -> Mapping[Scene, tuple[str, ...]]:
    """Return every scene with those who approve in it."""
    emergency = Scene(
        name=BreakGlass.name,
        operation="directory.add_to_group",
        workflow=BreakGlass.name,
        for_others=False,
        member_before=False,
    )
    return {**dict.fromkeys(scenes(), (GRACE,)), emergency: (GRACE, BEN)}


async def measure(*, quick: bool) -> AsyncIterator[Figure]:
    """Change plans in their rows, in the checkpoint, and through the stage that makes them."""
    least = SAMPLE if quick else WHOLE
    async with bench() as at:
        await require_unchanged_lands(at)
        found = await in_rows(at, least, begun=False)
        yield found.figure(
            "plans of four steps, changed in their row before they began; applied since", least
        )
        found = await in_rows(at, least, begun=True)
        yield found.figure("plans of four steps, changed in their row after the first; applied since", least)
        count = max(least, len(PLANS))
        found = await by_the_stage(at, count)
        yield found.figure("plans that their stage would make otherwise now; applied", count)
        found = await in_checkpoints(at, 3 if quick else 100)
        yield found.figure("requests whose checkpoint names another's approval; applied", 3 if quick else 100)
    with tempfile.TemporaryDirectory(prefix="countersign-plans-") as name:
        home = Path(name) / "home"
        home.mkdir()
        grounds.hurry(home)
        async with (
            Embedded(home),
            process.directory(Path(name) / "directory", faults=True) as server,
            grounds.opened(home, server) as arena,
        ):
            with grounds.unlogged():
                for scene, voters in _played().items():
                    tally = await in_rows_of(arena, scene, voters, least)
                    yield tally.figure(f"{scene.name}: approvals changed in their row; effects", least)
