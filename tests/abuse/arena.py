"""Where abuse is tried: real database, directory server and runs; the server's own log is the witness."""

import hashlib
import itertools
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from bot.database import Database, open_database, open_owner
from connectors.base import Mint
from connectors.directory import Membership, Person
from connectors.keys import Keys
from connectors.registry import Connectors, DirectorySettings, connect
from connectors.sandbox import company
from connectors.sandbox.process import Running
from graphs.audit import Vault
from graphs.flows import break_glass, break_glass_end, it_access, it_access_end
from graphs.flows.it_access import RequestableGroup
from graphs.kit import Workflow
from graphs.policy.engine import Policy
from graphs.records import Answered, Approval, Run, Verdict
from graphs.runs import Runs
from graphs.sealed import Seal
from tests.abuse import anything
from tests.scenario.desk import RULES, DatabaseClock, Desk

ADA, GRACE, BEN, TOMAS, JUN = (
    one.email for one in (company.ADA, company.GRACE, company.BEN, company.TOMAS, company.JUN)
)
TARGETS = 2_000  # requestable groups, so that every case has its own
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """One workflow that carries out one operation, and how a request for it is made."""

    name: str
    operation: str
    workflow: str
    for_others: bool  # whether somebody may ask for another person
    member_before: bool  # how the world is before: an operation that takes away needs something to take
    first: tuple[str, ...] = ()  # who has approved already when a case begins

    def values(self, target: str, person: str, *, days: int = 3) -> dict[str, str]:
        """Return what the requester fills in."""
        if self.workflow == it_access.NAME:
            return {"group": target, "days": str(days), "reason": "close the quarter"}
        if self.workflow == break_glass.NAME:
            return {"group": target, "minutes": "30", "reason": "the sensor cloud is down"}
        return {"target": target, "person": person, "days": str(days)}


def _membership(values: Mapping[str, str], person: Person) -> Membership:
    return Membership(group=values["target"], person=person.id)


# How each registered operation is tried. One without an entry here fails a test.
OPERATIONS: Mapping[str, tuple[anything.Payloads, bool]] = {
    "directory.add_to_group": (_membership, False),
    "directory.remove_from_group": (_membership, True),
}
# The product's workflows that people ask for, and the operation that each carries out.
WORKFLOWS: Mapping[str, str] = {it_access.NAME: it_access.OPERATION}


def scenes() -> list[Scene]:
    """Return every operation by itself, and every workflow of the product that uses one."""
    alone = [
        Scene(
            name=name,
            operation=name,
            workflow=f"any {name}",
            for_others=True,
            member_before=before,
        )
        for name, (_, before) in OPERATIONS.items()
    ]
    used = [
        Scene(
            name=f"{name} in {workflow}",
            operation=name,
            workflow=workflow,
            for_others=False,
            member_before=OPERATIONS[name][1],
        )
        for workflow, name in WORKFLOWS.items()
    ]
    return [*alone, *used]


def workflows() -> Iterator[Workflow]:
    """Return the workflows of all scenes."""
    groups = {
        _target(number): RequestableGroup(approvers=(anything.APPROVERS,), max_days=30)
        for number in range(TARGETS)
    }
    yield it_access.workflow(replace(RULES, groups=groups))
    yield it_access_end.workflow()
    emergencies = {
        name: break_glass.EmergencyGroup(approvers=group.approvers) for name, group in groups.items()
    }
    yield break_glass.workflow(
        break_glass.Rules(
            groups=emergencies,
            clause_document=RULES.clause_document,
            clause_anchor=RULES.clause_anchor,
            reviewers="people-team",
        )
    )
    yield break_glass_end.workflow()
    for name, (payload, _) in OPERATIONS.items():
        yield anything.workflow(f"any {name}", name, payload)


def _target(number: int) -> str:
    return f"abused-{number}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A request that waits for its approval."""

    run: str
    card: str
    target: str


