"""Effects of every kind whose call was cut off, and the people who say what happened."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot import jobs
from bot.database import Database, open_owner
from connectors import permits
from connectors.base import Mint
from connectors.errors import Unavailable
from connectors.keys import Keys
from graphs import cases, drive, effects
from graphs.kit import Kind
from graphs.policy.engine import Policy
from graphs.records import Answered, ApprovalStatus, Doubt, Resolution, Verdict
from graphs.runs import Runs
from graphs.sealed import Seal, SealedSaver
from tests.ledger import flow
from tests.ledger.system import KINDS, People, policy, registry, running
from tests.scenario.desk import TENANT, DatabaseClock, Desk


@dataclass(kw_only=True)
class House:
    """Runs over the ledger, and the witness beside it."""

    runs: Runs
    desk: Desk
    people: People
    database: Database
    home: Path
    ledger: httpx.AsyncClient
    mark: str  # of this test's entries: the ledger's server has those of all

    def ref(self, name: str) -> str:
        """The reference of an entry, which no other test has."""
        return f"{self.mark}-{name}"

    async def work(self) -> None:
        while self.desk.waiting:
            await self.runs.advance(self.desk.waiting.pop(0))

    async def ask(self, operation: str, *refs: str) -> str:
        run = await self.runs.start(
            workflow=flow.NAME,
            values={"operation": f"ledger.post_{operation}", "refs": " ".join(map(self.ref, refs))},
            requester=self.people.known["ledger#ada"],
            origin={},
            key=secrets.token_hex(8),
        )
        await self.work()
        return run

    async def decide(self, verdict: Verdict = Verdict.APPROVE) -> None:
        """Let Grace decide on the newest card."""
        by = self.people.known["ledger#grace"]
        reason = "no" if verdict is Verdict.DENY else None
        assert await self.runs.decide(self.desk.cards[-1], verdict, by=by, reason=reason) is Answered.RECORDED
        await self.work()

    async def say(self, resolution: Resolution, who: str = "grace") -> Answered:
        found = await self.runs.resolve(
            self.desk.doubts[-1], resolution, by=self.people.known[f"ledger#{who}"]
        )
        await self.work()
        return found

    async def fault(self, act: str, kind: str, ref: str, fault: str) -> None:
        body = {"act": act, "path": f"/{kind}/{self.ref(ref)}", "kind": fault}
        (await self.ledger.put("/faults", json=body)).raise_for_status()

    async def landed(self, ref: str) -> list[str]:
        return list((await self.ledger.get(f"/log/{self.ref(ref)}")).json()["landed"])

    async def status(self, run: str) -> str:
        return (await self.runs.run(run)).status.value

    async def states(self, run: str) -> list[tuple[str, str]]:
        async with self.database.pool.connection() as conn:
            return [(one.act, one.state) for one in await effects.of_run(conn, run)]

    async def later(self, span: timedelta) -> None:
        """Move the clock and do what has become due."""
        async with open_owner(self.home, None) as conn:
            await conn.execute("UPDATE clock SET shift = shift + %s", (span,))
        await self.runs.sweep()
        await self.work()

    async def newest(self) -> str:
        async with self.database.pool.connection() as conn:
            cursor = await conn.execute("SELECT id FROM run ORDER BY created_at DESC LIMIT 1")
            row = await cursor.fetchone()
        assert row is not None
        return str(row["id"])

    async def doubt(self) -> Doubt:
        doubt = await self.runs.doubt(self.desk.doubts[-1])
        assert doubt is not None
        return doubt


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the ledger's server is, one for all tests."""
    with asyncio.Runner() as runner:
        server = running(tmp_path_factory.mktemp("ledger"))
        yield runner.run(server.__aenter__())
        runner.run(server.__aexit__(None, None, None))


@pytest.fixture
async def house(database: Database, database_home: Path, ledger: str) -> AsyncIterator[House]:
    async with open_house(database, database_home, ledger) as opened:
        yield opened


