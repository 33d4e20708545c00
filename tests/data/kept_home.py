"""A home that an earlier release has made, with requests in every state: what is in it, and how it is opened.

`kept/README.md` says what it is and how it was made, and `tests/scenario/test_upgrade.py` finishes it.
"""

import asyncio
import json
import lzma
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from bot.database import Database, open_database, open_owner
from bot.storage.cluster import program
from bot.storage.embedded import Embedded
from connectors.base import Mint
from connectors.keys import Keys
from connectors.registry import Connectors, DirectorySettings
from connectors.sandbox.process import Running
from graphs.audit import Vault
from graphs.engine.machine import kind
from graphs.runs import Runs
from graphs.sealed import Seal
from graphs.sections import ClauseRef
from graphs.workflows import break_glass
from graphs.workflows.break_glass import end as break_glass_end
from graphs.workflows.it_access import RequestableGroup, Rules
from tests.ledger import flow, system
from tests.scenario.desk import TENANT, DatabaseClock, Desk, Office, open_over

FOLDER = Path(__file__).with_name("kept")
DATABASE, DIRECTORY, LEDGER, KEYS, RUNS = (
    "database.sql.xz",
    "directory.sql",
    "ledger.json",
    "keys.json",
    "runs.json",
)
ACCESS_TENANT, LEDGER_TENANT = "kept-access", "kept-ledger"  # of the one database

# Each request is for a group of its own name, so that none is in the way of another.
ACCESS = (
    "started",
    "form",
    "filled",
    "waiting",
    "one-of-two",
    "widened",
    "narrowed",
    "replaced",
    "void",
    "approved",
    "denied-next",
    "cut-before-decided",
    "cut-before-intent",
    "cut-before-call",
    "cut-after-call",
    "cut-before-confirmed",
    "retrying-check",
    "retrying",
    "dead",
    "granted",
    "end-retrying",
    "end-dead",
    "end-cut-before-call",
    "end-cut-after-call",
    "done",
    "denied",
    "expired",
    "failed",
)
TWO_NEEDED = {"one-of-two", "narrowed"}
EMERGENCIES = (
    "emergency-one-of-two",
    "emergency-granted",
    "emergency-end-retrying",
    "emergency-reviewed-next",
    "emergency-signed",
)
LEDGER_KINDS = {  # the kind of operation of each of the ledger's requests
    "blind-in-doubt": "blind",
    "blind-to-take-back": "blind",
    "blind-answered": "blind",
    "blind-cut-after-call": "blind",
    "keyed-cut-before-call": "keyed",
    "keyed-cut-after-call": "keyed",
    "findable-cut-before-call": "findable",
    "findable-cut-after-call": "findable",
}

RULES = Rules(
    channel="C0ACCESS",
    groups={
        name: RequestableGroup(
            approvers=("data-owners", "people-team"), max_days=30, quorum=2 if name in TWO_NEEDED else 1
        )
        for name in ACCESS
    },
    clause=ClauseRef(document="it-access.md", anchor="temporary-access-to-data"),
)
EMERGENCY = break_glass.Rules(
    groups={name: break_glass.EmergencyGroup(approvers=("data-owners",)) for name in EMERGENCIES},
    clause=ClauseRef(document="it-access.md", anchor="emergency-access"),
    channel="C0ACCESS",
    alarm_channel="C0ALARMS",
    review_channel="C0REVIEWS",
    reviewers="people-team",
)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What the home says of itself. A run of a grant's end has the grant's name and `-end` behind it."""

    revision: str  # of the code that made it
    at: datetime  # what its clock said when it was put away
    runs: Mapping[str, Mapping[str, Any]]  # by name: id, status, approvals
    record: Keys
    checkpoints: Keys

    def id(self, name: str) -> str:
        """Return the id of a run."""
        return str(self.runs[name]["id"])


def read() -> Kept:
    """Read what there is."""
    told = json.loads((FOLDER / RUNS).read_text())
    keys = json.loads((FOLDER / KEYS).read_text())
    return Kept(
        revision=told["revision"],
        at=datetime.fromisoformat(told["at"]),
        runs=told["runs"],
        record=Keys.parse(keys["record"]),
        checkpoints=Keys.parse(keys["checkpoints"]),
    )


async def restore_database(home: Path, kept: Kept) -> None:
    """Put the database into an empty home, whose server somebody keeps running, and its clock back."""
    dump = lzma.decompress((FOLDER / DATABASE).read_bytes())
    async with Embedded(home) as owner:
        command = [program("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", owner]
        await asyncio.to_thread(subprocess.run, command, input=dump, check=True, stdout=subprocess.DEVNULL)
        async with open_owner(home, None) as conn:
            await conn.execute("UPDATE clock SET shift = %s - clock_timestamp()", (kept.at,))


def restore_directory(state: Path) -> None:
    """Put what the directory had into the folder of a directory server that has not been started."""
    with closing(sqlite3.connect(state / "directory.sqlite")) as db:
        db.executescript((FOLDER / DIRECTORY).read_text())


async def restore_ledger(url: str) -> None:
    """Have a fresh ledger's server make its entries again, in their order and under their keys."""
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        for one in json.loads((FOLDER / LEDGER).read_text()):
            method = "PUT" if one["act"] == "apply" else "DELETE"
            answer = await http.request(method, one["path"], headers={"Idempotency-Key": one["key"]})
            answer.raise_for_status()


def settings(server: Running) -> DirectorySettings:
    """Return how a directory server is reached."""
    return DirectorySettings(
        url=server.url, token=server.read_token, write_token=server.token, issuer="larkfield", timeout=5
    )


@asynccontextmanager
async def opened(home: Path, tenant: str, record: Keys) -> AsyncIterator[Database]:
    """Open the database for a tenant, brought up to date as the bot does it."""
    async with open_database(home, None, tenant=tenant) as database:
        database.book.open(Vault(record))
        yield database


@asynccontextmanager
async def open_access(
    home: Path,
    connectors: Connectors,
    mint: Mint,
    *,
    record: Keys,
    checkpoints: Keys,
    desk: Desk | None = None,
) -> AsyncIterator[Office]:
    """Open the office for access to data, in ordinary times and in emergencies."""
    more = (kind(break_glass.BreakGlass(EMERGENCY)), break_glass_end.workflow())
    async with (
        opened(home, ACCESS_TENANT, record) as database,
        open_over(
            database, home, connectors, mint, rules=RULES, keys=checkpoints, more=more, at=desk
        ) as office,
    ):
        yield office


@asynccontextmanager
async def open_ledger(
    home: Path, url: str, mint: Mint, *, record: Keys, checkpoints: Keys
) -> AsyncIterator[Office]:
    """Open the office for entries in the ledger, whose server is at `url`."""
    desk, people = Desk(), system.People()
    async with (
        opened(home, LEDGER_TENANT, record) as database,
        httpx.AsyncClient(base_url=url, timeout=5, trust_env=False) as client,
    ):
        registry = system.registry(client)
        async with Runs.open(
            pool=database.pool,
            saver_pool=database.saver_pool,
            workflows=(flow.workflow(),),
            clock=DatabaseClock(),
            queue=desk,
            notifier=desk,
            evidence=desk,
            directory=people,
            registry=registry,
            mint=mint,
            policy=system.policy(),
            seal=Seal(checkpoints, TENANT),
        ) as runs:
            yield Office(
                runs=runs,
                desk=desk,
                database=database,
                connectors=Connectors(directory=people, registry=registry),
                home=home,
            )
