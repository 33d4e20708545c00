"""Make the kept home anew with the code as it is: `PYTHONPATH=. python -m tests.data.make_kept`.

A home is made once for a release, by that release's own code, and stays as it is: what later code makes of it
is what `tests/scenario/test_upgrade.py` looks at. Requests get into their states as they do in an
installation: people ask and decide, the clock moves, servers go away, and workers are killed.
"""

import asyncio
import json
import lzma
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx

from bot.database import open_owner
from bot.storage.cluster import program
from bot.storage.embedded import Embedded
from connectors.directory import AddToGroup, Membership
from connectors.keys import Keys
from connectors.registry import DirectorySettings, connect
from connectors.sandbox import company, process
from connectors.sandbox.process import Running
from graphs import delegations, drive, reviews
from graphs.records import Answered, Finding, Resolution, Verdict
from tests.data import kept_home
from tests.data.kept_states import STATES, of
from tests.ledger import system
from tests.scenario.desk import Desk, Office

ADA, GRACE, BEN = "ada.okafor", "grace.lindqvist", "ben.castellanos"
INES, TOMAS = "ines.moreau", "tomas.varga"
BEFORE = Desk(text="A data owner approves access to data.", serves="e0")  # the clause, before it changed

# What a worker is in the middle of when it is killed: whose method, which, and whether that has been done.
CUTS = {
    "cut-before-decided": (Desk, "progress", False),
    "cut-before-intent": (AddToGroup, "preview", False),
    "cut-before-call": (AddToGroup, "apply", False),
    "cut-after-call": (AddToGroup, "apply", True),
    "cut-before-confirmed": (AddToGroup, "find", False),
    "end-cut-before-call-end": (AddToGroup, "undo", False),
    "end-cut-after-call-end": (AddToGroup, "undo", True),
    "keyed-cut-before-call": (system.Post, "apply", False),
    "keyed-cut-after-call": (system.Post, "apply", True),
    "findable-cut-before-call": (system.Post, "apply", False),
    "findable-cut-after-call": (system.Post, "apply", True),
    "blind-cut-after-call": (system.Post, "apply", True),
}


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where everything is, as a process of its own can be told."""

    home: Path
    directory: DirectorySettings
    ledger: str
    record: str = field(repr=False)
    checkpoints: str = field(repr=False)

    @asynccontextmanager
    async def open(self, name: str, desk: Desk | None = None) -> AsyncIterator[Office]:
        """Open the office to which a request belongs."""
        keys = {"record": Keys.parse(self.record), "checkpoints": Keys.parse(self.checkpoints)}
        async with connect(directory=self.directory) as (connectors, mint):
            if name in kept_home.LEDGER_KINDS:
                async with kept_home.open_ledger(self.home, self.ledger, mint, **keys) as office:
                    yield office
            else:
                async with kept_home.open_access(self.home, connectors, mint, **keys, desk=desk) as office:
                    yield office


def killed(place: Place, name: str, run: str) -> None:
    """Work on a run, in a process of its own, until it is killed at its cut."""
    owner, method, after = CUTS[name]
    real = getattr(owner, method)

    async def cut(self: Any, *args: Any, **kwargs: Any) -> None:
        if after:
            await real(self, *args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    async def work() -> None:
        async with place.open(name) as office:
            await office.runs.advance(run)

    setattr(owner, method, cut)
    asyncio.run(work())


@dataclass(kw_only=True)
class Making:
    """The home as it comes to be."""

    place: Place
    server: Running
    runs: dict[str, str] = field(default_factory=dict)

    async def make(self) -> None:
        """Bring every request into its state: first what takes time, last what would be over soonest."""
        for name in (*kept_home.ACCESS, *kept_home.EMERGENCIES):
            await self.scim("POST", "/Groups", {"schemas": [GROUP], "displayName": name})
        await self.days_ago()
        await self.clause_changes()
        await self.emergencies_end()
        await self.people_are_asked()
        await self.ledger_waits()
        await self.at_work()
        await self.ledger_at_work()

    async def days_ago(self) -> None:
        """What was granted and has ended, or should have; what nobody decided; what was denied."""
        async with self.place.open("") as office:
            for name in ("done", "end-retrying", "end-dead", "end-cut-before-call", "end-cut-after-call"):
                await self.grant(office, name, days="9")
            await self.ask(office, "expired")
            await self.ask(office, "denied")
            card = await office.pending(self.runs["denied"])
            assert await office.click(card.id, GRACE, Verdict.DENY, "not now") is Answered.RECORDED
            await self.approve(office, "dead")
        await self.dies("dead")
        await self.shift(timedelta(days=9, hours=1))
        async with self.place.open("") as office:
            await office.runs.advance(self.runs["done-end"])
            await office.runs.advance(self.runs["expired"])
        await self.dies("end-dead-end")
        await self.cut("end-cut-before-call-end")
        await self.cut("end-cut-after-call-end")

    async def clause_changes(self) -> None:
        """Two wait while their clause changes; one has been planned anew, of the other the job waits.

        The sweep also brings that the checkpoints of what was over long ago are forgotten.
        """
        async with self.place.open("", BEFORE) as office:
            await self.ask(office, "replaced")
            await self.ask(office, "void")
            office.desk.text, office.desk.serves = Desk.text, Desk.serves
            await office.runs.sweep()
            assert {self.runs["replaced"], self.runs["void"]} <= set(office.desk.waiting)
            for run in set(office.desk.waiting):
                if run == self.runs["replaced"] or not (await office.runs.run(run)).status.is_open:
                    await office.runs.advance(run)

    async def emergencies_end(self) -> None:
        """Two emergencies are over; of one the access has ended, and the review is asked for."""
        async with self.place.open("") as office:
            for name in ("emergency-end-retrying", "emergency-reviewed-next", "emergency-signed"):
                await self.ask(office, name, minutes="15")
                await self.both_approve(office, name)
        await self.shift(timedelta(minutes=16))
        async with self.place.open("") as office:
            await office.runs.advance(self.runs["emergency-signed-end"])
            async with office.database.pool.connection() as conn:
                (review,) = await reviews.waiting(conn)
            ines = await office.person(INES)
            assert await office.runs.review(review.id, Finding.IN_ORDER, by=ines) is Answered.RECORDED
            await office.runs.advance(self.runs["emergency-reviewed-next-end"])

    async def people_are_asked(self) -> None:
        """What waits for somebody, and what was granted and goes on."""
        async with self.place.open("") as office:
            await self.grant(office, "granted", days="7")
            await self.ask(office, "emergency-granted", minutes="60")
            await self.both_approve(office, "emergency-granted")
            await self.ask(office, "emergency-one-of-two", minutes="30")
            await office.click((await office.pending(self.runs["emergency-one-of-two"])).id, GRACE)
            for name in ("waiting", "one-of-two", "widened", "narrowed"):
                await self.ask(office, name)
            await office.click((await office.pending(self.runs["one-of-two"])).id, BEN)
            await self.edit(office, "widened", days="12")
            await self.edit(office, "narrowed", days="2")
            await self.start(office, "form", {"group": "form"})
            await self.start(office, "filled", {"group": "filled"})
            await office.work()
            values = {"days": "3", "reason": "close the quarter"}
            assert not await office.runs.submit(self.runs["filled"], values, by=await office.person(ADA))
            await self.start(office, "started", {"group": "started", **values})
            async with office.database.pool.connection() as conn:
                cursor = await conn.execute("SELECT (moment() AT TIME ZONE 'UTC')::date AS day")
                row = await cursor.fetchone()
                assert row is not None
                await delegations.delegate(
                    conn,
                    holder=await office.person(GRACE),
                    stand_in=await office.person(TOMAS),
                    last_day=row["day"] + timedelta(days=20),
                    by="Grace Lindqvist",
                )

    async def ledger_waits(self) -> None:
        """Entries of which people have to say what happened."""
        async with self.place.open("blind-in-doubt") as office:
            for name in ("blind-in-doubt", "blind-to-take-back", "blind-answered"):
                await self.enter(office, name)
                await self.ledger_fault("apply", name, "a", "error")
                await office.click((await office.pending(self.runs[name])).id, "grace")
            grace, doubt = await office.person("grace"), office.desk.doubts[-1]
            assert await office.runs.resolve(doubt, Resolution.HAPPENED, by=grace) is Answered.RECORDED
            office.desk.waiting.clear()

    async def at_work(self) -> None:
        """What was approved, and how far the work on it has come; ends that the directory keeps back."""
        async with self.place.open("") as office:
            await self.fail(office)
            for name in kept_home.ACCESS:
                if name.startswith("cut-") or name in {"approved", "retrying"}:
                    await self.approve(office, name)
            await self.ask(office, "denied-next")
            await self.decide(office, "denied-next", BEN, Verdict.DENY)
            ada = await office.person(ADA)
            await self.start(office, "retrying-check", {**WANTED, "group": "retrying-check"}, requester=ada)
        for name in kept_home.ACCESS:
            if name.startswith("cut-"):
                await self.cut(name)
        for name in ("retrying", "end-retrying-end", "emergency-end-retrying-end", "retrying-check"):
            async with self.place.open("") as office, self.away("any" if "check" in name else "write"):
                await office.runs.advance(self.runs[name])
        async with self.place.open("") as office:
            await self.find_end(office, "cut-before-confirmed")

    async def ledger_at_work(self) -> None:
        """Entries that are being made."""
        async with self.place.open("blind-in-doubt") as office:
            for name in kept_home.LEDGER_KINDS:
                if name in CUTS:
                    await self.enter(office, name)
                    await self.decide(office, name, "grace")
        for name in kept_home.LEDGER_KINDS:
            if name in CUTS:
                await self.cut(name)

    async def start(
        self, office: Office, name: str, values: Mapping[str, str], *, workflow: str = "it_access", **by: Any
    ) -> None:
        """Begin a request of a name."""
        self.runs[name] = await office.runs.start(
            workflow=workflow,
            values=values,
            requester=by.get("requester") or await office.person(ADA),
            origin={"channel": "C1", "thread_ts": "1.1", "user": "U1"},
            key=f"kept {name}",
        )

    async def ask(self, office: Office, name: str, **changes: str) -> None:
        """Have Ada ask for the group of that name, as far as it goes by itself."""
        workflow = "break_glass" if name in kept_home.EMERGENCIES else "it_access"
        await self.start(office, name, {**WANTED, "group": name, **changes}, workflow=workflow)
        await office.runs.advance(self.runs[name])
        office.desk.waiting.clear()

    async def enter(self, office: Office, name: str, entries: str = "a") -> None:
        """Have Ada ask for entries in the ledger, each of them a letter."""
        operation = f"ledger.post_{kept_home.LEDGER_KINDS[name]}"
        refs = " ".join(f"{name}-{entry}" for entry in entries)
        ada = await office.person("ada")
        values = {"operation": operation, "refs": refs}
        await self.start(office, name, values, workflow="ledger", requester=ada)
        await office.work()

    async def decide(self, office: Office, name: str, who: str, verdict: Verdict = Verdict.APPROVE) -> None:
        """Have somebody decide, and leave what follows to be done."""
        card = await office.pending(self.runs[name])
        reason = "one is enough" if verdict is Verdict.DENY else None
        answered = await office.runs.decide(card.id, verdict, by=await office.person(who), reason=reason)
        assert answered is Answered.RECORDED
        office.desk.waiting.clear()

    async def approve(self, office: Office, name: str) -> None:
        """Ask, and have it approved; the work on it is left to be done."""
        await self.ask(office, name)
        await self.decide(office, name, GRACE)

    async def grant(self, office: Office, name: str, *, days: str) -> None:
        """Have access granted."""
        await self.ask(office, name, days=days)
        await self.decide(office, name, GRACE)
        await office.runs.advance(self.runs[name])
        await self.find_end(office, name)

    async def both_approve(self, office: Office, name: str) -> None:
        """Have the two who may approve an emergency, and the access granted."""
        for who in (GRACE, BEN):
            await self.decide(office, name, who)
        await office.runs.advance(self.runs[name])
        await self.find_end(office, name)

    async def find_end(self, office: Office, name: str) -> None:
        """Learn which run ends what a run has granted."""
        async with office.database.pool.connection() as conn:
            cursor = await conn.execute(
                "SELECT ending.id FROM run AS ending JOIN effect ON ending.key = 'end ' || effect.id"
                " WHERE effect.run = %s",
                (self.runs[name],),
            )
            row = await cursor.fetchone()
        assert row is not None
        self.runs[f"{name}-end"] = row["id"]

    async def edit(self, office: Office, name: str, **values: str) -> None:
        """Have Grace change what is asked for."""
        card = await office.pending(self.runs[name])
        answered, problems = await office.runs.edit(card.id, values, by=await office.person(GRACE))
        assert (answered, problems) == (Answered.RECORDED, {})
        await office.work()

    async def fail(self, office: Office) -> None:
        """Have somebody taken out of the group in the moment in which they were put into it."""
        real = AddToGroup.apply

        async def apply(operation: AddToGroup, data: Membership, key: str) -> Any:
            added = await real(operation, data, key)
            remove = {"op": "remove", "path": f'members[value eq "{company.ADA.id}"]'}
            await self.scim("PATCH", f"/Groups/{data.group_id}", {"schemas": [PATCH], "Operations": [remove]})
            return added

        with patch.object(AddToGroup, "apply", apply):
            await self.grant(office, "failed", days="1")

    async def dies(self, name: str) -> None:
        """Have a run tried so often in vain that it is given up."""
        async with self.away("write"):
            for _ in range(drive.MOST):
                async with self.place.open("") as office:
                    await office.runs.advance(self.runs[name])
                await self.shift(timedelta(minutes=1))

    async def cut(self, name: str) -> None:
        """Have the worker of a run killed."""
        worker = multiprocessing.get_context("spawn").Process(
            target=killed, args=(self.place, name, self.runs[name])
        )
        worker.start()
        await asyncio.to_thread(worker.join)
        assert worker.exitcode == -signal.SIGKILL, f"{name} was not cut: {worker.exitcode}"

    async def shift(self, span: timedelta) -> None:
        """Move the clock, and do nothing of what has become due."""
        async with open_owner(self.place.home, None) as conn:
            await conn.execute("UPDATE clock SET shift = shift + %s", (span,))

    async def scim(self, method: str, path: str, body: Any, *, below: str = "/v2") -> None:
        """Tell the directory server something as its administrator."""
        url = f"{self.server.url.removesuffix('/v2')}{below}{path}"
        headers = {"Authorization": f"Bearer {self.server.token}"}
        async with httpx.AsyncClient(headers=headers, timeout=30, trust_env=False, verify=False) as http:
            (await http.request(method, url, json=body)).raise_for_status()

    @asynccontextmanager
    async def away(self, on: str) -> AsyncIterator[None]:
        """Have the directory server away for this long: for everything, or for those who write."""
        await self.scim("POST", "/faults", {"kind": "down", "on": on, "times": 0}, below="/_sandbox")
        try:
            yield
        finally:
            await self.scim("DELETE", "/faults", None, below="/_sandbox")

    async def ledger_fault(self, act: str, name: str, entry: str, fault: str) -> None:
        """Order a bad day for an entry."""
        path = f"/{kept_home.LEDGER_KINDS[name]}/{name}-{entry}"
        async with httpx.AsyncClient(base_url=self.place.ledger, trust_env=False) as http:
            body = {"act": act, "path": path, "kind": fault}
            (await http.put("/faults", json=body)).raise_for_status()

    async def look(self) -> dict[str, dict[str, str]]:
        """Return how every run stands, and make sure that it is as its name says."""
        found: dict[str, dict[str, str]] = {}
        for one in ("", "blind-in-doubt"):
            async with self.place.open(one) as office:
                for name, run in self.runs.items():
                    if (name in kept_home.LEDGER_KINDS) == bool(one):
                        found[name] = {"id": run, "state": await of(office, run)}
        wrong = {name: one["state"] for name, one in found.items() if one["state"] != STATES.get(name)}
        assert not wrong, wrong
        assert found.keys() == STATES.keys()
        return found


WANTED = {"days": "3", "reason": "close the quarter"}
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


async def _now(home: Path) -> datetime:
    async with open_owner(home, None) as conn:
        row = await (await conn.execute("SELECT moment()")).fetchone()
    assert row is not None
    now: datetime = row[0]
    return now


async def _keys_of_entries(home: Path) -> dict[tuple[str, str], str]:
    async with open_owner(home, None) as conn:
        cursor = await conn.execute(
            "SELECT act, payload->>'ref', key FROM effect WHERE tenant = %s", (kept_home.LEDGER_TENANT,)
        )
        return {(act, ref): key for act, ref, key in await cursor.fetchall()}


async def _entries(home: Path, log: Path) -> list[dict[str, str]]:
    """Return what has landed in the ledger, with the key under which it was sent."""
    keys = await _keys_of_entries(home)
    landed = [line.split() for line in log.read_text().splitlines()]
    return [{"act": act, "path": path, "key": keys[act, Path(path).name]} for act, path in landed]


async def main() -> None:
    """Make it, and put it into the folder."""
    record, checkpoints = Keys.fresh().text(), Keys.fresh().text()
    with tempfile.TemporaryDirectory() as folder:
        home, state, ledger = (Path(folder, name) for name in ("home", "directory", "ledger"))
        ledger.mkdir()
        async with Embedded(home) as owner:
            async with process.directory(state, faults=True) as server, system.running(ledger) as url:
                place = Place(
                    home=home,
                    directory=kept_home.settings(server),
                    ledger=url,
                    record=record,
                    checkpoints=checkpoints,
                )
                making = Making(place=place, server=server)
                await making.make()
                runs = await making.look()
            at = await _now(home)
            command = [program("pg_dump"), "--no-owner", "--dbname", owner]
            dump = (await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)).stdout
            entries = await _entries(home, ledger / "landed.log")
        with closing(sqlite3.connect(state / "directory.sqlite")) as db:
            directory = "\n".join(db.iterdump()) + "\n"
    code = ["git", "log", "-1", "--format=%H", "--", "bot", "graphs", "connectors", "tests/ledger"]
    revision = subprocess.run(code, check=True, capture_output=True, text=True)
    told = {"revision": revision.stdout.strip(), "at": at.isoformat(), "runs": runs}
    kept_home.FOLDER.mkdir(exist_ok=True)
    (kept_home.FOLDER / kept_home.DATABASE).write_bytes(lzma.compress(dump, preset=9))
    (kept_home.FOLDER / kept_home.DIRECTORY).write_text(directory)
    (kept_home.FOLDER / kept_home.LEDGER).write_text(json.dumps(entries, indent=1) + "\n")
    (kept_home.FOLDER / kept_home.KEYS).write_text(
        json.dumps({"record": record, "checkpoints": checkpoints}, indent=1) + "\n"
    )
    (kept_home.FOLDER / kept_home.RUNS).write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
