"""D1, D2: an audience that is not understood closes its document; what reads files reaches and takes no more.

Every case of the tests is tried; a sample leaves out the bombs but two.
"""

import random
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from knowledge.sources.apart import Apart
from tests.figures.record import Figure, none_wrong
from tests.unit.knowledge import test_closed as closed
from tests.unit.knowledge import test_confined as confined
from tests.unit.knowledge import test_swapped as swapped

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
SEED = SAMPLE = 2  # of the bombs


async def measure(*, quick: bool) -> AsyncIterator[Figure]:
    """Count documents that are open or closed wrongly, and what a file or its reader got away with."""
    with tempfile.TemporaryDirectory(prefix="documents-") as name:
        folder = Path(name)
        malformed = list(_malformed())
        wrong = [one for one in malformed if not closed.is_closed(folder, *one)]
        what = "files whose audience is not understood; those that are open"
        yield _figure("D1", what, malformed, wrong, least=354)
        texts = [*closed.OPEN.values(), *(path.read_text("utf-8") for path in closed.handbooks(SHARED))]
        shut = [text for text in texts if not closed.is_open(text)]
        what = "texts that speak of an audience, and pages of handbooks; those that are closed"
        yield _figure("D1", what, texts, shut, least=168)
        tried, got = _reached(folder)
        yield none_wrong(
            "D2",
            "things that the process which reads files could have or reach; those that it had or reached",
            tried=tried,
            wrong=got,
            least=2 * 13 + 6,
        )
        checks = list(_exchanged(folder))
        what = "files exchanged before or while they are read or copied; those read, or that held up others"
        yield _figure("D2", what, checks, _failed(checks), least=17)
    bombs = random.Random(SEED).sample(sorted(confined.BOMBS), SAMPLE) if quick else list(confined.BOMBS)
    yield _bounded(bombs, full=not quick)


def _malformed() -> Iterator[tuple[str, str | bytes]]:
    """Yield the name and content of every file that must be closed."""
    for text in (*closed.FENCES.values(), *map(closed.of_value, closed.VALUES)):
        yield from closed.pages(text)
    for key in closed.KEYS:  # where a key can mean it: in front matter, which stands at the very top
        yield from ((name, closed.of_key(key)) for name in ("a.md", "a.txt", "a.html"))
    yield from (("a.html", closed.with_part(part)) for part in closed.PARTS)
    yield from ((path.name, path.read_bytes()) for path in closed.malformed(SHARED))


def _reached(folder: Path) -> tuple[int, int]:
    """Return how much was tried of a confined process, and how much of it was there."""
    tries = [confined.reached(before) for before in confined.BEFORE]
    got = [*confined.inherited(folder), *(name for _, names in tries for name in names)]
    sys.stderr.writelines(f"wrong: {name} is not refused\n" for name in got)
    return 6 + sum(tried for tried, _ in tries), len(got)


def _exchanged(folder: Path) -> Iterator[Callable[[], None]]:
    kinds = (
        (swapped.exchanged_after_the_listing, swapped.ACTS),
        (swapped.odd_from_the_start, swapped.ODD_AT_ONCE),
        (swapped.exchanged_while_copied, swapped.WHILE_COPIED),
    )
    for check, acts in kinds:
        for act in acts:
            yield partial(check, folder / check.__name__ / act.__name__, act)


def _bounded(bombs: Iterable[str], *, full: bool) -> Figure:
    """Have each bomb read under the kernel's limits, and what once took minutes."""
    reading = Apart(seconds=4, memory=300 * 2**20)
    checks: list[Callable[[], None]] = [partial(confined.is_bounded, reading, name) for name in bombs]
    checks += [partial(confined.is_sheet_read_in_time, piece) for piece in confined.SHEETS]
    checks += [partial(confined.is_paragraph_cut_in_time, piece) for piece in confined.PARAGRAPHS]
    wrong = _failed(checks)
    reading.close()
    what = "files that ask for much memory or time; those that got it, or kept the next one from being read"
    return _figure("D2", what, checks, wrong, least=23 + (11 if full else SAMPLE))


def _failed(checks: Iterable[Callable[[], None]]) -> list[object]:
    """Return what went wrong."""
    wrong: list[object] = []
    for check in checks:
        try:
            check()
        except AssertionError:
            wrong.append(check)
    return wrong


def _figure(
    promise: str, what: str, tried: Sequence[object], wrong: Sequence[object], *, least: int
) -> Figure:
    sys.stderr.writelines(f"wrong: {str(one)[:300]!r}\n" for one in wrong)
    return none_wrong(promise, what, tried=len(tried), wrong=len(wrong), least=least)
