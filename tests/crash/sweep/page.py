"""docs/crash-sweep.md: what became of every case, by kind of operation and by workflow."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.crash.sweep import sweep
from tests.crash.sweep.sweep import Outcome

PAGE = Path(__file__).resolve().parents[3] / "docs" / "crash-sweep.md"
HEAD = """# Crash sweep

Written by `make crash-sweep{arguments}` on {day}, which ended a process at each of the points
below and asked the outside systems' own servers how often the effect had landed: {tried:,} cases in
{minutes:.0f} minutes, times shortened. {wrong}

- **killed**: SIGKILL at the point; the process that takes over is killed as well, wherever chance says; the
  next one must bring the run to its end.
- **stopped**: SIGSTOP at the point, until another worker has taken over and ended; then it goes on.
- **full disk**: the commit at the point fails, once.
- **clock an hour off**: killed, and the machines' own clocks are an hour ahead or behind.
- **error after**, **no answer after**: the other side does it, and fails or falls silent.

*Unknown* means that the run stopped and asks a person ([effects](effects.md)); it may happen to blind
operations only. *Raised* is a duplicate of a call that was on its way already when its worker was stopped:
nothing can recall it, so it must be said aloud. *Wrong* is everything else: an effect twice, an effect lost,
a run that does not end.

## By kind of operation

{kinds}
## By workflow

A point that was not passed again, because what happens at once happens in any order, is counted by how that
run ended.

{workflows}"""
COLUMNS = "Exactly once | Unknown | Raised | Wrong"


def written(outcomes: Sequence[Outcome], *, seconds: float, arguments: str = "") -> str:
    """Return the page."""
    wrong = [one for one in outcomes if not one.holds]
    return HEAD.format(
        arguments=arguments,
        day=datetime.now(UTC).date().isoformat(),
        tried=len(outcomes),
        minutes=seconds / 60,
        wrong=f"**{len(wrong)} of them went wrong.**" if wrong else "None went wrong.",
        kinds=by_kind(outcomes),
        workflows=by_workflow(outcomes),
    )


def by_kind(outcomes: Iterable[Outcome]) -> str:
    """Return a row for each kind of operation."""
    groups: dict[tuple[str, ...], list[Outcome]] = defaultdict(list)
    for one in outcomes:
        groups[(one.case.kind,)].append(one)
    return _table("Operation", groups)


def by_workflow(outcomes: Iterable[Outcome]) -> str:
    """Return a row for each workflow, kind of operation and way to end."""
    groups: dict[tuple[str, ...], list[Outcome]] = defaultdict(list)
    for one in outcomes:
        groups[sweep.workflow_of(one.case), one.case.kind, one.case.how].append(one)
    return _table("Workflow | Operation | How", groups)


def _table(names: str, groups: dict[tuple[str, ...], list[Outcome]]) -> str:
    heading = f"| {names} | Points | {COLUMNS} |"
    rule = "|---" * (heading.count("|") - 1) + "|"
    return "\n".join([heading, rule, *(_row(key, found) for key, found in sorted(groups.items()))]) + "\n"


def _row(key: Sequence[str], found: Sequence[Outcome]) -> str:
    of = Counter(one.verdict for one in found)
    raised = sum(one.verdict == "duplicate" and one.holds for one in found)
    wrong = sum(not one.holds for one in found)
    numbers = (len(found), of["once"], of["unknown"], raised, wrong)
    return "| " + " | ".join([*key, *(f"{number:,}" for number in numbers)]) + " |"
