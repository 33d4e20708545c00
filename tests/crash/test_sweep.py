"""A seeded part of the crash sweep (`make crash-sweep` does all of it), and that it can fail."""

import random
from pathlib import Path

import pytest

from graphs.flows import it_access
from tests.crash.sweep import scenes, sweep
from tests.crash.sweep.sweep import Case

pytestmark = pytest.mark.crash

SEED = 20261124
CASES = 7


def registered() -> set[str]:
    """The workflows that the bot has, found in the folder where each has its module."""
    folder = Path(it_access.__file__).parent
    return {path.stem for path in folder.glob("*.py") if path.stem != "__init__"}


def test_every_workflow_has_its_scene() -> None:
    played = {name for _, workflows, _ in scenes.SCENES.values() for name in workflows}
    assert registered() <= played, "add a scene to tests/crash/sweep/scenes.py"


async def test_killed_at_any_of_these_points_a_run_ends_with_each_effect_once(tmp_path: Path) -> None:
    async with sweep.opened(tmp_path / "sweep", seed=SEED) as bench:
        points = await bench.points("post", "keyed")
        assert any("before the PUT" in point for point in points)
        chosen = [
            Case(scene="post", kind=kind, how="killed", point="post: after the PUT of calls.Calls.make #1")
            for kind in ("keyed", "findable", "blind")
        ]
        rest = [Case(scene="post", kind="keyed", how="killed", point=point) for point in points]
        chosen += random.Random(SEED).sample(rest, CASES - len(chosen))
        outcomes = [outcome async for outcome in sweep.swept(bench, chosen)]
    assert [outcome for outcome in outcomes if not outcome.holds] == []
    assert {outcome.verdict for outcome in outcomes if outcome.case.kind == "blind"} == {"unknown"}


@pytest.mark.parametrize(
    ("status", "landed", "verdict"),
    [
        ("done", ["apply", "apply"], "duplicate"),
        ("done", [], "lost"),
        ("still executing", ["apply"], "unsteady"),
        ("unknown", ["apply"], "unsteady"),
        ("done", ["apply"], "once"),
    ],
)
def test_a_wrong_end_is_seen(status: str, landed: list[str], verdict: str) -> None:
    case = Case(scene="post", kind="keyed", how="killed", point="")
    assert sweep.judged(case, status, {"a": landed, "b": [], "c": []}) == verdict
