"""`make crash-sweep`: sweep everything, and renew docs/crash-sweep.md. Exits 1 where it does not hold."""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from tests.crash.sweep import sweep
from tests.crash.sweep.sweep import Case, Outcome

PAGE = Path(__file__).resolve().parents[3] / "docs" / "crash-sweep.md"
HEAD = """# Crash sweep

Written by `make crash-sweep`, which killed a process at each of the points below and asked the outside
systems' own servers how often the effect had landed. {tried} cases, {minutes} minutes, times shortened.

- **killed**: SIGKILL at the point; the process that takes over is killed as well, wherever chance says; the
  next one must bring the run to its end.
- **stopped**: SIGSTOP at the point, until another worker has taken over and ended; then it goes on.
- **full disk**: the commit at the point fails, once.
- **clock an hour off**: killed, and the machines' own clocks are an hour ahead or behind.
- **error after**, **no answer after**: the other side does it, and fails or falls silent.

*Unknown* means that the run stopped and asks a person ([effects](effects.md)); it may happen to blind
operations only. A duplicate under *stopped* is a call that was on its way already: nothing can recall it,
and it must be raised. A point that was not passed again, because what happens at once happens in any order,
is counted by how that run ended.

| Scene | Operation | How | Points | Exactly once | Unknown | Duplicates (raised) | Lost | Not ended |
|---|---|---|---|---|---|---|---|---|
"""


def table(outcomes: Iterable[Outcome]) -> str:
    """Return the rows, one for each scene, kind and way."""
    groups: dict[tuple[str, str, str], list[Outcome]] = defaultdict(list)
    for one in outcomes:
        groups[sweep.workflow_of(one.case), one.case.kind, one.case.how].append(one)
    return "\n".join(_row(key, found) for key, found in sorted(groups.items())) + "\n"


def _row(key: tuple[str, str, str], found: list[Outcome]) -> str:
    of = Counter(one.verdict for one in found)
    raised = sum(one.detected for one in found)
    duplicates = f"{of['duplicate']} ({raised})" if of["duplicate"] else "0"
    numbers = (len(found), of["once"], of["unknown"], duplicates, of["lost"], of["unsteady"])
    return "| " + " | ".join([*key, *map(str, numbers)]) + " |"


async def run(seed: int, most: int | None) -> list[Outcome]:
    """Sweep all, or a sample of `most` cases."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        async with sweep.opened(Path(folder) / "sweep", seed=seed) as bench:
            cases: list[Case] = await sweep.cases(bench)
            if most is not None:
                cases = random.Random(seed).sample(cases, most)
            outcomes = []
            async for outcome in sweep.swept(bench, cases):
                outcomes.append(outcome)
                if not outcome.holds:
                    sys.stdout.write(f"{outcome}\n")
                if len(outcomes) % 50 == 0:
                    sys.stdout.write(f"{len(outcomes)} of {len(cases)}\n")
                sys.stdout.flush()
    return outcomes


def main() -> int:
    """Sweep, and write the page where all of it was swept."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.sweep")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=int, help="a sample of so many cases; the page stays as it is")
    given = parser.parse_args()
    began = time.monotonic()
    outcomes = asyncio.run(run(given.seed, given.most))
    minutes = f"{(time.monotonic() - began) / 60:.0f}"
    rows = table(outcomes)
    sys.stdout.write(rows)
    if given.most is None:
        PAGE.write_text(HEAD.format(tried=len(outcomes), minutes=minutes) + rows, encoding="utf-8")
    return 0 if all(outcome.holds for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
