"""What the killed process does: a whole run from the request to its end, again and again until it is done.

One process plays everybody: it asks, decides and works. Started again after a kill it does the same, and must
find what is done already. It imports no Slack and no index, so that it starts in no time.
"""

import asyncio
import json
import logging
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
from procrastinate import utils

from bot import jobs as queue
from bot.database import Database, open_database
from bot.jobs import Jobs, Round
from connectors import permits
from connectors.base import Mint
from connectors.directory import Directory, Person
from connectors.keys import Keys
from connectors.registry import SHIPPED, DirectorySettings, Registry, connect
from connectors.tickets import TicketSystem
from graphs.audit import Vault
from graphs.engine.machine import kind
from graphs.kit import Kind
from graphs.policy.engine import PARAMETERS, Policy
from graphs.records import Finding, Verdict
from graphs.runs import Runs
from graphs.sealed import Seal
from graphs.sections import ClauseRef
from graphs.workflows import break_glass, service_ticket
from graphs.workflows.break_glass import BreakGlass
from graphs.workflows.break_glass import end as break_glass_end
from graphs.workflows.it_access import ItAccess, RequestableGroup, Rules
from graphs.workflows.it_access import end as it_access_end
from graphs.workflows.service_ticket import ServiceTicket
from tests.crash.sweep.silent import DatabaseClock, Silent
from tests.crash.sweep.trace import Mode, Tracer
from tests.ledger import REFUSED, flow, system

