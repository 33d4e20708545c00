"""E5: processes ended at traced points of every workflow, and what the outside systems say of it.

A quick sample takes half a minute, longer than those of other measures: a process has to be found dead first.
"""

import random
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from tests.crash.sweep import scenes, sweep
from tests.crash.sweep.sweep import Case, Outcome
from tests.figures.record import Figure, none_wrong
from tests.ledger.system import KINDS

SEED = 5
QUICK, FULL, OF_PLANS = 5, 150, 4
TIMED = 3  # kills with the product's own times
STEADY = 30.0  # seconds
_PATCHED = "after the PATCH of calls.Calls.make #1"


async def measure(*, quick: bool) -> AsyncIterator[Figure]:
    """Sweep a seeded sample; `make crash-sweep` sweeps everything."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        async with sweep.opened(Path(folder) / "sweep", seed=SEED) as bench:
            cases = await sample(bench) if quick else await _all(bench)
            for figure in figures([outcome async for outcome in sweep.swept(bench, cases)]):
                yield figure
            if not quick:
                ordinary = replace(bench, times=scenes.ORDINARY)
                yield steady([await ordinary.try_(_during_the_call("keyed")) for _ in range(TIMED)])


async def sample(bench: sweep.Bench) -> list[Case]:
    """Every kind of operation and every workflow at the worst moment, and some other points."""
    points, chance = await bench.points("post", "keyed"), random.Random(SEED)
    others = chance.sample(points, QUICK - len(KINDS))
    of_plans = [(scene, kind) for scene in ("several", "take_back") for kind in ("keyed", "findable")]
    plans = [
        Case(scene=scene, kind=kind, how="killed", point=point)
        for scene, kind in [*of_plans, *((scene, "findable") for scene in sorted(scenes.TRACKER))]
        for point in chance.sample(await bench.points(scene, kind), OF_PLANS)
    ]
    return [
        *map(_during_the_call, KINDS),
        *(
            Case(scene=scene, kind="findable", how="killed", point=f"{workflow}: {_PATCHED}")
            for scene in sorted(scenes.COMPANY)
            for workflow in scenes.SCENES[scene][1]
        ),
        *(Case(scene="post", kind="keyed", how="killed", point=one) for one in others),
        *plans,
    ]


async def _all(bench: sweep.Bench) -> list[Case]:
    return random.Random(SEED).sample(await sweep.cases(bench), FULL)


def _during_the_call(kind: str) -> Case:
    return Case(scene="post", kind=kind, how="killed", point="post: after the PUT of calls.Calls.make #1")


def figures(outcomes: Sequence[Outcome]) -> Iterable[Figure]:
    """Say how often it did not hold, of so many kinds of operation and points."""
    ended = [one for one in outcomes if one.case.how != "stopped"]
    kinds = Counter(one.case.kind for one in ended)
    points = {(one.case.scene, one.case.point) for one in ended}
    each = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    where = f"ended at one of {len(points)} points, {each}"
    for verdict, what in (
        ("duplicate", "an effect twice"),
        ("lost", "an effect lost"),
        ("unsteady", "no end of the run"),
    ):
        wrong = sum(one.verdict == verdict for one in ended)
        yield none_wrong("E5", f"{where}: {what}", tried=len(ended), wrong=wrong)
    sure = [one for one in ended if one.case.kind != "blind"]
    wrong = sum(one.status == "unknown" for one in sure)
    yield none_wrong("E5", f"{where}: unknown though not blind", tried=len(sure), wrong=wrong)
    if stopped := [one for one in outcomes if one.case.how == "stopped"]:
        yield none_wrong(
            "E5",
            "stopped and overtaken: a second effect that nobody hears of, or any of a keyed one",
            tried=len(stopped),
            wrong=sum(not one.holds for one in stopped),
        )


def steady(outcomes: Sequence[Outcome]) -> Figure:
    """Say how long it took from the last start to the end, with the product's own times."""
    longest = max(one.seconds for one in outcomes)
    wrong = sum(not one.holds or one.seconds >= STEADY for one in outcomes)
    return Figure(
        promise="E5",
        what="seconds from the restart after a kill to the end of the run, the longest",
        tried=len(outcomes),
        wrong=wrong,
        value=round(longest, 1),
        goal=f"below {STEADY:g}",
        holds=wrong == 0,
    )
