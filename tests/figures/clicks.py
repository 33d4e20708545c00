"""How long a click takes: to the effect, beside the same resume in bare LangGraph, and to what people see.

Both resumes wait in the same procrastinate queue for a worker that listens, take turns on one PostgreSQL, and
end where the connector is called, which answers at once. The whole way is measured in the sandbox: workspace,
directory and bot are processes of their own.
"""

import asyncio
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import procrastinate
from langgraph.types import Command

from bot import jobs as queue
from bot.database import Database, open_database
from bot.jobs import Jobs
from bot.storage.embedded import Embedded
from connectors.base import Mint
from connectors.directory import AddToGroup, Person
from connectors.registry import Connectors, Registry
from connectors.sandbox import company
from graphs.ports import Connection
from graphs.records import Verdict
from tests import town as towns
from tests.crash.sweep.scenes import Rounds
from tests.figures.cost import GROUPS, Instant, bare_graph, rank
from tests.figures.record import Figure
from tests.scenario import desk
from tests.town import BEN, GRACE, Asked, Town, until

DEAREST = 2.0  # times the bare resume
SOON = 1.0  # seconds
BARE = "bare"  # the queue, and its task


class Called(Instant):
    """Notes when it is called, and wakes whoever waits for that."""

    def __init__(self) -> None:
        super().__init__()
        self.at = 0.0
        self.called = asyncio.Event()

    async def set_member(self, group_id: str, person_id: str, *, member: bool) -> bool:
        self.at = time.perf_counter()
        self.called.set()
        return await super().set_member(group_id, person_id, member=member)