@asynccontextmanager
async def open_house(
    database: Database,
    home: Path,
    ledger: str,
    *,
    workflows: Iterable[Kind] = (),
    rules: Policy | None = None,
) -> AsyncIterator[House]:
    """Open runs over the ledger, by default of its own workflow."""
    mint, desk, people = Mint(), Desk(), People()
    try:
        async with httpx.AsyncClient(base_url=ledger, timeout=1) as client:
            operations = registry(client)
            async with Runs.open(
                pool=database.pool,
                saver_pool=database.saver_pool,
                workflows=tuple(workflows) or (flow.workflow(),),
                clock=DatabaseClock(),
                queue=desk,
                notifier=desk,
                evidence=desk,
                directory=people,
                registry=operations,
                mint=mint,
                policy=rules or policy(),
                seal=Seal(Keys.fresh(), TENANT),
            ) as runs:
                yield House(
                    runs=runs,
                    desk=desk,
                    people=people,
                    database=database,
                    home=home,
                    ledger=client,
                    mark=secrets.token_hex(4),
                )
    finally:
        mint.retire()


async def in_doubt(house: House, ref: str = "a") -> str:
    """Return a run whose blind call failed after the ledger had done it."""
    run = await house.ask("blind", ref)
    await house.fault("apply", "blind", ref, "error")
    await house.decide()
    assert await house.status(run) == "unknown"
    assert await house.landed(ref) == ["apply"]
    return run


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_lands_once(house: House, kind: str) -> None:
    run = await house.ask(kind, "a")
    await house.decide()
    assert (await house.status(run), await house.landed("a")) == ("done", ["apply"])


@pytest.mark.parametrize("fault", ["error", "hang"])
@pytest.mark.parametrize("kind", ["keyed", "findable"])
async def test_a_call_that_landed_and_failed_is_found_or_repeated_under_its_key(
    house: House, kind: str, fault: str
) -> None:
    run = await house.ask(kind, "a")
    await house.fault("apply", kind, "a", fault)
    await house.decide()
    assert await house.status(run) == "retrying"
    await house.later(timedelta(seconds=2))
    assert (await house.status(run), await house.landed("a")) == ("done", ["apply"])


@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_that_sent_nothing_is_tried_again_whatever_its_kind(house: House, kind: str) -> None:
    run = await house.ask(kind, "a")
    await house.fault("apply", kind, "a", "down")
    await house.decide()
    assert await house.status(run) == "retrying"
    await house.later(timedelta(seconds=2))
    assert (await house.status(run), await house.landed("a")) == ("done", ["apply"])


@pytest.mark.parametrize("fault", ["error", "hang"])
async def test_a_blind_call_without_an_answer_is_not_repeated_and_a_person_is_asked(
    house: House, fault: str
) -> None:
    run = await house.ask("blind", "a")
    await house.fault("apply", "blind", "a", fault)
    await house.decide()
    await house.later(timedelta(minutes=5))
    assert (await house.status(run), await house.landed("a")) == ("unknown", ["apply"])
    doubt = await house.doubt()
    assert (doubt.undoable, doubt.answer, doubt.act) == (True, None, "apply")
    assert len(doubt.approval.assents) == 1
    assert [key.partition(":")[0] for key in house.desk.keys] == ["unknown"]


async def test_it_happened_and_the_run_goes_on(house: House) -> None:
    run = await in_doubt(house)
    assert await house.say(Resolution.HAPPENED) is Answered.RECORDED
    assert (await house.status(run), await house.landed("a")) == ("done", ["apply"])
    assert await house.states(run) == [("apply", "done")]


async def test_it_did_not_and_is_done_now(house: House) -> None:
    run = await house.ask("blind", "a")
    await house.fault("apply", "blind", "a", "hang")
    await house.decide()
    assert await house.say(Resolution.DID_NOT) is Answered.RECORDED
    assert await house.status(run) == "done"
    assert await house.landed("a") == ["apply", "apply"], "a person said so, and is in the record with it"


async def test_it_did_not_but_its_window_has_passed_so_a_new_card_asks(house: House) -> None:
    run = await in_doubt(house)
    first = house.desk.cards[-1]
    await house.later(timedelta(minutes=16))
    await house.say(Resolution.DID_NOT)
    assert await house.status(run) == "waiting"
    assert await house.landed("a") == ["apply"]
    new = await house.runs.approval(next(card for card in reversed(house.desk.cards) if card != first))
    assert new is not None
    assert (new.status, new.replaces) == (ApprovalStatus.PENDING, first)


