"""`make figures`: measure what is promised, and print one line of JSON for each figure.

Every other module of this folder is one measure: `async def measure(*, quick: bool)` yields its figures.
Names on the command line choose among them. `--quick` takes a seeded sample of each: two at a time, but for
those that measure time. What is taken in full is written into docs/figures.md. Exits 1 where a promise does
not hold.
"""

import argparse
import asyncio
import importlib
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from tests.figures import page
from tests.figures.record import Figure

TIMED = frozenset({"availability", "cost", "clicks", "waiting"})  # nothing else may run beside these

Measure = Callable[..., AsyncIterator[Figure]]


def names() -> list[str]:
    """Return the names of all measures."""
    here = {path.stem for path in Path(__file__).parent.glob("*.py")}
    return sorted(here - {"__main__", "page", "record"})


async def take(name: str, *, quick: bool) -> bool:
    """Print the figures of one measure; say whether all of them hold."""
    measure: Measure = importlib.import_module(f"tests.figures.{name}").measure
    began, taken = time.monotonic(), []
    async for figure in measure(quick=quick):
        sys.stdout.write(f"{figure.line()}\n")
        sys.stdout.flush()
        taken.append(figure)
    sys.stderr.write(f"{name}: {time.monotonic() - began:.0f} s\n")
    if not quick:
        page.write(name, taken)
    return all(one.holds for one in taken)


def main() -> int:
    """Take the measures that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.figures", description="Measure what is promised.")
    parser.add_argument("name", nargs="*", help=f"one or more of: {', '.join(names())} (all)")
    parser.add_argument("--quick", action="store_true", help="a seeded sample of each, in about two minutes")
    given = parser.parse_args()
    if unknown := set(given.name) - set(names()):
        parser.error(f"there is no measure {', '.join(sorted(unknown))}")
    wanted = given.name or names()
    if given.quick and len(wanted) > 1:
        return asyncio.run(_sampled(wanted))
    held = [asyncio.run(take(name, quick=given.quick)) for name in wanted]
    return 0 if all(held) else 1


async def _sampled(wanted: Sequence[str]) -> int:
    """Take a sample of each, in processes of their own."""
    free = asyncio.Semaphore(2)

    async def sample(name: str) -> int:
        async with free:
            command = (sys.executable, "-m", "tests.figures", name, "--quick")
            process = await asyncio.create_subprocess_exec(*command)
            return await process.wait()

    counted = [name for name in wanted if name not in TIMED]
    codes = await asyncio.gather(*map(sample, counted))
    codes += [await sample(name) for name in wanted if name in TIMED]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
