"""`make figures`: measure what is promised, and print one line of JSON for each figure.

Every other module of this folder is one measure: `async def measure(*, quick: bool)` yields its figures.
Names on the command line choose among them; `--quick` takes a seeded sample of each. Exits 1 where a promise
does not hold.
"""

import argparse
import asyncio
import importlib
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from tests.figures.record import Figure

Measure = Callable[..., AsyncIterator[Figure]]


def names() -> list[str]:
    """Return the names of all measures."""
    here = {path.stem for path in Path(__file__).parent.glob("*.py")}
    return sorted(here - {"__main__", "record"})


async def take(name: str, *, quick: bool) -> bool:
    """Print the figures of one measure; say whether all of them hold."""
    measure: Measure = importlib.import_module(f"tests.figures.{name}").measure
    began, hold = time.monotonic(), True
    async for figure in measure(quick=quick):
        sys.stdout.write(f"{figure.line()}\n")
        sys.stdout.flush()
        hold = hold and figure.holds
    sys.stderr.write(f"{name}: {time.monotonic() - began:.0f} s\n")
    return hold


def main() -> int:
    """Take the measures that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.figures", description="Measure what is promised.")
    parser.add_argument("name", nargs="*", help=f"one or more of: {', '.join(names())} (all)")
    parser.add_argument("--quick", action="store_true", help="a seeded sample of each, in about two minutes")
    given = parser.parse_args()
    if unknown := set(given.name) - set(names()):
        parser.error(f"there is no measure {', '.join(sorted(unknown))}")
    held = [asyncio.run(take(name, quick=given.quick)) for name in given.name or names()]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
