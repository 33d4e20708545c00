"""What governance costs: governed effects beside the same nodes in bare LangGraph.

Both resume a waiting run on the same PostgreSQL, turn by turn, go through as many nodes that act, and make
the same changes in a directory that answers at once; what is left is policy, approval check, ledger, audit,
and sealed and fenced checkpoints. The queue and the reading back of the last effect are not in it; that of
each earlier step of a plan is. Compare the ratios; seconds are this machine's. How many statements an effect
takes is the same on each.
"""

import secrets
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from bot.database import Database, open_database
from bot.storage.embedded import Embedded
from connectors.base import Mint, Sight
from connectors.directory import Added, AddToGroup, Directory, Group, Membership, Named, Person, Some
from connectors.registry import Connectors, Registry
from connectors.sandbox import company
from graphs.engine.machine import kind
from graphs.engine.workflow import Next, RunContext, Workflow, stage
from graphs.plans import Approvers, Plan, step
from graphs.records import Field, Verdict
from tests.figures.record import Figure
from tests.scenario import desk

DEAREST = 3.3  # times the bare node, of one effect
FURTHER = 2.5  # of each further effect of a plan
SEVERAL = 5
STATEMENTS = 24  # of one effect, from the decision to where it would be read back
EACH = 18  # of each further effect of a plan
GROUPS = tuple(f"group-{number}" for number in range(SEVERAL))


class Instant(Directory):
    """The company's people and groups, in memory: it answers at once."""

    def __init__(self) -> None:
        self.issuer = company.ISSUER
        self.members: dict[str, set[str]] = {name: set() for name in (*GROUPS, "data-owners")}
        self.members["data-owners"] = {company.GRACE.id, company.BEN.id}

    async def person(self, person_id: str, *, within: float | None = None) -> Person:
        found = next(one for one in company.PEOPLE if one.id == person_id)
        groups = frozenset(name for name, members in self.members.items() if person_id in members)
        return Person(
            id=found.id,
            issuer=self.issuer,
            user_name=found.id,
            name=found.name,
            email=f"{found.id}@larkfield.example",
            title="",
            active=True,
            manager=None,
            groups=groups,
        )

    async def find_group(self, name: str, *, within: float | None = None) -> Named:
        return Named(id=name, name=name)

    async def named(self, group_id: str, *, within: float | None = None) -> Named:
        return Named(id=group_id, name=group_id)

    async def group(self, group_id: str, *, within: float | None = None) -> Group:
        return Group(id=group_id, name=group_id, members=frozenset(self.members[group_id]))

    async def some_members(self, group_id: str, most: int, *, within: float | None = None) -> Some:
        return Some(ids=tuple(sorted(self.members[group_id])[:most]), every=True)

    async def is_shown(self, group_id: str, person_id: str, *, within: float | None = None) -> bool:
        return person_id in self.members[group_id]

    async def sight(self, group_id: str, person_id: str, *, within: float | None = None) -> Sight:
        return Sight.THERE if person_id in self.members[group_id] else Sight.GONE

    async def set_member(self, group_id: str, person_id: str, *, member: bool) -> bool:
        (self.members[group_id].add if member else self.members[group_id].discard)(person_id)
        return True


class Timed(AddToGroup):
    """Says when it was looked at again for the last time: then the effect was done."""

    at = 0.0

    async def find(self, data: Membership, key: str) -> Added | None:
        self.at = time.perf_counter()
        return await super().find(data, key)


class Lasting(Workflow[None]):
    """As many memberships as are asked for, under one approval."""

    name, title, version = "lasting", "Access", 1

    @property
    def fields(self) -> tuple[Field, ...]:
        return (Field(name="many", label="How many", kind="number", least=1, most=SEVERAL),)

    @stage(first=True)
    async def grant(self, run: RunContext) -> Next:
        person = await run.requester()
        wanted = GROUPS[: int(run.asked["many"])]
        return Plan(
            steps=tuple(
                step(f"s{place}", AddToGroup, Membership(group=name, group_id=name, person=person.id))
                for place, name in enumerate(wanted)
            ),
            approvers=Approvers(groups=("data-owners",)),
            clause=("it-access.md", "temporary-access"),
            beneficiary=person,
        )


