"""The sweep: find the points of every scene, end a process at each, start it again, and ask the witness.

For each point a process is killed there; the next one is killed too, at a point of its recovery that chance
chooses; the one after that must bring the run to its end. How often each effect landed is asked of the
ledger's and the directory's own servers, which are processes of their own and count durably.
"""

import asyncio
import json
import multiprocessing
import os
import random
import secrets
import signal
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

import httpx
import psycopg

from bot.database import open_database, open_owner
from bot.storage.cluster import Cluster
from connectors.keys import Keys
from connectors.registry import DirectorySettings
from connectors.sandbox import process as sandbox
from connectors.tickets import TicketSystem
from connectors.tickets.connector import TicketSettings
from graphs.workflows.break_glass import end as break_glass_end
from graphs.workflows.it_access import end as it_access_end
from tests.contract.tracker import Row, Tracker, as_account
from tests.crash.sweep import scenes
from tests.crash.sweep.scenes import SCENES, Job
from tests.crash.sweep.trace import Mode
from tests.ledger import system

Verdict = Literal["once", "unknown", "duplicate", "lost", "unsteady"]
How = Literal["killed", "stopped", "full disk", "clock an hour off", "error after", "no answer after"]
PRELOADED = [  # so that a process starts in no time
    "tests.crash.sweep.sweep",
    "anyio._backends._asyncio",
    "connectors.directory.scim",
    "httpcore",
    "procrastinate.builtin_tasks",
    "procrastinate.worker",
]
AT_ONCE = 10  # cases; most of one is waiting for the queue to notice the dead