ORDINARY = "ordinary"  # times as the product has them
QUICK = "quick"  # the same, shortened, so that a sweep ends today
PATIENCE = 60.0
LOOK = 0.1  # seconds between two looks at a run: most of a case is waiting, and many wait at once
CLOSED = {"done", "refused", "failed"}
NAMES = {"ada": "ada", "grace": "grace"}  # in the ledger's company
ACCOUNTS = {  # in the directory's
    "ada": "ada.okafor",
    "grace": "grace.lindqvist",
    "ben": "ben.castellanos",
    "ines": "ines.moreau",
}


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a process is to play, and where it ends."""

    home: Path
    tenant: str
    ledger: str
    directory: DirectorySettings
    tickets: TicketSystem
    scene: str
    kind: str
    out: Path
    keys: str = field(repr=False)  # which checkpoints are sealed with
    at: str | int | None = None
    mode: Mode = "kill"
    skew: int = 0  # seconds by which this machine's own clock is wrong
    times: str = QUICK


def main(job: Job) -> None:
    """Play, and leave the result in `job.out`."""
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's: who started this process ends it
    began = time.monotonic()
    if job.times == QUICK:
        queue.HEARTBEAT, queue.STALLED, queue.POLL, permits.LEASE = 0.3, 3.0, 0.1, 2.0
    if job.skew:
        _move_clock(job.skew)
    tracer = Tracer(at=job.at, mode=job.mode, phase=job.scene)
    tracer.install()
    try:
        status = asyncio.run(_play(job, tracer))
    except psycopg.OperationalError as error:  # the server ends connections of a process that was stopped
        status = repr(error)
    said = {"status": status, "points": tracer.passed, "seconds": time.monotonic() - began}
    job.out.write_text(json.dumps(said))


def _move_clock(seconds: int) -> None:
    real, now = time.time, utils.utcnow
    time.time = lambda: real() + seconds
    utils.utcnow = lambda: datetime.fromtimestamp(now().timestamp() + seconds, tz=now().tzinfo)


@dataclass(kw_only=True)
class Rounds:
    """What the worker's jobs do."""

    runs: Runs
    busy: int = 0
    fault: str = ""  # what went wrong beside the jobs that no point of the sweep has caused

    async def advance(self, run: str) -> None:
        self.busy += 1
        try:
            await self.runs.advance(run)
        finally:
            self.busy -= 1

    async def deliver(self, message: str) -> None:
        pass

    async def reply(self, event: str) -> None:
        pass

    async def sync(self) -> None:
        pass

    def rounds(self) -> tuple[Round, ...]:
        return (self.sweep,)

    async def sweep(self) -> None:
        try:
            await self.runs.sweep()
        except psycopg.Error:
            raise
        except Exception as error:
            self.fault = repr(error)
            raise


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The runs of one process, and the people."""

    runs: Runs
    database: Database
    tracer: Tracer
    requester: Person
    approvers: tuple[Person, ...]
    reviewer: Person
    rounds: Rounds
    job: Job

    async def rows(self, query: str, *values: object) -> list[Mapping[str, Any]]:
        async with self.database.pool.connection() as conn:
            return list(await (await conn.execute(query.encode(), values)).fetchall())

    async def play(self, workflow: str, values: Mapping[str, str]) -> str:
        """Ask, decide, and wait until the run has come to an end or to a doubt."""
        run = await insist(
            lambda: self.runs.start(
                workflow=workflow, values=values, requester=self.requester, origin={}, key="the one"
            )
        )
        return await self.until_quiet(run)

    async def until_quiet(self, run: str) -> str:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            status = await self._status(run)
            if status is not None:
                return status
            if self.rounds.fault:
                return self.rounds.fault
            await asyncio.sleep(LOOK)
        return f"still {(await self.rows('SELECT status FROM run WHERE id = %s', run))[0]['status']}"

    async def _status(self, run: str) -> str | None:
        await self._decide(run)
        await self._review(run)
        ((row),) = await self.rows("SELECT status FROM run WHERE id = %s", run)
        status = str(row["status"])
        if status not in CLOSED | {"unknown"}:
            return None
        waiting = await self.rows(
            "SELECT 1 FROM procrastinate_jobs WHERE queue_name = %s AND status IN ('todo', 'doing')",
            self.job.tenant,
        )
        return None if waiting or self.rounds.busy else status

    async def _decide(self, run: str) -> None:
        for row in await self.rows("SELECT id FROM approval WHERE run = %s AND status = 'pending'", run):
            card = str(row["id"])
            for by in self.approvers:
                await insist(lambda: self.runs.decide(card, Verdict.APPROVE, by=by))  # noqa: B023

    async def _review(self, run: str) -> None:
        for row in await self.rows("SELECT id FROM review WHERE run = %s AND status = 'open'", run):
            review = str(row["id"])
            await insist(lambda: self.runs.review(review, Finding.IN_ORDER, by=self.reviewer))  # noqa: B023


async def insist(do: Callable[[], Awaitable[Any]]) -> Any:
    """Do it again after a full disk, as people do."""
    try:
        return await do()
    except psycopg.errors.DiskFull:
        return await do()


ENTRIES: Mapping[str, tuple[str, ...]] = {  # of each scene that makes some in the ledger
    "post": ("a",),  # one entry, approved
    "several": ("a", f"b{flow.PIVOT}", "c"),  # three under one approval, and no way back after the second
    "take_back": ("a", "b", REFUSED),  # the ledger refuses the third: both before it are taken back
}


async def entries(stage: Stage) -> str:
    """Make the entries of the scene."""
    values = {
        "operation": f"ledger.post_{stage.job.kind}",
        "refs": " ".join(ref(stage.job.tenant, name) for name in ENTRIES[stage.job.scene]),
    }
    return await stage.play(flow.NAME, values)


async def access(stage: Stage) -> str:
    """Access for a day, approved, and its end."""
    values = {"group": group(stage.job.tenant), "days": "1", "reason": "sweep"}
    return await _and_its_end(stage, ItAccess.name, values, it_access_end.NAME)


async def emergency(stage: Stage) -> str:
    """Emergency access, approved by two people, its end, and its review."""
    values = {"group": group(stage.job.tenant), "minutes": "1", "reason": "sweep"}
    return await _and_its_end(stage, BreakGlass.name, values, break_glass_end.NAME)


async def ticket(stage: Stage) -> str:
    """A trouble, told and confirmed by the same person."""
    return await stage.play(ServiceTicket.name, {"words": f"My VPN is down: {group(stage.job.tenant)}"})


async def _and_its_end(stage: Stage, workflow: str, values: Mapping[str, str], end: str) -> str:
    status = await stage.play(workflow, values)
    if status != "done":
        return status
    stage.tracer.phase = end
    ((ending),) = await stage.rows("SELECT id FROM run WHERE workflow = %s", end)
    async with stage.database.pool.connection() as conn:  # the time goes by, for this case alone
        await conn.execute(
            "INSERT INTO time_gone_by (tenant, shift) SELECT tenant, due_at - moment() FROM run"
            " WHERE id = %s AND status = 'scheduled' ON CONFLICT DO NOTHING",
            (ending["id"],),
        )
    return await stage.until_quiet(str(ending["id"]))


Scene = Callable[[Stage], Awaitable[str]]
SCENES: Mapping[str, tuple[Scene, tuple[str, ...], tuple[str, ...]]] = {  # what, its workflows, its kinds
    **dict.fromkeys(ENTRIES, (entries, (flow.NAME,), system.KINDS)),
    "it_access": (access, (ItAccess.name, it_access_end.NAME), ("findable",)),
    "break_glass": (emergency, (BreakGlass.name, break_glass_end.NAME), ("findable",)),
    "with_ticket": (access, (ItAccess.name, it_access_end.NAME), ("findable",)),
    "service_ticket": (ticket, (ServiceTicket.name,), ("findable",)),
}
COMPANY = {"it_access", "break_glass"}  # the scenes that are played over the directory
TRACKER = {"with_ticket", "service_ticket"}  # those over the directory and the ticket system


def ref(tenant: str, name: str) -> str:
    """The entry's reference, which no other case has."""
    return f"{tenant}-{name}"


