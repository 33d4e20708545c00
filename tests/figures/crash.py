"""E5: processes ended at traced points of every workflow, and what the outside systems say of it."""

import random
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from tests.crash.sweep import scenes, sweep
from tests.crash.sweep.sweep import Case, Outcome
from tests.figures.record import Figure, none_wrong

SEED = 5
QUICK, FULL = 6, 150
STEADY = 30.0


async def measure(*, quick: bool) -> AsyncIterator[Figure]:
    """Sweep a seeded sample; `make crash-sweep` sweeps everything."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        async with sweep.opened(Path(folder) / "sweep", seed=SEED) as bench:
            cases = await _cases(bench, quick=quick)
            outcomes = [outcome async for outcome in sweep.swept(bench, cases)]
        if not quick:
            async with sweep.opened(Path(folder) / "ordinary", seed=SEED, times=scenes.ORDINARY) as bench:
                yield steady([await bench.try_(_killed("keyed")) for _ in range(3)])
    killed = [one for one in outcomes if one.case.how != "stopped"]
    least = len(killed)
    for word in ("duplicate", "lost", "unsteady"):
        wrong = sum(one.verdict == word for one in killed)
        yield none_wrong(
            "E5", f"ended at a traced point: {word}", tried=len(killed), wrong=wrong, least=least
        )
    sure = [one for one in killed if one.case.kind != "blind"]
    wrong = sum(one.verdict == "unknown" for one in sure)
    yield none_wrong("E5", "unknown though keyed or findable", tried=len(sure), wrong=wrong)
    stopped = [one for one in outcomes if one.case.how == "stopped"]
    if stopped:
        wrong = sum(not one.holds for one in stopped)
        yield none_wrong(
            "E5",
            "stopped and overtaken: a second effect that nobody hears of, or any of a keyed one",
            tried=len(stopped),
            wrong=wrong,
        )


async def _cases(bench: sweep.Bench, *, quick: bool) -> list[Case]:
    chance = random.Random(SEED)
    if not quick:
        return chance.sample(await sweep.cases(bench), FULL)
    points = await bench.points("post", "keyed")
    chosen = chance.sample(points, QUICK - 1)
    return [
        _killed("findable"),
        *(Case(scene="post", kind="keyed", how="killed", point=one) for one in chosen),
    ]


def _killed(kind: str) -> Case:
    return Case(scene="post", kind=kind, how="killed", point="post: after the PUT of calls.Calls.make #1")


def steady(outcomes: list[Outcome]) -> Figure:
    """Say how long it took from the last start to the end, with the product's own times."""
    longest = max(one.seconds for one in outcomes)
    return Figure(
        promise="E5",
        what="seconds from the restart after a kill to the end of the run, the longest",
        tried=len(outcomes),
        wrong=sum(one.seconds > STEADY for one in outcomes),
        value=round(longest, 1),
        goal=f"below {STEADY:g}",
        holds=longest < STEADY,
    )
