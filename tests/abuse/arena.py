"""Where abuse is tried: real database, directory server and runs; the server's own log is the witness."""

import itertools
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from bot.database import Database
from connectors.base import Mint
from connectors.directory import Person
from connectors.registry import Connectors
from connectors.sandbox import company
from graphs import delegations
from graphs.delegations import NotDelegable
from graphs.records import Answered, Approval, Run, Verdict
from graphs.runs import Runs
from tests.abuse.anything import APPROVERS
from tests.abuse.scenes import Scene, target
from tests.scenario.desk import Desk

if TYPE_CHECKING:
    from tests.abuse.front import Front

ADA, GRACE, BEN, TOMAS, JUN = (
    one.email for one in (company.ADA, company.GRACE, company.BEN, company.TOMAS, company.JUN)
)
ADMINISTRATOR = "administrator"  # what the server hears from whoever changes it by hand
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


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
    tenant: str
    slack: "Callable[[], Awaitable[Front]]"  # opened for the first abuse that comes through it
    errors: list[BaseException] = field(default_factory=list)
    founded: list[str] = field(default_factory=list)  # groups that a case has made, to be deleted at its end
    watched: dict[str, str] = field(default_factory=dict)  # the groups that a case may touch, with their ids
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _since: int = 0  # the change at the server up to which we have looked
    _upset: set[str] = field(default_factory=set)  # what in the directory is not as it was

    # a case

    async def begin(self, scene: Scene) -> None:
        """Make the world as it was, and look at what happens from now on."""
        self.scene = scene
        self.errors.clear()
        self.desk.waiting.clear()
        self.desk.cards.clear()
        self.desk.missing, self.desk.text = False, Desk().text
        for statement in _PAST:
            await self.owner(statement, self.tenant)
        await self.owner("UPDATE clock SET shift = interval '0' WHERE shift <> interval '0'")
        await self._put_right()
        for known in self.watched.values():
            await self.scim.delete(f"/v2/Groups/{known}")  # gone already where a case has made it anew
        self.watched.clear()
        await self.skip()

    async def _put_right(self) -> None:
        """Undo what administrators have done in the directory."""
        if "faults" in self._upset:
            await self.faults()
        for email in (ADA, GRACE, BEN, TOMAS):
            if email in self._upset:
                await self.activate(email, True)
        if APPROVERS in self._upset:
            await self.members(APPROVERS, GRACE, BEN)
            await self.runs.groups.resolve(APPROVERS, by=ADMINISTRATOR)  # a case may have made it anew
        self._upset.clear()

    async def landed(self) -> int:
        """How many changes the server has logged of what this case may touch, since it was asked last."""
        return len(await self.changes())

    async def changes(self) -> list[dict[str, Any]]:
        """Return those changes."""
        return [one for one in await self._log() if one["group_name"] in self.watched]

    async def skip(self) -> None:
        """Look past what an administrator has just changed."""
        await self._log()

    async def _log(self) -> list[dict[str, Any]]:
        """Return what is new in the server's own record."""
        answer = await self.scim.get(f"/_sandbox/log?after={self._since}")
        changes: list[dict[str, Any]] = answer.raise_for_status().json()["changes"]
        if changes:
            self._since = changes[-1]["seq"]
        return changes

    async def written(self) -> int:
        """How many requests to write the server has had, besides the administrator's."""
        answer = (await self.scim.get("/_sandbox/writes")).raise_for_status().json()
        return sum(one["by"] != ADMINISTRATOR for one in answer["writes"])

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
        name = target(next(self._numbers))
        found = await self.person(person) if self.scene.member_before else None
        members = [{"value": found.id}] if found else []
        self.watched[name] = await self._make(name, members)
        await self.runs.groups.resolve(name, by=ADMINISTRATOR)  # an earlier case had another one of that name
        self._since += len(members)  # the log has that change too
        return name

    async def _make(self, name: str, members: list[dict[str, str]]) -> str:
        body = {"schemas": [GROUP], "displayName": name, "members": members}
        made = (await self.scim.post("/v2/Groups", json=body)).raise_for_status()
        return str(made.json()["id"])

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

    async def edit(self, card: str, who: str | Person, **values: str) -> Answered | None:
        """Change what is asked for on a card; None where it could not be taken at all."""
        person = await self.person(who) if isinstance(who, str) else who
        try:
            answered, _ = await self.runs.edit(card, values, by=person)
        except Exception as error:  # likewise
            self.errors.append(error)
            return None
        return answered

    async def delegate(self, holder: str, stand_in: str, *, days: int = 1) -> str | None:
        """Let one decide for the other; return the delegation, or None where that is refused."""
        people = [await self.person(who) for who in (holder, stand_in)]
        last_day = await self.today() + timedelta(days=days)
        try:
            async with self.database.pool.connection() as conn:
                made = await delegations.delegate(
                    conn, holder=people[0], stand_in=people[1], last_day=last_day, by="an abuse"
                )
        except NotDelegable:
            return None
        return made.id

    async def call_back(self, delegation: str) -> None:
        """End a delegation before its time."""
        async with self.database.pool.connection() as conn:
            await delegations.end(conn, delegation, by="an abuse")

    async def today(self) -> date:
        ((day,),) = await self.rows("SELECT (moment() AT TIME ZONE 'UTC')::date")
        found: date = day
        return found

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

    async def newest_card(self, run: str) -> str:
        rows = await self.rows("SELECT id FROM approval WHERE run = %s ORDER BY round DESC LIMIT 1", run)
        return str(rows[0][0])

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
        self._upset.add("faults")
        for kind in kinds:
            (await self.scim.post("/_sandbox/faults", json=dict(kind))).raise_for_status()

    async def set_level(self, level: int) -> None:
        """Write the level of the scene's operation, as people do."""
        await self.owner(
            "INSERT INTO authority_level (tenant, operation, level) VALUES (%s, %s, %s)"
            " ON CONFLICT (tenant, operation) DO UPDATE SET level = excluded.level",
            self.tenant,
            self.scene.operation,
            level,
        )

    async def activate(self, email: str, active: bool) -> None:
        self._upset.add(email)
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
        self._upset.add(name)
        body = {"schemas": [GROUP], "displayName": name, "members": [{"value": _id(one)} for one in people]}
        (await self.scim.put(f"/v2/Groups/{(await self.group(name))['id']}", json=body)).raise_for_status()

    async def make_anew(self, name: str, *people: str) -> None:
        """Delete a group and make another one of its name."""
        self._upset.add(name)
        (await self.scim.delete(f"/v2/Groups/{(await self.group(name))['id']}")).raise_for_status()
        made = await self._make(name, [{"value": _id(one)} for one in people])
        if name in self.watched:
            self.watched[name] = made


# Ends what earlier cases have left, so that nothing of it becomes due in this one.
_PAST = (
    "DELETE FROM timer WHERE tenant = %s",
    """UPDATE approval SET status = 'void', void = '{"key": "clause", "facts": {}}'"""
    " WHERE tenant = %s AND status = 'pending'",
    "DELETE FROM delegation WHERE tenant = %s",
    "DELETE FROM authority_level WHERE tenant = %s",
)


def _id(email: str) -> str:
    return company.record_id("User", email.partition("@")[0])


Abuse = Callable[[Arena], Awaitable[int]]  # does it, and returns how many effects were rightful
