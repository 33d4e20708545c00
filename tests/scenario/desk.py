"""Stand-ins for the bot around the workflows: they keep what they were told, in the order it came."""

import hashlib
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bot.database import Database, open_owner
from connectors.base import Mint
from connectors.directory import Person
from connectors.keys import Keys
from connectors.registry import Connectors, DirectorySettings, connect
from connectors.sandbox.process import Running
from connectors.sdk import Connector
from graphs import approvals
from graphs.audit import Vault
from graphs.engine.machine import kind
from graphs.kit import Kind
from graphs.policy.engine import Policy
from graphs.ports import ClauseMissing, Connection
from graphs.records import Alarm, Answered, Approval, ApprovalStatus, Beside, Clause, Notice, Verdict
from graphs.runs import Runs
from graphs.sealed import Seal
from graphs.sections import ClauseRef
from graphs.workflows.it_access import ItAccess, RequestableGroup, Rules
from graphs.workflows.it_access import end as it_access_end

TENANT = "larkfield"  # to which checkpoints are bound

RULES = Rules(
    channel="C0ACCESS",
    groups={
        "billing-db": RequestableGroup(approvers=("data-owners",), max_days=30),
        "crm-readers": RequestableGroup(approvers=("data-owners",), max_days=5),
    },
    clause=ClauseRef(document="it-access.md", anchor="temporary-access-to-data"),
)


@dataclass
class Desk:
    """Queue, notifier and evidence in one: nothing happens until `work` is called."""

    text: str = "A data owner approves access to data, for thirty days at most."
    missing: bool = False
    serves: str = "e1"  # the name of the active edition
    reads: int = 0  # how often a clause was looked up
    waiting: list[str] = field(default_factory=list)
    cards: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    told: list[tuple[str, Notice]] = field(default_factory=list)
    beside: list[tuple[str, str]] = field(default_factory=list)
    reviews: list[str] = field(default_factory=list)
    alarms: list[tuple[str, str]] = field(default_factory=list)

    async def advance(self, conn: Connection, run: str, *, anew: bool = False) -> None:
        self.waiting.append(run)

    async def card(self, conn: Connection, approval: str) -> None:
        self.cards.append(approval)

    async def doubt(self, conn: Connection, doubt: str) -> None:
        self.doubts.append(doubt)

    async def progress(self, conn: Connection, run: str) -> None:
        pass

    async def tell(self, conn: Connection, run: str, notice: Notice) -> None:
        self.told.append((run, notice))

    async def beside_card(self, conn: Connection, approval: str, news: Beside) -> None:
        self.beside.append((approval, news))

    async def review(self, conn: Connection, review: str) -> None:
        self.reviews.append(review)

    async def beside_review(self, conn: Connection, review: str, number: int) -> None:
        self.beside.append((review, str(number)))

    async def alarm(self, conn: Connection, run: str, alarm: Alarm, facts: Mapping[str, str]) -> bool:
        if (run, alarm) in self.alarms:
            return False
        self.alarms.append((run, alarm))
        return True

    async def clause(self, document: str, anchor: str) -> Clause:
        self.reads += 1
        if self.missing:
            raise ClauseMissing(f"{document}#{anchor}")
        return Clause(
            document=document,
            anchor=anchor,
            title="IT access",
            section="Temporary access to data",
            text=self.text,
            hash=hashlib.sha256(self.text.encode()).hexdigest(),
            url=None,
            edition=self.serves,
        )

    async def edition(self) -> str:
        return self.serves

    @property
    def keys(self) -> list[str]:
        """What the threads have heard, by key."""
        return [notice.key for _, notice in self.told]


class DatabaseClock:
    """The clock of the database, as the bot has it."""

    async def now(self, conn: Connection) -> datetime:
        cursor = await conn.execute("SELECT moment() AS now")
        row = await cursor.fetchone()
        assert row is not None
        now: datetime = row["now"]
        return now


