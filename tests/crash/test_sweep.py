"""A seeded part of the crash sweep (`make crash-sweep` does all of it), and that it can fail."""

from dataclasses import replace
from pathlib import Path

import pytest

from bot.rooms import Rooms
from tests.crash.sweep import diary, page, scenes, sweep
from tests.crash.sweep.sweep import Case, How, Outcome, Verdict
from tests.figures import crash

pytestmark = pytest.mark.crash


def registered() -> set[str]:
    """The workflows that the bot has, and what ends what they give."""
    rooms = Rooms(allowed={})
    ends = {end.name for room in rooms.every_workflow() for end in room.ends()}
    return rooms.names("workflow") | ends


def test_every_workflow_has_its_scene() -> None:
    played = {name for _, workflows, _ in scenes.SCENES.values() for name in workflows}
    assert registered() <= played, "add a scene to tests/crash/sweep/scenes.py"


async def test_killed_at_any_of_these_points_a_run_ends_with_each_effect_once(tmp_path: Path) -> None:
    async with sweep.opened(tmp_path / "sweep", seed=crash.SEED) as bench:
        outcomes = [outcome async for outcome in sweep.swept(bench, await crash.sample(bench))]
    assert [outcome for outcome in outcomes if not outcome.holds] == []
    assert all(figure.holds for figure in crash.figures(outcomes))
    assert {outcome.verdict for outcome in outcomes if outcome.case.kind == "blind"} == {"unknown"}
    assert all(outcome.reached for outcome in outcomes if outcome.case.scene in scenes.COMPANY)


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
    assert sweep.judged(case, status, {"a": landed}) == verdict


@pytest.mark.parametrize(
    ("how", "status", "verdict", "wrong"),
    [
        ("killed", "done", "once", None),
        ("killed", "done", "duplicate", "twice"),
        ("killed", "done", "lost", "lost"),
        ("killed", "still executing", "unsteady", "no end"),
        ("killed", "unknown", "unknown", "unknown"),
        ("stopped", "done", "duplicate", "second effect"),
    ],
)
def test_a_figure_says_what_did_not_hold(how: How, status: str, verdict: Verdict, wrong: str | None) -> None:
    case = Case(scene="post", kind="keyed", how=how, point="")
    good = Outcome(
        case=replace(case, how="killed"), verdict="once", again="", seconds=1.0, status="done", landed=""
    )
    bad = replace(good, case=case, verdict=verdict, status=status)
    broken = [figure.what for figure in crash.figures([good, bad]) if not figure.holds]
    assert len(broken) == (wrong is not None)
    assert all(str(wrong) in what for what in broken)


def test_a_figure_says_who_took_too_long() -> None:
    case = Case(scene="post", kind="keyed", how="killed", point="")
    slow = Outcome(case=case, verdict="once", again="", seconds=31.0, status="done", landed="")
    assert not crash.steady([slow]).holds
    assert crash.steady([replace(slow, seconds=12.0)]).holds


def outcome(point: str, verdict: Verdict = "once", *, kind: str = "keyed", how: How = "killed") -> Outcome:
    case = Case(scene="post", kind=kind, how=how, point=point)
    detected = verdict == "duplicate"
    return Outcome(
        case=case, verdict=verdict, again="", seconds=1.0, status="done", landed="{}", detected=detected
    )


def test_a_sweep_that_was_interrupted_goes_on_where_it_was(tmp_path: Path) -> None:
    first, second = outcome("a"), outcome("b", "lost")
    file = tmp_path / "kept" / "outcomes.jsonl"
    diary.begin(file, 1, [first.case, second.case]).note(first, 3.5)
    with file.open("a") as cut:
        cut.write('{"seconds": 4.0, "outco')
    kept = diary.found(file, 1)
    assert kept is not None
    assert (kept.outcomes, kept.left, kept.seconds) == ([first], [second.case], 3.5)
    kept.note(second, 5.0)
    again = diary.found(file, 1)
    assert again is not None
    assert again.outcomes == [first, second]
    assert diary.found(file, 2) is None, "another seed is another sweep"


def test_a_sweep_of_other_code_begins_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "outcomes.jsonl"
    diary.begin(file, 1, [outcome("a").case])
    assert diary.found(file, 1) is not None
    monkeypatch.setattr(diary, "TRIED", ("bot",))
    assert diary.found(file, 1) is None


def test_the_page_says_what_became_of_each_kind() -> None:
    outcomes = [
        outcome("post: a"),
        outcome("post: b", "lost"),
        outcome("post: c", "unknown", kind="blind"),
        outcome("post: d", "duplicate", kind="findable", how="stopped"),
        outcome("post: e", "duplicate", kind="keyed", how="stopped"),
    ]
    assert page.by_kind(outcomes).splitlines()[2:] == [
        "| blind | 1 | 0 | 1 | 0 | 0 |",
        "| findable | 1 | 0 | 0 | 1 | 0 |",
        "| keyed | 3 | 1 | 0 | 0 | 2 |",
    ]
    assert "| post | keyed | stopped | 1 | 0 | 0 | 0 | 1 |" in page.by_workflow(outcomes).splitlines()
    written = page.written(outcomes, seconds=120)
    assert "5 cases" in written
    assert "**2 of them went wrong.**" in written