@dataclass(frozen=True, kw_only=True)
class Case:
    """One process ended in one way at one point of a scene, with one kind of operation."""

    scene: str
    kind: str
    how: How
    point: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a case."""

    case: Case
    verdict: Verdict
    again: str  # where the recovery was ended too; "" where it had come to its end
    seconds: float  # from the last start to the end of the run
    status: str
    landed: str
    detected: bool = False  # a duplicate that was raised
    reached: bool = True  # whether the process came by the point this time

    @property
    def holds(self) -> bool:
        """Whether it is as promised. A call on its way cannot be recalled; it has to be raised."""
        if self.verdict == "duplicate":
            return self.case.how == "stopped" and self.case.kind != "keyed" and self.detected
        return self.verdict in {"once", "unknown"}


@dataclass(kw_only=True)
class Bench:
    """The servers of a sweep, and the processes that it starts."""

    folder: Path
    ledger: str
    directory: DirectorySettings
    tickets: TicketSystem
    tracker: Tracker
    client: httpx.AsyncClient
    company: httpx.AsyncClient
    seed: int
    keys: str = field(default_factory=lambda: Keys.fresh().text())
    times: str = scenes.QUICK
    _numbers: "count[int]" = field(default_factory=count)
    _living: set[BaseProcess] = field(default_factory=set)
    _processes: Any = field(default_factory=lambda: multiprocessing.get_context("forkserver"))

    async def job(self, scene: str, kind: str) -> Job:
        """A case of its own: tenant, entries and group that no other has."""
        tenant = f"sweep-{secrets.token_hex(4)}"
        if scene in scenes.COMPANY | scenes.TRACKER:
            body = {
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
                "displayName": scenes.group(tenant),
            }
            (await self.company.post("/v2/Groups", json=body)).raise_for_status()
        return Job(
            home=self.folder / "home",
            tenant=tenant,
            ledger=self.ledger,
            directory=self.directory,
            tickets=self.tickets,
            scene=scene,
            kind=kind,
            out=self.folder / f"{next(self._numbers)}.json",
            keys=self.keys,
            times=self.times,
        )

    async def points(self, scene: str, kind: str) -> list[str]:
        """Play the scene to its end, and return the points that it passed."""
        job = await self.job(scene, kind)
        said = await self.ended(self.start(job))
        assert said is not None
        assert list((await self.landed(job)).values()) == EXPECTED[scene], (scene, kind, said["status"])
        return list(said["points"])

    def start(self, job: Job) -> tuple[BaseProcess, Job]:
        """Start a process that plays the job."""
        job.out.unlink(missing_ok=True)
        process = self._processes.Process(target=scenes.main, args=(job,))
        process.start()
        self._living.add(process)
        return process, job

    def end_all(self) -> None:
        """Kill what a sweep that was interrupted leaves."""
        while self._living:
            process = self._living.pop()
            process.kill()
            process.join()

    async def ended(self, started: tuple[BaseProcess, Job]) -> dict[str, Any] | None:
        """Wait until the process ends, and return what it said, or None when it was killed."""
        process, job = started
        await _over(process, scenes.PATIENCE + 30)
        self._living.discard(process)
        process.close()
        return json.loads(job.out.read_text()) if job.out.exists() else None

    async def landed(self, job: Job) -> dict[str, list[str]]:
        """Ask the witness which acts have landed, and how often."""
        if job.scene in scenes.COMPANY | scenes.TRACKER:
            log = (await self.company.get("/_sandbox/log")).json()["changes"]
            name = scenes.group(job.tenant)
            return {
                name: [one["change"] for one in log if one["group_name"] == name],
                "tickets": [
                    one for found in self.tracker.tickets() if name in found[1] for one in _written(found)
                ],
            }
        return {
            name: (await self.client.get(f"/log/{scenes.ref(job.tenant, name)}")).json()["landed"]
            for name in scenes.ENTRIES[job.scene]
        }

    async def try_(self, case: Case) -> Outcome:
        """Play one case to its end. Chance decides the same each time."""
        job, chance = await self.job(case.scene, case.kind), random.Random(f"{self.seed} {case}")
        skew = chance.choice((-3600, 3600)) if case.how == "clock an hour off" else 0
        mode: Mode = {"stopped": "stop", "full disk": "disk"}.get(case.how, "kill")  # type: ignore[assignment]
        if case.how in {"error after", "no answer after"}:
            await self._fault(job, case)
            first = self.start(job)
        else:
            first = self.start(replace(job, at=case.point, mode=mode, skew=skew))
        if mode == "stop":
            return await self._overtaken(case, first)
        said = await self.ended(first)
        if mode == "disk" or case.how in {"error after", "no answer after"}:
            return await self._judge(case, job, said, "")
        if said is not None:  # what happens at the same time happens in another order each time
            return replace(await self._judge(case, job, said, ""), reached=False)
        passes = chance.randint(1, 25)
        said = await self.ended(self.start(replace(job, at=passes, skew=skew)))
        again = "" if said is not None else f"after {passes} points"
        if said is None:
            said = await self.ended(self.start(replace(job, skew=skew)))
        return await self._judge(case, job, said, again)

    async def _fault(self, job: Job, case: Case) -> None:
        kind = {"error after": "error", "no answer after": "hang"}[case.how]
        path = f"/{job.kind}/{scenes.ref(job.tenant, 'a')}"
        body = {"act": case.point, "path": path, "kind": kind}
        (await self.client.put("/faults", json=body)).raise_for_status()

    async def _overtaken(self, case: Case, first: tuple[BaseProcess, Job]) -> Outcome:
        """Let a second worker finish what the stopped one was at, and then let that one go on."""
        process, job = first
        deadline = time.monotonic() + scenes.PATIENCE
        while process.is_alive() and not _is_stopped(process.pid):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        second = replace(job, out=job.out.with_suffix(".second"), at=None)
        said = await self.ended(self.start(second))
        if process.pid is not None and process.is_alive():
            os.kill(process.pid, signal.SIGCONT)
        await self.ended(first)
        return await self._judge(case, job, said, "")

    async def _judge(self, case: Case, job: Job, said: dict[str, Any] | None, again: str) -> Outcome:
        landed = await self.landed(job)
        status = "died" if said is None else str(said["status"])
        verdict = judged(case, status, landed)
        detected = verdict == "duplicate" and await self._raised(job)
        return Outcome(
            case=case,
            verdict=verdict,
            again=again,
            seconds=0.0 if said is None else float(said["seconds"]),
            status=status,
            landed=json.dumps(landed),
            detected=detected,
        )

    async def _raised(self, job: Job) -> bool:
        """Whether the record says that a call was answered too late."""
        async with (
            open_database(job.home, None, tenant=job.tenant) as database,
            database.pool.connection() as conn,
        ):
            cursor = await conn.execute("SELECT 1 FROM audit_event WHERE kind = 'effect.late'")
            return await cursor.fetchone() is not None


def judged(case: Case, status: str, landed: dict[str, list[str]]) -> Verdict:
    """Say what the witness's log means."""
    if any(len(acts) > len(set(acts)) for acts in landed.values()):
        return "duplicate"
    if status == "unknown" and case.kind == "blind":
        return "unknown"
    if status not in scenes.CLOSED:
        return "unsteady"
    return "once" if list(landed.values()) == EXPECTED[case.scene] else "lost"


def _written(ticket: Row) -> list[str]:
    """Say what was done with a ticket: a message each, and the status at the end."""
    _, _, status, _, messages = ticket
    return ["opened", *(f"written {place}" for place in range(1, len(messages.split(",")))), status]


EXPECTED: dict[str, list[list[str]]] = {
    "post": [["apply"]],
    "several": [["apply"], ["apply"], ["apply"]],
    "take_back": [["apply", "undo"], ["apply", "undo"], []],
    "it_access": [["added", "removed"], []],
    "break_glass": [["added", "removed"], []],
    "with_ticket": [["added", "removed"], ["opened", "written 1", "resolved"]],
    "service_ticket": [[], ["opened", "unread"]],
}


