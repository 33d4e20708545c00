"""`make crash-sweep`: sweep everything, and renew docs/crash-sweep.md. Exits 1 where it does not hold.

A sweep that was interrupted goes on where it was, as long as neither the code nor the seed has changed.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from contextlib import aclosing
from pathlib import Path

from tests.crash.sweep import diary, page, sweep
from tests.crash.sweep.diary import Diary

OFTEN = 15.0  # seconds between two lines that say how far it is


async def run(seed: int, most: int | None, *, anew: bool) -> tuple[Diary, float]:
    """Sweep all, or a sample of `most` cases. Returns what was tried, and the seconds it took."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        async with sweep.opened(Path(folder) / "sweep", seed=seed) as bench:
            kept = await _diary(bench, seed, most, anew=anew)
            began = time.monotonic() - kept.seconds
            first, told, already = time.monotonic(), 0.0, len(kept.outcomes)
            async with aclosing(sweep.swept(bench, kept.left)) as outcomes:
                async for outcome in outcomes:
                    kept.note(outcome, time.monotonic() - began)
                    if not outcome.holds:
                        sys.stdout.write(f"{outcome}\n")
                    if time.monotonic() - told > OFTEN:
                        told = time.monotonic()
                        pace = (told - first) / (len(kept.outcomes) - already)
                        _say(kept, pace)
            return kept, time.monotonic() - began


async def _diary(bench: sweep.Bench, seed: int, most: int | None, *, anew: bool) -> Diary:
    if most is None and not anew and (kept := diary.found(diary.FILE, seed)) is not None:
        sys.stdout.write(f"goes on after {len(kept.outcomes):,} cases; --anew begins again\n")
        return kept
    cases = await sweep.cases(bench)
    chosen = random.Random(seed).sample(cases, len(cases) if most is None else most)  # slow and quick mixed
    return diary.begin(diary.FILE if most is None else bench.folder / "outcomes.jsonl", seed, chosen)


def _say(kept: Diary, pace: float) -> None:
    left = len(kept.left)
    sys.stdout.write(f"{len(kept.outcomes):,} of {len(kept.cases):,}, {left * pace / 60:.0f} minutes left\n")
    sys.stdout.flush()


def main() -> int:
    """Sweep, and write the page where all of it was swept."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.sweep")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=int, help="a sample of so many cases; the page stays as it is")
    parser.add_argument("--anew", action="store_true", help="do not go on with a sweep that was interrupted")
    given = parser.parse_args()
    try:
        kept, seconds = asyncio.run(run(given.seed, given.most, anew=given.anew))
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command goes on from here\n")
        return 130
    sys.stdout.write(f"{page.by_kind(kept.outcomes)}\n{page.by_workflow(kept.outcomes)}")
    sys.stdout.write(f"{len(kept.outcomes):,} cases, {seconds / 60:.1f} minutes\n")
    if given.most is None:
        arguments = f' ARGS="--seed {given.seed}"' if given.seed != 1 else ""
        page.PAGE.write_text(
            page.written(kept.outcomes, seconds=seconds, arguments=arguments), encoding="utf-8"
        )
        kept.file.unlink()
    return 0 if all(outcome.holds for outcome in kept.outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