def group(tenant: str) -> str:
    """The group that this case alone asks for."""
    return f"group-{tenant}"


async def _play(job: Job, tracer: Tracer) -> str:
    scene, _, _ = SCENES[job.scene]
    async with _open(job, tracer) as (stage, jobs):
        working = asyncio.create_task(jobs.work(stage.rounds))
        try:
            return await scene(stage)
        finally:
            working.cancel()
            await asyncio.wait([working])


@asynccontextmanager
async def _open(job: Job, tracer: Tracer) -> AsyncIterator[tuple[Stage, Jobs]]:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(job.home, None, tenant=job.tenant))
        database.book.open(Vault(Keys.parse(job.keys)))
        jobs = await stack.enter_async_context(Jobs.open(database))
        is_access = job.scene in COMPANY | TRACKER
        directory, registry, mint = await (_company(stack, job) if is_access else _ledger(stack, job))
        silent = Silent()
        runs = await stack.enter_async_context(
            Runs.open(
                pool=database.pool,
                saver_pool=database.saver_pool,
                workflows=workflows(job) if is_access else (flow.workflow(),),
                clock=DatabaseClock(),
                queue=jobs,
                notifier=silent,
                evidence=silent,
                directory=directory,
                registry=registry,
                mint=mint,
                policy=_policy() if is_access else system.policy(),
                seal=Seal(Keys.parse(job.keys), job.tenant),
            )
        )
        known = {
            name: await directory.person_by_email(f"{account}@larkfield.example")
            for name, account in (ACCOUNTS if is_access else NAMES).items()
        }
        quorum = {"break_glass": ("grace", "ben"), "service_ticket": ("ada",)}.get(job.scene, ("grace",))
        yield (
            Stage(
                runs=runs,
                database=database,
                tracer=tracer,
                requester=known["ada"],
                approvers=tuple(known[name] for name in quorum),
                reviewer=known.get("ines", known["grace"]),
                rounds=Rounds(runs=runs),
                job=job,
            ),
            jobs,
        )


def workflows(job: Job) -> tuple[Kind, ...]:
    """Return the workflows of the company, for the one group of a case."""
    tenant = job.tenant
    emergencies = break_glass.Rules(
        groups={group(tenant): break_glass.EmergencyGroup(approvers=("data-owners",))},
        clause=ClauseRef(document="it-access.md", anchor="emergency-access"),
        channel="C0ACCESS",
        alarm_channel="C0ALARMS",
        review_channel="C0REVIEWS",
        reviewers="people-team",
    )
    rules = Rules(
        channel="C0ACCESS",
        groups={group(tenant): RequestableGroup(approvers=("data-owners",), max_days=30)},
        clause=ClauseRef(document="it-access.md", anchor="temporary-access-to-data"),
        tickets=job.scene == "with_ticket",
    )
    troubles = service_ticket.Rules(
        channel="C0DESK", desk=("it",), clause=ClauseRef(document="it-access.md", anchor="questions")
    )
    return (
        kind(ItAccess(rules)),
        it_access_end.workflow(),
        kind(BreakGlass(emergencies)),
        break_glass_end.workflow(),
        kind(ServiceTicket(troubles)),
    )


def _policy() -> Policy:
    known = [*SHIPPED, *TicketSystem.operations]
    asked = {**PARAMETERS, **ServiceTicket.described}
    found = Policy.shipped(operations=known, parameters=asked)
    return replace(found, confirmable=frozenset({ServiceTicket.name}))


async def _company(stack: AsyncExitStack, job: Job) -> tuple[Directory, Registry, Mint]:
    connectors, mint = await stack.enter_async_context(connect(directory=job.directory, more=[job.tickets]))
    return connectors.directory, connectors.registry, mint


async def _ledger(stack: AsyncExitStack, job: Job) -> tuple[Directory, Registry, Mint]:
    client = await stack.enter_async_context(httpx.AsyncClient(base_url=job.ledger, timeout=10))
    mint = Mint()
    stack.callback(mint.retire)
    return system.People(), system.registry(client), mint