@dataclass(kw_only=True)
class Arena:
    """One set of runs under attack, and what an administrator and an attacker can do around it."""

    runs: Runs
    desk: Desk
    database: Database
    admin: AsyncConnection[TupleRow]  # of the database's owner
    home: Path
    connectors: Connectors
    mint: Mint
    scim: httpx.AsyncClient
    scene: Scene
    errors: list[BaseException] = field(default_factory=list)
    watched: set[str] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _since: int = 0

    # a case

    async def begin(self, scene: Scene) -> None:
        """Make the world as it was, and look at what happens from now on."""
        self.scene = scene
        self.errors.clear()
        self.watched.clear()
        self.desk.waiting.clear()
        self.desk.cards.clear()
        self.desk.missing, self.desk.text = False, Desk().text
        await self.owner("UPDATE clock SET shift = interval '0'")
        await self.owner("DELETE FROM authority_level")
        await self.faults()
        for email in (ADA, GRACE, BEN, TOMAS):
            if not (await self.person(email)).active:
                await self.activate(email, True)
        if set((await self.group(anything.APPROVERS))["members_ids"]) != {_id(GRACE), _id(BEN)}:
            await self.members(anything.APPROVERS, GRACE, BEN)
        self._since = len(await self.log())

    async def landed(self) -> int:
        """How many changes the server has logged of what this case may touch, since it began."""
        new = (await self.log())[self._since :]
        self._since += len(new)
        return len([one for one in new if one["group_name"] in self.watched])

    async def skip(self) -> None:
        """Look past what an administrator has just changed."""
        self._since = len(await self.log())

    async def log(self) -> list[dict[str, Any]]:
        """Return the server's own record."""
        answer = await self.scim.get("/_sandbox/log")
        changes: list[dict[str, Any]] = answer.raise_for_status().json()["changes"]
        return changes

    # the honest way

    async def ask(
        self, *, who: str = ADA, person: str | None = None, days: int = 3, target: str | None = None
    ) -> Asked:
        """Ask, and wait for the card."""
        person = person if person is not None and self.scene.for_others else who
        target = target or await self.target(person)
        run = await self.start(who, self.scene.values(target, person, days=days))
        await self.work()
        (approval,) = await self.approvals(run)
        for first in self.scene.first:
            assert await self.click(approval.id, first) is Answered.RECORDED
        return Asked(run=run, card=approval.id, target=target)

    async def start(self, who: str, values: Mapping[str, str]) -> str:
        """Begin a run."""
        return await self.runs.start(
            workflow=self.scene.workflow,
            values=values,
            requester=await self.person(who),
            origin={"channel": "C1", "thread_ts": "1.1", "user": "U1"},
            key=secrets.token_hex(8),
        )

    async def target(self, person: str) -> str:
        """Make a group that nothing has touched; where the operation takes away, the person is in it."""
        name = _target(next(self._numbers))
        found = await self.person(person)
        members = [{"value": found.id}] if self.scene.member_before else []
        body = {"schemas": [GROUP], "displayName": name, "members": members}
        (await self.scim.post("/v2/Groups", json=body)).raise_for_status()
        self._since += len(members)  # the log has that change too
        self.watched.add(name)
        return name

    async def click(
        self, card: str, who: str | Person, verdict: Verdict = Verdict.APPROVE, reason: str | None = None
    ) -> Answered | None:
        """Click on a card as the person is at this moment; None where it could not be taken at all."""
        person = await self.person(who) if isinstance(who, str) else who
        try:
            return await self.runs.decide(card, verdict, by=person, reason=reason)
        except Exception as error:  # what goes wrong is looked at by the case
            self.errors.append(error)
            return None

    async def work(self) -> None:
        """Do the jobs that wait; one that fails is kept in `errors`, as the queue would log it."""
        while self.desk.waiting:
            run = self.desk.waiting.pop(0)
            try:
                await self.runs.advance(run)
            except Exception as error:  # likewise
                self.errors.append(error)

    async def later(self, span: timedelta) -> None:
        """Move the clock, and do what has become due."""
        await self.owner("UPDATE clock SET shift = shift + %s", span)
        await self.runs.sweep()
        await self.work()

    async def until(self, moment: Any) -> None:
        """Move the clock to just after a moment."""
        await self.owner(
            "UPDATE clock SET shift = %s::timestamptz - clock_timestamp() + interval '1 ms'", moment
        )

    # what is there

    async def person(self, email: str) -> Person:
        return await self.connectors.directory.person_by_email(email)

    async def approvals(self, run: str) -> list[Approval]:
        """Return the approvals of a run, oldest first."""
        rows = await self.rows("SELECT id FROM approval WHERE run = %s ORDER BY round", run)
        found = [await self.runs.approval(row[0]) for row in rows]
        return [one for one in found if one is not None]

    async def run(self, asked: Asked) -> Run:
        return await self.runs.run(asked.run)

    async def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return await (await self.admin.execute(query.encode(), values)).fetchall()

    # what an administrator or an attacker does

    async def owner(self, query: str, *values: object) -> None:
        """Write to the database as its owner."""
        await self.admin.execute(query.encode(), values)

    async def faults(self, *kinds: Mapping[str, Any]) -> None:
        """Give the directory these bad days, and no others."""
        (await self.scim.delete("/_sandbox/faults")).raise_for_status()
        for kind in kinds:
            (await self.scim.post("/_sandbox/faults", json=dict(kind))).raise_for_status()

    async def set_level(self, level: int) -> None:
        """Write the level of the scene's operation, as people do."""
        async with self.database.pool.connection() as conn:
            cursor = await conn.execute("SELECT current_setting('countersign.tenant') AS tenant")
            row = await cursor.fetchone()
        assert row is not None
        await self.owner(
            "INSERT INTO authority_level (tenant, operation, level) VALUES (%s, %s, %s)"
            " ON CONFLICT (tenant, operation) DO UPDATE SET level = excluded.level",
            row["tenant"],
            self.scene.operation,
            level,
        )

    async def activate(self, email: str, active: bool) -> None:
        body = {
            "schemas": [PATCH],
            "Operations": [{"op": "replace", "path": "active", "value": active}],
        }
        (await self.scim.patch(f"/v2/Users/{_id(email)}", json=body)).raise_for_status()

    async def group(self, name: str) -> dict[str, Any]:
        query = {"filter": f'displayName eq "{name}"'}
        (found,) = (await self.scim.get("/v2/Groups", params=query)).json()["Resources"]
        return {**found, "members_ids": [one["value"] for one in found.get("members", ())]}

    async def members(self, name: str, *people: str) -> None:
        """Say who is in a group."""
        body = {"schemas": [GROUP], "displayName": name, "members": [{"value": _id(one)} for one in people]}
        (await self.scim.put(f"/v2/Groups/{(await self.group(name))['id']}", json=body)).raise_for_status()

    async def make_anew(self, name: str, *people: str) -> None:
        """Delete a group and make another one of its name."""
        (await self.scim.delete(f"/v2/Groups/{(await self.group(name))['id']}")).raise_for_status()
        body = {"schemas": [GROUP], "displayName": name, "members": [{"value": _id(one)} for one in people]}
        (await self.scim.post("/v2/Groups", json=body)).raise_for_status()


