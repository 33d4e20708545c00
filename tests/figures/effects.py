"""E1, E5, U1: every write is an act of the gate; and effects on bad days, counted at the other side's server.

What is killed is measured by `crash`. Here the other side does it and fails or falls silent, the disk is
full, a clock is wrong, or a second worker takes over a run whose worker was stopped.
"""

import random
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from graphs.records import Answered
from tests import writes
from tests.abuse import grounds
from tests.abuse.arena import GRACE, Arena
from tests.abuse.scenes import scenes
from tests.crash.sweep import sweep
from tests.crash.sweep.sweep import Case, Outcome
from tests.figures.record import Figure, none_wrong
from tests.ledger.system import KINDS

SEED = 11
SCENE = "post"
ROUNDS = 10  # of every operation in every workflow
DAYS = {  # what each is called, and what it means
    "error after": "answered with an error after it was done",
    "no answer after": "never answered after it was done",
    "full disk": "no space for one commit",
    "clock an hour off": "killed, with a clock an hour off",
    "stopped": "stopped, and overtaken by a second worker",
}
A_WHILE = timedelta(minutes=11)  # after which a run is looked at again whose worker failed
NO_SPACE = """
CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$
"""


async def measure(*, quick: bool) -> AsyncIterator[Figure]:
    """Count writes and effects, of a sample or of all."""
    async with grounds.arena() as arena:
        with writes.watched() as sent:
            for _ in range(ROUNDS - 1 if not quick else 0):
                await writes.played(arena, sent)
            yield written(await writes.played(arena, sent))
        yield await unrecorded(arena)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        async with sweep.opened(Path(folder) / "sweep", seed=SEED) as bench:
            cases = [case for kind in KINDS for case in await bad_days(bench, kind, quick=quick)]
            for figure in figures([outcome async for outcome in sweep.swept(bench, cases)]):
                yield figure


def written(seen: writes.Written) -> Figure:
    """Say how many requests to write were seen, and how many of them outside of an act or the ledger."""
    operations = len({name for name, _ in seen.operations})
    return none_wrong(
        "E1",
        f"requests to write of {operations} operations in every workflow, at the server; those outside of an"
        " act, or that the ledger does not have",
        tried=seen.at_the_server,
        wrong=seen.wrong,
        least=2 * operations,
    )


async def unrecorded(arena: Arena) -> Figure:
    """Let no event be written while a decision is taken and while it is carried out; then let it."""
    await arena.owner(NO_SPACE)
    landed = lost = 0
    for scene in scenes():
        await arena.begin(scene)
        asked = await arena.ask()
        async with _no_space(arena):
            await arena.click(asked.card, GRACE)
            await arena.work()
            landed += await arena.landed()
        assert await arena.click(asked.card, GRACE) is Answered.RECORDED
        async with _no_space(arena):
            await arena.work()
            landed += await arena.landed()
        await arena.later(A_WHILE)
        lost += await arena.landed() != 1
    what = "decisions, and actions, while the record cannot be written (its table raises disk_full);"
    return none_wrong(
        "U1",
        f"{what} effects then, or none once it can",
        tried=2 * len(scenes()),
        wrong=landed + lost,
    )


@asynccontextmanager
async def _no_space(arena: Arena) -> AsyncIterator[None]:
    await arena.owner("CREATE TRIGGER no_space BEFORE INSERT ON audit_event EXECUTE FUNCTION no_space()")
    try:
        yield
    finally:
        await arena.owner("DROP TRIGGER no_space ON audit_event")


async def bad_days(bench: sweep.Bench, kind: str, *, quick: bool) -> list[Case]:
    """Return the bad days of a kind of operation: all, or one of each sort."""
    cases = [case for case in sweep.others(SCENE, kind, await bench.points(SCENE, kind)) if case.how in DAYS]
    if not quick:
        return cases
    chance = random.Random(f"{SEED} {kind}")
    cases = [
        case for case in cases if case.how != "stopped" or " the PUT of" in case.point
    ]  # the soonest over
    return [chance.choice([case for case in cases if case.how == how]) for how in DAYS]


def figures(outcomes: Sequence[Outcome]) -> Iterable[Figure]:
    """Say of each sort of bad day how many effects came twice or were lost, and how each kind ended."""
    for how, words in DAYS.items():
        tried = [one for one in outcomes if one.case.how == how]
        yield none_wrong(
            "E5",
            f"{words}: effects lost, or twice and not raised ({'; '.join(_ended(tried))})",
            tried=len(tried),
            wrong=sum(not one.holds for one in tried),
            least=len(KINDS),
        )


def _ended(tried: Sequence[Outcome]) -> Iterable[str]:
    """Say how those of each kind ended: exactly once, unknown, or raised as perhaps twice."""
    for kind in KINDS:
        of = Counter(one.verdict for one in tried if one.case.kind == kind)
        said = {"once": of["once"], "unknown": of["unknown"], "twice and raised": of["duplicate"]}
        yield f"{kind} " + ", ".join(f"{count} {name}" for name, count in said.items() if count)