async def test_it_is_taken_back_and_the_run_ends(house: House) -> None:
    run = await in_doubt(house)
    await house.say(Resolution.UNDO)
    found = await house.runs.run(run)
    assert (found.status.value, found.reason) == ("refused", "taken_back")
    assert await house.landed("a") == ["apply", "undo"]


async def test_taking_back_what_did_not_happen_does_nothing(house: House) -> None:
    run = await house.ask("blind", "a")
    await house.fault("apply", "blind", "a", "hang")
    await house.decide()
    async with house.database.pool.connection() as conn:
        (effect,) = await effects.of_run(conn, run)
    assert effect.state == "unknown"
    await house.say(Resolution.UNDO)
    assert await house.landed("a") == ["apply", "undo"]


async def test_undo_is_not_offered_where_it_cannot_be(house: House) -> None:
    run = await house.ask("final", "a")
    await house.fault("apply", "blind", "a", "error")
    await house.decide()
    assert not (await house.doubt()).undoable
    assert await house.say(Resolution.UNDO) is Answered.NO_SUCH_CARD, "a forged click"
    assert await house.status(run) == "unknown"


@pytest.mark.parametrize(
    ("who", "answered"), [("tomas", Answered.NOT_ALLOWED), ("ada", Answered.OWN_REQUEST)]
)
async def test_who_may_not_say_changes_nothing(house: House, who: str, answered: Answered) -> None:
    run = await in_doubt(house)
    ada = house.people.known["ledger#ada"]
    house.people.known[ada.subject] = ada.model_copy(update={"groups": frozenset({"ledger-owners"})})
    assert await house.say(Resolution.HAPPENED, who) is answered
    assert (await house.doubt()).answer is None
    assert await house.status(run) == "unknown"


async def test_of_several_clicks_one_counts_and_a_stale_card_counts_never(house: House) -> None:
    run = await in_doubt(house)
    stale = house.desk.doubts[-1]
    await house.fault("apply", "blind", "a", "error")
    assert await house.say(Resolution.DID_NOT) is Answered.RECORDED
    assert await house.status(run) == "unknown", "again, so there is a new card"
    assert house.desk.doubts[-1] != stale
    grace = house.people.known["ledger#grace"]
    again = await house.runs.resolve(stale, Resolution.DID_NOT, by=grace)
    await house.work()
    assert again is Answered.ALREADY_DECIDED
    assert await house.landed("a") == ["apply", "apply"]
    assert await house.status(run) == "unknown"


@pytest.mark.parametrize("kind", KINDS)
async def test_several_effects_land_in_their_order_under_one_approval(house: House, kind: str) -> None:
    run = await house.ask(kind, "a", "b", "c", "d")
    assert len(house.desk.cards) == 1
    await house.decide()
    assert await house.status(run) == "done"
    async with house.database.pool.connection() as conn:
        done = await effects.of_run(conn, run)
    assert [one.payload["ref"] for one in done] == [house.ref(name) for name in "abcd"]
    assert {name: await house.landed(name) for name in "abcd"} == {name: ["apply"] for name in "abcd"}
    if kind != "blind":  # what the third says of the first one came from the record
        assert done[2].payload["follows"] == house.ref("a")


@pytest.mark.parametrize("kind", KINDS)
async def test_what_came_before_a_refusal_is_taken_back_in_reverse_order(house: House, kind: str) -> None:
    run = await house.ask(kind, "a", "b", "refused")
    await house.decide()
    found = await house.runs.run(run)
    assert (found.status.value, found.reason) == ("refused", "connector_refused")
    assert found.facts["stands"] == "undone"
    for ref, landed in (("a", ["apply", "undo"]), ("b", ["apply", "undo"]), ("refused", [])):
        assert await house.landed(ref) == landed
    async with house.database.pool.connection() as conn:
        undone = [one.payload["ref"] for one in await effects.of_run(conn, run) if one.act == "undo"]
    assert undone == [house.ref("b"), house.ref("a")]


async def test_what_may_stand_when_a_later_step_fails_is_left(house: House) -> None:
    run = await house.ask("keyed", "a", f"b{flow.KEPT}", "refused")
    await house.decide()
    assert (await house.runs.run(run)).reason == "connector_refused"
    assert await house.landed("a") == ["apply", "undo"]
    assert await house.landed(f"b{flow.KEPT}") == ["apply"]