class State(TypedDict, total=False):
    run: str
    approval: str


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The two beside each other."""

    office: desk.Office
    people: Instant
    bare: dict[int, Any]  # compiled graphs, by how many effects they have
    operation: Timed
    ada: Person
    grace: Person

    async def statements(self, many: int) -> int:
        """Return how many statements there are from the decision to where the last is read back."""
        with sent() as times:
            began, ended = await self._governed(many)
        return sum(began <= one <= ended for one in times)

    async def governed(self, many: int) -> float:
        """Return the seconds from the decision to where the last effect would be read back."""
        began, ended = await self._governed(many)
        return ended - began

    async def _governed(self, many: int) -> tuple[float, float]:
        run = await self.office.runs.start(
            workflow="lasting",
            values={"many": str(many)},
            requester=self.ada,
            origin={"channel": "C1", "thread_ts": "1.1", "user": "U1"},
            key=secrets.token_hex(8),
        )
        await self.office.work()
        card = self.office.desk.cards[-1]
        await self.office.runs.decide(card, Verdict.APPROVE, by=self.grace)
        began = time.perf_counter()
        await self.office.work()
        assert (await self.office.runs.run(run)).status.value == "done"
        self.forget()
        return began, self.operation.at

    async def ungoverned(self, many: int) -> float:
        """Return the seconds of the same resume and the same changes, by LangGraph alone."""
        config, bare = {"configurable": {"thread_id": secrets.token_hex(8)}}, self.bare[many]
        await bare.ainvoke({"run": "r"}, config, durability="sync")
        began = time.perf_counter()
        waiting = (await bare.aget_state(config)).interrupts[0]
        await bare.ainvoke(Command(resume={waiting.id: "yes"}), config, durability="sync")
        seconds = time.perf_counter() - began
        self.forget()
        return seconds

    def forget(self) -> None:
        """Have nobody in a group any more."""
        for name in GROUPS:
            self.people.members[name].clear()


@contextmanager
def sent() -> Iterator[list[float]]:
    """Note when this process sends statements to the database."""
    times: list[float] = []
    execute = psycopg.AsyncCursor.execute

    async def noted(cursor: Any, *args: Any, **kwargs: Any) -> Any:
        times.append(time.perf_counter())
        return await execute(cursor, *args, **kwargs)

    psycopg.AsyncCursor.execute = noted  # type: ignore[method-assign,assignment]
    try:
        yield times
    finally:
        psycopg.AsyncCursor.execute = execute  # type: ignore[method-assign]


@asynccontextmanager
async def open_bench(folder: Path) -> AsyncIterator[Bench]:
    """Open a database, the governed workflow and the bare ones over the same directory."""
    people = Instant()
    operation = Timed(people)
    async with Embedded(folder), open_database(folder, None) as database:
        mint = Mint()
        try:
            connectors = Connectors(directory=people, registry=Registry([operation]))
            more = (kind(Lasting(None)),)
            async with desk.open_over(database, folder, connectors, mint, more=more) as office:
                ada, grace = await people.person(company.ADA.id), await people.person(company.GRACE.id)
                bare = {many: bare_graph(database, operation, mint, ada, many) for many in (1, SEVERAL)}
                yield Bench(
                    office=office, people=people, bare=bare, operation=operation, ada=ada, grace=grace
                )
        finally:
            mint.retire()


def bare_graph(database: Database, operation: AddToGroup, mint: Mint, who: Person, many: int) -> Any:
    """The same steps from a wait to so many writes, as LangGraph's own documentation would have them."""

    def approve(state: State) -> Command[str]:
        interrupt({"approval": "a"})
        return Command(goto="decided")

    async def decided(state: State) -> Command[str]:
        return Command(goto="grant0")

    def granting(place: int) -> Any:
        async def grant(state: State) -> State:
            data, key = Membership(group=GROUPS[place], person=who.id), secrets.token_hex(8)
            with mint.permit(operation.name, data, key, "apply").open():
                await operation.apply(data, key)
            return {"approval": f"done {place}"}

        return grant

    graph = StateGraph(State)
    graph.add_node("approve", approve, destinations=("decided",))
    graph.add_node("decided", decided, destinations=("grant0",))
    graph.add_edge(START, "approve")
    for place in range(many):
        graph.add_node(f"grant{place}", granting(place))
        graph.add_edge(f"grant{place}", f"grant{place + 1}" if place + 1 < many else END)
    return graph.compile(checkpointer=AsyncPostgresSaver(database.saver_pool))  # type: ignore[arg-type]


async def measure(*, quick: bool) -> AsyncIterator[Figure]:
    """Take turns."""
    with tempfile.TemporaryDirectory(prefix="cost-") as name:
        folder = Path(name)
        async with open_bench(folder) as bench:
            seconds: dict[tuple[str, int], list[float]] = {}
            for turn in range(1 + (8 if quick else 100)):
                for many in (1, SEVERAL):
                    ours, bare = await bench.governed(many), await bench.ungoverned(many)
                    if turn:  # the first one warms
                        seconds.setdefault(("ours", many), []).append(ours)
                        seconds.setdefault(("bare", many), []).append(bare)
            for number in (50, 95):
                ours, bare = rank(number, seconds["ours", 1]), rank(number, seconds["bare", 1])
                yield _ratio(f"p{number} of a governed effect", ours, bare, len(seconds["ours", 1]), DEAREST)
            more = {
                who: (statistics.median(seconds[who, SEVERAL]) - statistics.median(seconds[who, 1]))
                / (SEVERAL - 1)
                for who in ("ours", "bare")
            }
            tried = len(seconds["ours", SEVERAL])
            yield _ratio(
                "median of each further effect of a plan", more["ours"], more["bare"], tried, FURTHER
            )
            one, several = await bench.statements(1), await bench.statements(SEVERAL)
            yield _count("statements of a governed effect", one, STATEMENTS)
            each = (several - one) / (SEVERAL - 1)
            yield _count("statements of each further effect of a plan", each, EACH)


def _ratio(what: str, governed: float, alone: float, tried: int, dearest: float) -> Figure:
    return Figure(
        promise="cost",
        what=f"{what} beside the same node in bare LangGraph"
        f" ({governed * 1000:.0f} and {alone * 1000:.0f} ms)",
        tried=tried,
        wrong=0,
        value=round(governed / alone, 2),
        goal=f"at most {dearest:g} times",
        holds=governed <= dearest * alone,
    )


def _count(what: str, found: float, most: int) -> Figure:
    return Figure(
        promise="cost",
        what=what,
        tried=1,
        wrong=0,
        value=found,
        goal=f"at most {most}",
        holds=found <= most,
    )


def rank(number: int, values: Sequence[float]) -> float:
    """Return a percentile."""
    return statistics.quantiles(values, n=100, method="inclusive")[number - 1]