@dataclass(frozen=True, kw_only=True)
class Office:
    """Everything around one set of runs: real database, real directory, stand-in desk."""

    runs: Runs
    desk: Desk
    database: Database
    connectors: Connectors
    home: Path

    async def work(self) -> None:
        """Do the jobs that wait, and those that they bring."""
        while self.desk.waiting:
            run = self.desk.waiting.pop(0)
            await self.runs.advance(run)

    async def later(self, span: timedelta) -> None:
        """Move the clock forward and do what has become due."""
        async with open_owner(self.home, None) as conn:
            await conn.execute("UPDATE clock SET shift = shift + %s", (span,))
        await self.runs.sweep()
        await self.work()

    async def ask(
        self, values: Mapping[str, str], who: str = "ada.okafor", workflow: str = "it_access"
    ) -> str:
        """Have somebody ask, by default for access, and return the run, worked on as far as it goes."""
        person = await self.person(who)
        run = await self.runs.start(
            workflow=workflow,
            values=values,
            requester=person,
            origin={"channel": "C1", "thread_ts": "1.1", "user": "U1"},
            key=secrets.token_hex(8),
        )
        await self.work()
        return run

    async def person(self, who: str) -> Person:
        """Read a person of the company from the directory."""
        return await self.connectors.directory.person_by_email(f"{who}@larkfield.example")

    async def click(
        self, card: str, who: str, verdict: Verdict = Verdict.APPROVE, reason: str | None = None
    ) -> Answered:
        """Have somebody decide, and work on what follows."""
        answered = await self.runs.decide(card, verdict, by=await self.person(who), reason=reason)
        await self.work()
        return answered

    async def approval(self, card: str) -> Approval:
        """Return the approval that a card names."""
        found = await self.runs.approval(card)
        assert found is not None
        return found

    async def pending(self, run: str) -> Approval:
        """Return the one approval of a run that waits."""
        async with self.database.pool.connection() as conn:
            every = await approvals.of_run(conn, run)
        (waiting,) = [one for one in every if one.status is ApprovalStatus.PENDING]
        return waiting

    async def members(self, group: str) -> set[str]:
        """Return the names of a group's members, as the directory server has them."""
        found = await self.connectors.directory.group_by_name(group)
        return {(await self.connectors.directory.person(member)).name for member in found.members}


@asynccontextmanager
async def open_office(
    database: Database,
    home: Path,
    server: Running,
    *,
    rules: Rules = RULES,
    keys: Keys | None = None,
    more: Iterable[Kind] = (),
    systems: Sequence[Connector[Any]] = (),
    policy: Policy | None = None,
    write_token: str = "",
) -> AsyncIterator[Office]:
    """Open the runs over a real database, a real directory server and the systems that are connected."""
    settings = DirectorySettings(
        url=server.url,
        token=server.read_token,
        write_token=write_token or server.token,
        issuer="larkfield",
        timeout=5,
    )
    async with (
        connect(directory=settings, more=systems) as (connectors, mint),
        open_over(
            database, home, connectors, mint, rules=rules, keys=keys, more=more, policy=policy
        ) as office,
    ):
        yield office


@asynccontextmanager
async def open_over(
    database: Database,
    home: Path,
    connectors: Connectors,
    mint: Mint,
    *,
    rules: Rules = RULES,
    keys: Keys | None = None,
    more: Iterable[Kind] = (),
    at: Desk | None = None,
    policy: Policy | None = None,
) -> AsyncIterator[Office]:
    """Open the runs over a real database and whatever is connected, at this desk or a new one."""
    if not database.book.is_open:
        database.book.open(Vault(Keys.fresh()))
    desk = at or Desk()
    async with Runs.open(
        pool=database.pool,
        saver_pool=database.saver_pool,
        workflows=(kind(ItAccess(rules)), it_access_end.workflow(), *more),
        clock=DatabaseClock(),
        queue=desk,
        notifier=desk,
        evidence=desk,
        directory=connectors.directory,
        registry=connectors.registry,
        mint=mint,
        policy=policy or Policy.shipped(),
        seal=Seal(keys or Keys.fresh(), TENANT),
    ) as runs:
        yield Office(runs=runs, desk=desk, database=database, connectors=connectors, home=home)