async def test_a_denied_plan_leaves_nothing(house: House) -> None:
    run = await house.ask("keyed", "a", "b")
    await house.decide(Verdict.DENY)
    assert await house.status(run) == "refused"
    assert (await house.landed("a"), await house.landed("b")) == ([], [])


async def test_a_plan_that_could_not_be_taken_back_is_not_asked_for(house: House) -> None:
    run = await house.ask("final", "a", "b")
    assert (await house.runs.run(run)).reason == "plan_invalid"
    assert house.desk.cards == []


async def test_past_its_pivot_a_plan_goes_forward(house: House) -> None:
    run = await house.ask("keyed", "a", f"b{flow.PIVOT}", "refused")
    await house.decide()
    assert await house.status(run) == "retrying"
    await house.later(timedelta(hours=2))
    assert await house.status(run) in {"retrying", "dead"}
    assert await house.landed("a") == ["apply"]
    assert await house.landed(f"b{flow.PIVOT}") == ["apply"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at", ["a", "b", "c"])
async def test_a_call_that_failed_after_it_landed_stops_a_plan_and_does_not_double_it(
    house: House, kind: str, at: str
) -> None:
    run = await house.ask(kind, "a", "b", "c")
    await house.fault("apply", kind, at, "error")
    await house.decide()
    if kind == "blind":
        assert await house.status(run) == "unknown"
        await house.say(Resolution.HAPPENED)
    else:
        assert await house.status(run) == "retrying"
        await house.later(timedelta(seconds=2))
    assert await house.status(run) == "done"
    assert [await house.landed(name) for name in "abc"] == [["apply"]] * 3


@pytest.mark.parametrize("cut", ["aput", "aput_writes"])
async def test_a_run_goes_on_whichever_checkpoint_was_lost(
    house: House, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    """A node's result is saved before the checkpoint after it; between the two nothing is next."""
    save = getattr(SealedSaver, cut)
    for number in range(9):
        left = iter(range(number))

        async def saved(*args: Any, left: Iterator[int] = left, **kwargs: Any) -> Any:
            if next(left, None) is None:
                raise ConnectionError("the database went away")
            return await save(*args, **kwargs)

        monkeypatch.setattr(SealedSaver, cut, saved)
        run = ""
        with suppress(ConnectionError):
            run = await house.ask("findable", f"{cut}{number}")
            await house.decide()
        monkeypatch.setattr(SealedSaver, cut, save)
        if not run:
            run = await house.newest()
        await house.runs.advance(run)
        if await house.status(run) == "waiting":
            await house.decide()
        assert (await house.status(run), await house.landed(f"{cut}{number}")) == ("done", ["apply"])


async def test_what_was_tried_too_often_rests_and_can_be_tried_again(house: House) -> None:
    run = await house.ask("keyed", "a")
    await house.decide()
    assert await house.status(run) == "done"
    run = await house.ask("findable", "b")
    for _ in range(drive.MOST):
        await house.fault("apply", "findable", "b", "down")
        if await house.status(run) == "waiting":
            await house.decide()
        else:
            await house.later(timedelta(minutes=1))
    assert (await house.status(run), await house.landed("b")) == ("dead", [])
    assert house.desk.keys[-1] == "dead"
    await house.later(timedelta(hours=2))
    assert await house.status(run) == "dead", "it is not tried by itself"
    async with house.database.pool.connection() as conn:
        assert await cases.revive(conn, run)
        assert not await cases.revive(conn, run)
        await house.desk.advance(conn, run)
    await house.work()
    assert (await house.runs.run(run)).reason == "window_passed", "it was approved too long ago"
    assert await house.landed("b") == []


def test_the_pauses_grow_and_come_apart() -> None:
    error = Unavailable("away")
    waits = [drive._wait("run", attempts, error) for attempts in range(8)]
    assert all(
        timedelta(seconds=2**n) / 2 <= wait <= timedelta(seconds=2**n) for n, wait in enumerate(waits[:6])
    )
    assert waits[7] <= drive.LONGEST_WAIT
    assert len({drive._wait(f"run {n}", 5, error) for n in range(50)}) == 50
    assert drive._wait("run", 0, Unavailable("busy", retry_after=90)) == timedelta(seconds=90)


def test_a_lease_ends_before_another_worker_takes_over() -> None:
    assert permits.LEASE < jobs.STALLED - jobs.HEARTBEAT