_CLOCKS = """
CREATE TABLE time_gone_by (tenant text PRIMARY KEY, shift interval NOT NULL);
GRANT SELECT, INSERT ON time_gone_by TO countersign_app;
CREATE OR REPLACE FUNCTION moment() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT date_trunc('milliseconds', clock_timestamp() + coalesce(
        (SELECT shift FROM time_gone_by WHERE tenant = current_setting('countersign.tenant', true)), '0'
    ))
$$
"""  # a clock for each case, which share a database


async def _over(process: BaseProcess, most: float) -> None:
    """Wait until a process has ended; one that does not is ended."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(process.sentinel, ended.set)
    try:
        async with asyncio.timeout(most):
            await ended.wait()
    except TimeoutError:
        process.kill()
    finally:
        loop.remove_reader(process.sentinel)
    process.join()


def _is_stopped(pid: int | None) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


@asynccontextmanager
async def opened(folder: Path, *, seed: int) -> AsyncIterator[Bench]:
    """Start the servers of a sweep."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(PRELOADED)
    (folder / "ledger").mkdir(parents=True)
    _make_room(folder / "home")
    async with (
        open_database(folder / "home", None),
        open_owner(folder / "home", None) as owner,
        system.running(folder / "ledger") as ledger,
        sandbox.directory(folder / "directory", faults=True) as company,
        sandbox.tickets(folder / "tickets") as tickets,
        httpx.AsyncClient(base_url=ledger, timeout=30) as client,
        httpx.AsyncClient(
            base_url=company.url.removesuffix("/v2"),
            headers={"Authorization": f"Bearer {company.token}"},
            timeout=30,
        ) as people,
    ):
        await owner.execute(_CLOCKS)
        yield Bench(
            tickets=TicketSystem(
                TicketSettings(url=tickets.url),
                {"tickets:read": tickets.read_token, "tickets:write": tickets.token},
            ),
            tracker=Tracker(
                running=tickets, state=folder / "tickets", http=as_account(tickets.url, tickets.token)
            ),
            folder=folder,
            ledger=ledger,
            directory=DirectorySettings(
                url=company.url,
                token=company.token,
                write_token=company.token,
                issuer="larkfield",
                timeout=10,
            ),
            client=client,
            company=people,
            seed=seed,
        )


def _make_room(home: Path) -> None:
    """Let so many processes connect at once, each with the pools of a whole bot."""
    home.mkdir()
    cluster = Cluster(home)
    cluster.prepare()
    cluster.ready()
    with (cluster.data / "postgresql.auto.conf").open("a") as settings:
        settings.write(f"max_connections = {30 * AT_ONCE}\n")


async def cases(bench: Bench) -> list[Case]:
    """Find every case, by tracing every scene with every kind of operation."""
    found = []
    for scene, (_, _, kinds) in SCENES.items():
        for kind in kinds:
            points = await bench.points(scene, kind)
            found += [Case(scene=scene, kind=kind, how="killed", point=point) for point in points]
            found += list(others(scene, kind, points))
    return found


def others(scene: str, kind: str, points: Sequence[str]) -> Iterable[Case]:
    commits = [point for point in points if ": before the commit of" in point]
    for point in commits:
        yield Case(scene=scene, kind=kind, how="full disk", point=point)
    if scene == "take_back":
        return
    for point in points:
        if "gate.Gate" in point or " the PUT of" in point or " the PATCH of" in point:
            yield Case(scene=scene, kind=kind, how="stopped", point=point)
            yield Case(scene=scene, kind=kind, how="clock an hour off", point=point)
    if scene == "post":
        yield Case(scene=scene, kind=kind, how="error after", point="apply")
        yield Case(scene=scene, kind=kind, how="no answer after", point="apply")


async def swept(bench: Bench, chosen: Iterable[Case]) -> AsyncIterator[Outcome]:
    """Try the cases, some at once, and yield what became of each."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(case: Case) -> Outcome:
        async with turn:
            try:
                return await bench.try_(case)
            except (AssertionError, OSError, ValueError, httpx.HTTPError, psycopg.Error) as error:
                return _untried(case, error)

    trying = [asyncio.ensure_future(one(case)) for case in chosen]
    try:
        for done in asyncio.as_completed(trying):
            yield await done
    finally:
        for task in trying:
            task.cancel()
        await asyncio.gather(*trying, return_exceptions=True)
        bench.end_all()


def _untried(case: Case, error: Exception) -> Outcome:
    """A case that could not be tried to its end counts as wrong, and keeps no other from being tried."""
    return Outcome(case=case, verdict="unsteady", again="", seconds=0.0, status=repr(error), landed="")


def workflow_of(case: Case) -> str:
    """The workflow that was at work at a case's point."""
    phase = case.point.partition(":")[0]
    return phase if phase in {it_access_end.NAME, break_glass_end.NAME} else case.scene
