"""Requests of an earlier release survive the upgrade: those of the kept home are finished by this one.

What was done is asked of the directory server and of the ledger, which kept their own logs. See
`tests/data/kept/README.md`.
"""

import asyncio
import logging
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from bot.audit import verifier
from bot.audit.export import End, export
from bot.database import open_database
from bot.storage.cluster import program
from bot.storage.embedded import Embedded
from connectors.registry import connect
from connectors.sandbox import process
from connectors.sandbox.process import Running
from graphs import approvals, audit, cases, doubts, effects, reviews
from graphs.audit import vault_of
from graphs.records import Answered, Finding, Resolution
from tests.data import kept_home
from tests.data.kept_home import Kept
from tests.ledger import system
from tests.scenario.desk import Office

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADA, GRACE, BEN = "ada.okafor", "grace.lindqvist", "ben.castellanos"
INES, TOMAS = "ines.moreau", "tomas.varga"
SOON = timedelta(seconds=5)  # after a first attempt


@dataclass(frozen=True, kw_only=True)
class House:
    """The kept home, opened by this release."""

    kept: Kept
    access: Office
    ledger: Office
    server: Running
    entries: str  # where the ledger's server is
    finished: dict[str, str] = field(default_factory=dict)  # runs by the names of the kept ones

    def office(self, name: str) -> Office:
        return self.ledger if name in kept_home.LEDGER_KINDS else self.access

    async def finish(self, name: str) -> str:
        """Do once what the kept run waits for, and return the run that came to an end by it."""
        if name not in self.finished:
            run = await FINISH.get(name, going_on)(self, name)
            self.finished[name] = run or self.kept.id(name)
        return self.finished[name]

    async def advance(self, name: str) -> None:
        """Have a worker do the job that waits for a run."""
        await self.office(name).runs.advance(self.kept.id(name))
        await self.office(name).work()

    async def later(self, span: timedelta) -> None:
        """Move the clock, and do all that has become due: one sweep rings a hundred timers at most."""
        await self.access.later(span)
        while await self.access.runs.sweep():
            await self.access.work()

    async def click(self, name: str, who: str, run: str = "") -> Answered:
        """Have somebody approve on the one card that waits."""
        office = self.office(name)
        return await office.click((await office.pending(run or self.kept.id(name))).id, who)

    async def outcome(self, run: str, name: str) -> str:
        """Return how a run has ended, and why."""
        found = await self.office(name).runs.run(run)
        return f"{found.status.value} {found.reason or ''}".strip()

    async def asked(self, run: str, name: str) -> int:
        """Return how often a run has asked for an approval."""
        async with self.office(name).database.pool.connection() as conn:
            return len(await approvals.of_run(conn, run))

    async def changes(self, name: str) -> list[str]:
        """Return what has happened to the group's members, or to the entries, by the server's own word."""
        if name in kept_home.LEDGER_KINDS:
            return [f"{act} {ref}" for ref in "abc" for act in await self.landed(f"{name}-{ref}")]
        url = f"{self.server.url.removesuffix('/v2')}/_sandbox/log"
        headers = {"Authorization": f"Bearer {self.server.token}"}
        async with httpx.AsyncClient(headers=headers, timeout=30, trust_env=False, verify=False) as http:
            answer = await http.get(url)
        return [one["change"] for one in answer.json()["changes"] if one["group_name"] == name]

    async def landed(self, ref: str) -> list[str]:
        """Return what has landed of an entry."""
        async with httpx.AsyncClient(base_url=self.entries, trust_env=False) as http:
            return list((await http.get(f"/log/{ref}")).json()["landed"])

    async def sign(self) -> int:
        """Have Ines sign every review that waits, and return how many there were."""
        async with self.access.database.pool.connection() as conn:
            waiting = await reviews.waiting(conn)
        for one in waiting:
            ada, ines = await self.access.person(ADA), await self.access.person(INES)
            assert await self.access.runs.review(one.id, Finding.IN_ORDER, by=ada) is Answered.TOOK_PART
            assert await self.access.runs.review(one.id, Finding.IN_ORDER, by=ines) is Answered.RECORDED
        await self.access.work()
        return len(waiting)

    async def say(self, name: str, answer: Resolution) -> None:
        """Have Grace say what happened to an entry."""
        async with self.ledger.database.pool.connection() as conn:
            every = await effects.of_run(conn, self.kept.id(name))
            (doubt,) = [one for effect in every if (one := await doubts.of_effect(conn, effect.id))]
        grace = await self.ledger.person("grace")
        assert await self.ledger.runs.resolve(doubt, answer, by=grace) is Answered.RECORDED
        await self.ledger.work()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    home, state, ledger = (tmp_path_factory.mktemp(name) for name in ("home", "directory", "ledger"))
    what = kept_home.read()
    kept_home.restore_directory(state)
    keys = {"record": what.record, "checkpoints": what.checkpoints}
    async with (
        Embedded(home),
        process.directory(state, faults=True) as server,
        system.running(ledger) as url,
    ):
        await kept_home.restore_database(home, what)
        await kept_home.restore_ledger(url)
        async with (
            connect(directory=kept_home.settings(server)) as (connectors, mint),
            kept_home.open_access(home, connectors, mint, **keys) as access,
            kept_home.open_ledger(home, url, mint, **keys) as entries,
        ):
            yield House(kept=what, access=access, ledger=entries, server=server, entries=url)


