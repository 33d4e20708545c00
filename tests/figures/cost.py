"""What governance costs: a governed effect beside the same node in bare LangGraph.

Both resume a waiting run on the same PostgreSQL, turn by turn, go through the same nodes, and make the same
change in a directory that answers at once; what is left is policy, approval check, ledger, audit, and sealed
and fenced checkpoints. The queue and the reading back are not in it. Compare the ratios; seconds are this
machine's.
"""

import secrets
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from bot.database import Database, open_database
from bot.storage.embedded import Embedded
from connectors.base import Mint, Sight
from connectors.directory import AddToGroup, Directory, Group, Membership, Named, Person, Some
from connectors.registry import Connectors, Registry
from connectors.sandbox import company
from graphs import acting, memberships, steps
from graphs.approvals import Proposal
from graphs.kit import Case, Workflow
from graphs.memberships import Deadlines, Governed
from graphs.records import Field, Run, RunStatus, Verdict
from tests.figures.record import Figure
from tests.scenario import desk

DEAREST = 2.0  # times the bare node
GROUP = "billing-db"


class Instant(Directory):
    """The company's people and groups, in memory: it answers at once."""

    def __init__(self) -> None:
        self.issuer = company.ISSUER
        self.members: dict[str, set[str]] = {GROUP: set(), "data-owners": set()}
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


GOVERNED = Governed(
    clause_document="it-access.md",
    clause_anchor="temporary-access",
    approvers=("data-owners",),
    quorum=1,
    deadlines=Deadlines(),
)


class Done:
    """When the last effect was done: where a workflow would go on to look whether it is so."""

    at = 0.0

    async def __call__(self, state: steps.State, runtime: Runtime[Case]) -> Command[str]:
        """Be the node behind the effect."""
        self.at = time.perf_counter()
        await steps.end(runtime.context, RunStatus.DONE, None, {})
        return Command(goto=END)


def governed_workflow(done: Done) -> Workflow:
    """The same steps as `bare_graph`, as a workflow of ours has them."""
    fields = (Field(name="reason", label="Why", kind="text"),)

    async def propose(case: Case, run: Run) -> Proposal:
        return await memberships.propose(case, run, GOVERNED, group=GROUP, terms={}, lasts="for good")

    def build() -> StateGraph[steps.State, Case, steps.State, steps.State]:
        graph = StateGraph(steps.State, context_schema=Case)
        graph.add_node("plan", steps.plan(propose), destinations=("approve", "refused"))
        graph.add_node("approve", steps.approve, destinations=("decided",))
        graph.add_node("decided", steps.decided("grant"), destinations=("plan", "grant", "refused"))
        graph.add_node(
            "grant", acting.execute(propose, then="done"), destinations=("done", "plan", "refused")
        )
        graph.add_node("done", done, destinations=(END,))
        graph.add_node("refused", acting.refused, destinations=("refused", END))
        graph.add_edge(START, "plan")
        return graph

    return Workflow(name="lasting", title="Access", version=1, fields=fields, build=build)


class State(TypedDict, total=False):
    run: str
    approval: str


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The two beside each other."""

    office: desk.Office
    people: Instant
    bare: Any  # a compiled graph
    mint: Mint
    ada: Person
    grace: Person
    done: Done

    async def governed(self) -> float:
        """Return the seconds of one governed effect, from the decision to where it would be read back."""
        run = await self.office.runs.start(
            workflow="lasting",
            values={"reason": "close the quarter"},
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
        await self.people.set_member(GROUP, self.ada.id, member=False)
        return self.done.at - began

    async def ungoverned(self) -> float:
        """Return the seconds of the same resume and the same change, by LangGraph alone."""
        config = {"configurable": {"thread_id": secrets.token_hex(8)}}
        await self.bare.ainvoke({"run": "r"}, config, durability="sync")
        began = time.perf_counter()
        waiting = (await self.bare.aget_state(config)).interrupts[0]
        await self.bare.ainvoke(Command(resume={waiting.id: "yes"}), config, durability="sync")
        seconds = time.perf_counter() - began
        await self.people.set_member(GROUP, self.ada.id, member=False)
        return seconds


@asynccontextmanager
async def open_bench(folder: Path) -> AsyncIterator[Bench]:
    """Open a database, the governed workflow and the bare one over the same directory."""
    people = Instant()
    operation, done = AddToGroup(people), Done()
    async with Embedded(folder), open_database(folder, None) as database:
        mint = Mint()
        try:
            connectors = Connectors(directory=people, registry=Registry([operation]))
            more = (governed_workflow(done),)
            async with desk.open_over(database, folder, connectors, mint, more=more) as office:
                ada, grace = await people.person(company.ADA.id), await people.person(company.GRACE.id)
                bare = bare_graph(database, operation, mint, ada)
                yield Bench(
                    office=office, people=people, bare=bare, mint=mint, ada=ada, grace=grace, done=done
                )
        finally:
            mint.retire()


def bare_graph(database: Database, operation: AddToGroup, mint: Mint, who: Person) -> Any:
    """The same steps from a wait to a write, as LangGraph's own documentation would have them."""

    def approve(state: State) -> Command[str]:
        interrupt({"approval": "a"})
        return Command(goto="decided")

    async def decided(state: State) -> Command[str]:
        return Command(goto="grant")

    async def grant(state: State) -> State:
        data, key = Membership(group=GROUP, person=who.id), secrets.token_hex(8)
        with mint.permit(operation.name, data, key, "apply").open():
            await operation.apply(data, key)
        return {"approval": "done"}

    graph = StateGraph(State)
    graph.add_node("approve", approve, destinations=("decided",))
    graph.add_node("decided", decided, destinations=("grant",))
    graph.add_node("grant", grant)
    graph.add_edge(START, "approve")
    graph.add_edge("grant", END)
    return graph.compile(checkpointer=AsyncPostgresSaver(database.saver_pool))  # type: ignore[arg-type]


async def measure(*, quick: bool) -> AsyncIterator[Figure]:
    """Take turns."""
    with tempfile.TemporaryDirectory(prefix="cost-") as name:
        folder = Path(name)
        async with open_bench(folder) as bench:
            await bench.governed(), await bench.ungoverned()  # warm
            ours, bare = [], []
            for _ in range(8 if quick else 100):
                ours.append(await bench.governed())
                bare.append(await bench.ungoverned())
            for number in (50, 95):
                yield _ratio(number, ours, bare)


def _ratio(number: int, ours: Sequence[float], bare: Sequence[float]) -> Figure:
    governed, alone = rank(number, ours), rank(number, bare)
    return Figure(
        promise="cost",
        what=f"p{number} of a governed effect beside the same node in bare LangGraph"
        f" ({governed * 1000:.0f} and {alone * 1000:.0f} ms)",
        tried=len(ours),
        wrong=0,
        value=round(governed / alone, 2),
        goal=f"at most {DEAREST:g} times",
        holds=governed <= DEAREST * alone,
    )


def rank(number: int, values: Sequence[float]) -> float:
    """Return a percentile."""
    return statistics.quantiles(values, n=100, method="inclusive")[number - 1]
