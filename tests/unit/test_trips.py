"""What the figure `trips` counts."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator
from types import FrameType

from tests.figures import trips

TEXT = '''\
"""A module.

Its docstring has three lines.
"""

import sys  # one


def greet() -> None:
    """Greet."""
    # to whom it may concern
    sys.stdout.write(
        """Hello

        there"""
    )
'''


def test_neither_comments_nor_docstrings_nor_empty_lines_are_code() -> None:
    assert trips.lines_of_code(TEXT) == len(["import", "def", "write", "Hello", "", "there", ")"])


async def waiting() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def yielding() -> Iterator[int]:
    yield from range(3)


def test_what_goes_on_after_a_wait_was_called_once() -> None:
    started: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and trips.is_start(frame):
            started[frame.f_code.co_name] += 1

    sys.setprofile(note)
    try:
        asyncio.run(waiting())
        list(yielding())
    finally:
        sys.setprofile(None)
    assert (started["waiting"], started["yielding"]) == (1, 1)