async def going_on(house: House, name: str) -> None:
    """Nobody has to do anything."""


async def a_worker_goes_on(house: House, name: str) -> None:
    await house.advance(name)


async def a_worker_goes_on_with_its_end(house: House, name: str) -> None:
    await house.advance(f"{name}-end")


async def it_is_tried_again(house: House, name: str) -> None:
    await house.office(name).later(SOON)


async def grace_approves(house: House, name: str) -> None:
    assert await house.click(name, GRACE) is Answered.RECORDED


async def a_worker_goes_on_and_grace_approves(house: House, name: str) -> None:
    await house.advance(name)
    await grace_approves(house, name)


async def the_form_is_filled_in(house: House, name: str) -> None:
    run, ada = house.kept.id(name), await house.access.person(ADA)
    assert {one.name for one in (await house.access.runs.run(run)).missing} == {"days", "reason"}
    assert not await house.access.runs.submit(run, {"days": "3", "reason": "close the quarter"}, by=ada)
    await house.access.work()
    await grace_approves(house, name)


async def the_stand_in_approves(house: House, name: str) -> None:
    assert await house.click(name, TOMAS) is Answered.RECORDED


async def another_one_approves(house: House, name: str) -> None:
    first, second = {
        "one-of-two": (BEN, INES),
        "narrowed": (GRACE, INES),
        "emergency-one-of-two": (GRACE, BEN),
    }[name]
    assert await house.click(name, first) is Answered.ALREADY_VOTED
    assert await house.click(name, second) is Answered.RECORDED


async def somebody_else_approves_the_change(house: House, name: str) -> None:
    assert await house.click(name, GRACE) is Answered.OWN_CHANGE
    assert await house.click(name, BEN) is Answered.RECORDED
    assert (await house.access.runs.run(house.kept.id(name))).values["days"] == "12"


async def it_is_tried_again_and_grace_approves(house: House, name: str) -> None:
    await house.access.later(SOON)
    await grace_approves(house, name)


async def the_dead_letter_is_sent_again(house: House, name: str) -> None:
    async with house.access.database.pool.connection() as conn:
        assert await cases.revive(conn, house.kept.id(name))
    await house.advance(name)


async def the_review_is_signed(house: House, name: str) -> None:
    assert await house.sign() >= 1


async def it_is_asked_for_again(house: House, name: str) -> str:
    former, ada = house.kept.id(name), await house.access.person(ADA)
    assert await house.access.runs.again(former, by=ada) is True
    (run,) = set(house.access.desk.waiting)
    await house.access.work()
    assert await house.click(name, GRACE, run) is Answered.RECORDED
    assert await house.outcome(former, name) == "refused denied"
    return run


async def it_happened(house: House, name: str) -> None:
    await house.say(name, Resolution.HAPPENED)


async def it_is_asked_of_a_person_and_happened(house: House, name: str) -> None:
    await house.advance(name)
    await house.say(name, Resolution.HAPPENED)


async def it_is_to_be_taken_back(house: House, name: str) -> None:
    await house.say(name, Resolution.UNDO)


Finisher = Callable[[House, str], Awaitable[str | None]]