@dataclass
class Queued(desk.Desk):
    """A desk whose jobs go through the product's queue."""

    jobs: Jobs = field(kw_only=True)

    async def advance(self, conn: Connection, run: str, *, anew: bool = False) -> None:
        await self.jobs.advance(conn, run, anew=anew)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The two beside each other, each with its worker."""

    office: desk.Office
    people: Called
    bare: Any  # a compiled graph
    resume: Any  # the task that resumes it
    ada: Person
    grace: Person

    async def governed(self) -> float:
        """Return the seconds from the decision until the connector is called."""
        run = await self.office.runs.start(
            workflow="it_access",
            values={"group": GROUPS[0], "days": "3", "reason": "close the quarter"},
            requester=self.ada,
            origin={},
            key=secrets.token_hex(8),
        )
        await until(lambda: self._stands(run, "waiting"), "the card")
        await until(self._is_idle, "the end of the job")  # nobody clicks sooner
        card = self.office.desk.cards[-1]
        began = self._begin()
        await self.office.runs.decide(card, Verdict.APPROVE, by=self.grace)
        seconds = await self._called(began)
        await until(lambda: self._stands(run, "done"), "the end of the run")
        await self.people.set_member(GROUPS[0], self.ada.id, member=False)
        return seconds

    async def ungoverned(self) -> float:
        """Return the same for LangGraph alone: the click is a job, and the job resumes."""
        thread = secrets.token_hex(8)
        await self.bare.ainvoke({"run": "r"}, _config(thread), durability="sync")
        began = self._begin()
        await self.resume.configure(lock=thread).defer_async(thread=thread)
        seconds = await self._called(began)
        await until(lambda: self._ended(thread), "the end of the bare graph")
        await self.people.set_member(GROUPS[0], self.ada.id, member=False)
        return seconds

    def _begin(self) -> float:
        self.people.called.clear()
        return time.perf_counter()

    async def _called(self, began: float) -> float:
        await asyncio.wait_for(self.people.called.wait(), 30)
        return self.people.at - began

    async def _stands(self, run: str, status: str) -> bool:
        return (await self.office.runs.run(run)).status.value == status

    async def _is_idle(self) -> bool:
        async with self.office.database.pool.connection() as conn:
            cursor = await conn.execute("SELECT 1 FROM procrastinate_jobs WHERE status IN ('todo', 'doing')")
            return await cursor.fetchone() is None

    async def _ended(self, thread: str) -> bool:
        return not (await self.bare.aget_state(_config(thread))).next


def _config(thread: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": thread}}


@asynccontextmanager
async def open_bench(folder: Path) -> AsyncIterator[Bench]:
    """Open a database, both workflows over one directory, and a worker for each."""
    people = Called()
    operation = AddToGroup(people)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(Embedded(folder))
        database = await stack.enter_async_context(open_database(folder, None))
        jobs = await stack.enter_async_context(Jobs.open(database))
        mint = Mint()
        stack.callback(mint.retire)
        connectors = Connectors(directory=people, registry=Registry([operation]))
        office = await stack.enter_async_context(
            desk.open_over(database, folder, connectors, mint, at=Queued(jobs=jobs))
        )
        ada, grace = await people.person(company.ADA.id), await people.person(company.GRACE.id)
        bare = bare_graph(database, operation, mint, ada, 1)
        app, resume = await stack.enter_async_context(_queue(database, bare))
        workers = [asyncio.create_task(jobs.work(Rounds(runs=office.runs))), asyncio.create_task(_work(app))]
        try:
            yield Bench(office=office, people=people, bare=bare, resume=resume, ada=ada, grace=grace)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.wait(workers)


@asynccontextmanager
async def _queue(database: Database, bare: Any) -> AsyncIterator[tuple[procrastinate.App, Any]]:
    connector = procrastinate.PsycopgConnector(conninfo=database.conninfo, min_size=1, max_size=4)
    app = procrastinate.App(connector=connector)

    async def resume(thread: str) -> None:
        config = _config(thread)
        waiting = (await bare.aget_state(config)).interrupts[0]
        await bare.ainvoke(Command(resume={waiting.id: "yes"}), config, durability="sync")

    async with app.open_async():
        yield app, app.task(name=BARE, queue=BARE)(resume)


async def _work(app: procrastinate.App) -> None:
    await app.run_worker_async(
        queues=[BARE],
        concurrency=queue.CONCURRENCY,
        install_signal_handlers=False,
        fetch_job_polling_interval=queue.POLL,
        update_heartbeat_interval=queue.HEARTBEAT,
        stalled_worker_timeout=queue.STALLED,
        delete_jobs="successful",
    )


async def measure(*, quick: bool) -> AsyncIterator[Figure]:
    """Take turns at the queue; then click in the sandbox."""
    with tempfile.TemporaryDirectory(prefix="clicks-") as folder:
        ours, bare = await _turns(Path(folder) / "queue", 8 if quick else 100)
        for number in (50, 95):
            yield beside(number, ours, bare)
        yield seen(await _clicks(Path(folder), 4 if quick else 40))


async def _turns(folder: Path, count: int) -> tuple[list[float], list[float]]:
    folder.mkdir()
    async with open_bench(folder) as bench:
        await bench.governed(), await bench.ungoverned()  # warm
        pairs = [(await bench.governed(), await bench.ungoverned()) for _ in range(count)]
    return [one for one, _ in pairs], [other for _, other in pairs]


def beside(number: int, ours: Sequence[float], bare: Sequence[float]) -> Figure:
    """Say how much longer a click takes to its effect than without governance."""
    governed, alone = rank(number, ours), rank(number, bare)
    return Figure(
        promise="cost",
        what=f"p{number} from the decision to the call, through the queue, beside the same resume in bare"
        f" LangGraph ({governed * 1000:.0f} and {alone * 1000:.0f} ms)",
        tried=len(ours),
        wrong=0,
        value=round(governed / alone, 2),
        goal=f"at most {DEAREST:g} times",
        holds=governed <= DEAREST * alone,
    )


async def _clicks(folder: Path, count: int) -> list[tuple[float, float]]:
    """Click on so many cards in the sandbox, one after the other."""
    async with towns.open_town(await towns.fresh(folder / "home")) as town:
        asked = await town.requests(count)
        return [await _click(town, (GRACE, BEN)[n % 2], one) for n, one in enumerate(asked)]


async def _click(town: Town, who: str, asked: Asked) -> tuple[float, float]:
    """Return the seconds until the effect was read back, and until the card showed the decision."""
    began = time.time()
    await town.click(who, asked)
    await town.stands(asked.run, "done")

    async def shown() -> Any:
        return await town.rows(
            "SELECT next_at FROM message WHERE id = %s AND state = 'done'", f"card:{asked.card}"
        )

    ((updated,),) = await until(shown, "the card")
    ((executed,),) = await town.rows(
        "SELECT at FROM run_step WHERE run = %s AND key = 'confirmed'", asked.run
    )
    return executed.timestamp() - began, updated.timestamp() - began


def seen(clicks: Sequence[tuple[float, float]]) -> Figure:
    """Say how soon a click was carried out, read back, and to be seen on its card."""
    both = [max(one) for one in clicks]
    executed, updated = ([one[n] for one in clicks] for n in (0, 1))
    value = rank(95, both)
    return Figure(
        promise="cost",
        what=f"seconds from the click in the sandbox until it is executed, read back and on the card, p95"
        f" (p50 {rank(50, both):.2f}; executed {rank(95, executed):.2f}, card {rank(95, updated):.2f})",
        tried=len(clicks),
        wrong=sum(one >= SOON for one in both),
        value=round(value, 2),
        goal=f"below {SOON:g}",
        holds=value < SOON,
    )