def _id(email: str) -> str:
    return company.record_id("User", email.partition("@")[0])


@asynccontextmanager
async def opened(home: Path, server: Running, *, policy: Policy | None = None) -> AsyncIterator[Arena]:
    """Open an arena over the database of a home and a directory server with faults."""
    desk = Desk()
    settings = DirectorySettings(
        url=server.url, token=server.read_token, write_token=server.token, issuer="larkfield", timeout=5
    )
    headers = {"Authorization": f"Bearer {server.token}", "Content-Type": "application/scim+json"}
    tenant = f"abuse-{secrets.token_hex(6)}"
    async with (
        open_database(home, None, tenant=tenant) as database,
        open_owner(home, None) as admin,
        connect(directory=settings) as (connectors, mint),
        httpx.AsyncClient(base_url=server.url.removesuffix("/v2"), headers=headers, trust_env=False) as scim,
        Runs.open(
            pool=database.pool,
            saver_pool=database.saver_pool,
            workflows=tuple(workflows()),
            clock=DatabaseClock(),
            queue=desk,
            notifier=desk,
            evidence=desk,
            directory=connectors.directory,
            registry=connectors.registry,
            mint=mint,
            policy=policy or Policy.shipped(),
            seal=Seal(Keys.fresh(), tenant),
        ) as runs,
    ):
        database.book.open(Vault(Keys.fresh()))
        yield Arena(
            runs=runs,
            desk=desk,
            database=database,
            admin=admin,
            home=home,
            connectors=connectors,
            mint=mint,
            scim=scim,
            scene=scenes()[0],
        )


Abuse = Callable[[Arena], Awaitable[int]]  # does it, and returns how many effects were rightful


def seed(*names: str) -> int:
    """Return a number that these names always give."""
    return int.from_bytes(hashlib.sha256(" ".join(names).encode()).digest()[:4])