FINISH: dict[str, Finisher] = {
    "started": a_worker_goes_on_and_grace_approves,
    "form": the_form_is_filled_in,
    "filled": a_worker_goes_on_and_grace_approves,
    "waiting": the_stand_in_approves,
    "one-of-two": another_one_approves,
    "widened": somebody_else_approves_the_change,
    "narrowed": another_one_approves,
    "replaced": grace_approves,
    "void": a_worker_goes_on_and_grace_approves,
    "approved": a_worker_goes_on,
    "denied-next": a_worker_goes_on,
    "cut-before-decided": a_worker_goes_on,
    "cut-before-intent": a_worker_goes_on,
    "cut-before-call": a_worker_goes_on,
    "cut-after-call": a_worker_goes_on,
    "cut-before-confirmed": a_worker_goes_on,
    "retrying-check": it_is_tried_again_and_grace_approves,
    "retrying": it_is_tried_again,
    "dead": the_dead_letter_is_sent_again,
    "end-retrying": it_is_tried_again,
    "end-cut-before-call": a_worker_goes_on_with_its_end,
    "end-cut-after-call": a_worker_goes_on_with_its_end,
    "denied": it_is_asked_for_again,
    "emergency-one-of-two": another_one_approves,
    "emergency-end-retrying": it_is_tried_again,
    "emergency-reviewed-next": the_review_is_signed,
    "emergency-signed": a_worker_goes_on_with_its_end,
    "blind-in-doubt": it_happened,
    "blind-to-take-back": it_is_to_be_taken_back,
    "blind-cut-after-call": it_is_asked_of_a_person_and_happened,
    "blind-answered": a_worker_goes_on,
    "findable-cut-before-call": a_worker_goes_on,
    "findable-cut-after-call": a_worker_goes_on,
    "keyed-cut-before-call": a_worker_goes_on,
    "keyed-cut-after-call": a_worker_goes_on,
}

GRANTED, ENDED = ["added"], ["added", "removed"]
UNDONE = ["apply a", "undo a"]

# How each ends: its outcome, how often it has asked for an approval, and what has happened outside.
ENDS: dict[str, tuple[str, int, list[str]]] = {
    **dict.fromkeys(kept_home.ACCESS, ("done", 1, GRANTED)),
    **dict.fromkeys(kept_home.EMERGENCIES, ("done", 1, GRANTED)),
    **dict.fromkeys(kept_home.LEDGER_KINDS, ("done", 1, ["apply a"])),
    **dict.fromkeys(("widened", "narrowed", "replaced", "void"), ("done", 2, GRANTED)),
    **dict.fromkeys(
        (
            "done",
            "end-retrying",
            "end-cut-before-call",
            "end-cut-after-call",
            "emergency-end-retrying",
            "emergency-reviewed-next",
            "emergency-signed",
        ),
        ("done", 1, ENDED),
    ),
    "dead": ("refused window_passed", 1, []),
    "denied-next": ("refused denied", 1, []),
    "expired": ("refused expired", 1, []),
    "failed": ("failed read_back_failed", 1, ENDED),  # somebody took her out again at once
    "blind-to-take-back": ("refused taken_back", 1, UNDONE),
}


@pytest.mark.parametrize("name", ENDS)
async def test_a_request_of_an_earlier_release_is_finished_by_this_one(
    house: House, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    run = await house.finish(name)
    outcome, asked, changes = ENDS[name]
    assert await house.outcome(run, name) == outcome
    assert await house.asked(run, name) == asked, "nobody is asked again where nothing has changed"
    assert await house.changes(name) == changes
    assert [one.message for one in caplog.records if one.levelno >= logging.ERROR] == []
    async with house.office(name).database.pool.connection() as conn:
        told = [event.kind async for event in audit.read(conn, run)]
    assert told[0] == "run.started"
    by_others = 1 if name == "failed" else 0
    assert told.count("effect.done") == len(changes) - by_others, "the record tells of each once"


async def schema(home: Path) -> list[str]:
    """Return the schema of a home's database with all its rights, and without what differs in every dump."""
    async with Embedded(home) as owner:
        command = [program("pg_dump"), "--schema-only", "--dbname", owner]
        dump = await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True, text=True)
    return [line for line in dump.stdout.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))]


async def test_the_database_of_an_earlier_release_becomes_as_a_new_one_is(
    house: House, tmp_path: Path
) -> None:
    async with open_database(tmp_path, None):
        new = await schema(tmp_path)
    assert await schema(house.access.home) == new


async def test_what_an_earlier_release_granted_ends_and_its_record_goes_on(house: House) -> None:
    for name in ENDS:
        await house.finish(name)
    await house.later(timedelta(hours=1, minutes=1))
    assert await house.sign() >= 2, "the emergencies are over"
    await house.later(timedelta(days=31))
    for name in (*kept_home.ACCESS, *kept_home.EMERGENCIES):
        wanted = ENDED if ENDS[name][2] else []
        assert (name, await house.changes(name)) == (name, wanted)
        assert await house.access.members(name) == set()
    for office in (house.access, house.ledger):
        async with office.database.pool.connection() as conn:
            assert await cases.versions(conn) == set(), "nothing is open"
            written: list[bytes] = []
            await export(conn, written.append, End())
            keys = vault_of(conn).public_keys
        lines = b"".join(written).splitlines(keepends=True)
        assert verifier.verify(lines, keys).findings == []
