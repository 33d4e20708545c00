"""What must be read to follow a request, a click and its job: the functions they enter, and in which files.

Counted in the office of the scenarios, where the bot's own listeners and jobs answer a workspace over a real
database and a real directory server. What an arrival or a job causes is counted, in every task and thread;
what runs by itself meanwhile (rounds, heartbeats, the stand-in for Slack) is not.

A function is a `def` of ours, counted once however often it is entered. A lambda or a comprehension is part
of the function around it. `python -m tests.figures.trips --list` names each, in the order of the first call.
"""

import argparse
import ast
import asyncio
import sys
import tempfile
import threading
import tokenize
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from statistics import median_low
from types import CodeType, FrameType
from typing import Any
from unittest import mock

from procrastinate.worker import Worker
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.blocks import approval
from bot.database import open_database
from bot.storage.embedded import Embedded
from connectors.sandbox import process
from tests.figures.record import Figure
from tests.scenario import slack_office
from tests.scenario.slack_office import ADA, APPROVERS, GRACE, Office
from tests.scenario.test_slack_office import WISH, pending, seen, settled

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("bot", "graphs", "knowledge", "connectors")
ROUNDS = 3
FREE = 1.5  # seconds after which no channel lets a message wait for its turn

REQUEST = "from the request to the card and the answer in its thread"
CLICK = "from the click on Approve until the decision is committed"
JOB = "from the job that carries it out until card and thread say that it is done"

# Before plans: functions, files and calls of each trip, and the size of the four packages.
BEFORE: Mapping[str, tuple[int, int, int]] = {
    REQUEST: (464, 87, 4227),
    CLICK: (204, 48, 1866),
    JOB: (416, 72, 5523),
}
SIZE_BEFORE: Mapping[str, int] = {"functions": 3381, "files": 377, "lines of code": 36550}

# Where a trip begins and ends. These are functions of libraries, so that ours can change.
ARRIVES: CodeType = SocketModeRequest.from_dict.__func__.__code__  # type: ignore[attr-defined]  # a class method
STARTS = Worker._process_job.__code__  # in a task of its own
ACKNOWLEDGES = AsyncAck.__call__.__code__


@dataclass(eq=False, kw_only=True)
class Trip:
    """The functions that were entered, with the number of their calls. It is over when `until` is called."""

    until: CodeType | None = None
    is_over: bool = False
    calls: Counter[CodeType] = field(default_factory=Counter)

    @property
    def files(self) -> Mapping[str, Sequence[CodeType]]:
        """The functions of each file, both in the order in which they were entered first."""
        found: dict[str, list[CodeType]] = {}
        for code in self.calls:
            found.setdefault(str(Path(code.co_filename).relative_to(ROOT)), []).append(code)
        return found


_trip: ContextVar[Trip | None] = ContextVar("trip", default=None)


class Tracer:
    """Counts calls. A task, and what it hands to a thread, belongs to the trip of whoever created it."""

    def __init__(self) -> None:
        self._arriving: Trip | None = None
        self._jobs: Trip | None = None

    @contextmanager
    def follow(self, *, arriving: Trip, jobs: Trip) -> Iterator[None]:
        """Count what the next payload from Slack causes, and apart from it what jobs do that start now."""
        self._arriving, self._jobs = arriving, jobs
        sys.setprofile(self)
        try:
            yield
        finally:
            sys.setprofile(None)

    @contextmanager
    def in_threads(self) -> Iterator[None]:
        """Look into the threads that are started meanwhile."""
        submit = ThreadPoolExecutor.submit

        def handed(
            pool: ThreadPoolExecutor, work: Callable[..., Any], /, *given: Any, **named: Any
        ) -> Future[Any]:
            return submit(pool, copy_context().run, work, *given, **named)

        threading.setprofile(self)
        try:
            with mock.patch.object(ThreadPoolExecutor, "submit", handed):
                yield
        finally:
            threading.setprofile(None)

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        """Take an event from the interpreter, in the context of the task that causes it."""
        if event != "call" or not is_start(frame):
            return
        code = frame.f_code
        if code is ARRIVES:
            self._begin(self._arriving, frame.f_back)
            self._arriving = None
        elif code is STARTS:
            self._begin(self._jobs, None)
        trip = _trip.get()
        if trip is None or trip.is_over:
            return
        if code is trip.until:
            trip.is_over = True
        elif is_ours(code):
            trip.calls[code] += 1

    def _begin(self, trip: Trip | None, around: FrameType | None) -> None:
        _trip.set(trip)
        while trip is not None and around is not None:  # whatever reads the socket was entered long ago
            if is_ours(around.f_code):
                trip.calls[around.f_code] += 1
            around = around.f_back


@cache
def is_ours(code: CodeType) -> bool:
    """Whether it is a `def` in one of the packages."""
    path = Path(code.co_filename)
    return (
        code.co_name[0] != "<" and path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in PACKAGES
    )


def is_start(frame: FrameType) -> bool:
    """Whether a function begins. One that goes on after `await` or `yield` is reported as called, too."""
    return frame.f_code.co_code[frame.f_lasti + 1] & 3 == 0  # what the instruction RESUME says about why


@asynccontextmanager
async def open_office(folder: Path) -> AsyncIterator[Office]:
    """Open an office over a database and a directory of its own."""
    home = folder / "home"
    home.mkdir()
    slack_office.write_handbook(home)
    async with (
        Embedded(folder),
        open_database(folder, None) as database,
        process.directory(folder / "directory") as directory,
        slack_office.open_office(database, folder, home, directory) as office,
    ):
        yield office


async def travel(office: Office, tracer: Tracer) -> Mapping[str, Trip]:
    """Have access asked for, approved, granted and ended, so that it can be asked for again."""
    request, click, job = Trip(), Trip(until=ACKNOWLEDGES), Trip()
    channel = await office.dm(ADA)
    await _quiet(office)
    with tracer.follow(arriving=request, jobs=request):
        ts = await office.people.message(WISH, as_=ADA, channel=channel)
        card = await pending(office)
        await seen(office, "Waiting for approval", as_=ADA, channel=channel, thread=ts)
        await settled(office)
    await _quiet(office)
    with tracer.follow(arriving=click, jobs=job):
        await office.people.action(approval.APPROVE, as_=GRACE, channel=APPROVERS, message_ts=card["ts"])
        await seen(office, "Done: access to", as_=ADA, channel=channel, thread=ts)
        await settled(office)
    await office.move_clock(timedelta(days=3, minutes=1))
    await seen(office, "has ended", as_=ADA, channel=channel, thread=ts)
    await settled(office)
    return {REQUEST: request, CLICK: click, JOB: job}


async def _quiet(office: Office) -> None:
    await settled(office)
    await asyncio.sleep(FREE)


async def travelled(rounds: int) -> Sequence[Mapping[str, Trip]]:
    """Return the trips of some rounds, after one that fills caches and imports what is imported late."""
    tracer = Tracer()
    with tempfile.TemporaryDirectory(prefix="trips-") as name, tracer.in_threads():
        async with open_office(Path(name)) as office:
            await travel(office, tracer)
            return [await travel(office, tracer) for _ in range(rounds)]


async def measure(*, quick: bool) -> AsyncIterator[Figure]:
    """Make the same request some times, and take the median of each count; then count what there is."""
    rounds = await travelled(1 if quick else ROUNDS)
    for name, (functions, files, calls) in BEFORE.items():
        trips = [each[name] for each in rounds]
        now = median_low(trip.calls.total() for trip in trips)
        what = f"functions entered {name} ({now:,} calls; {calls:,} before plans)"
        yield _halved(what, [len(trip.calls) for trip in trips], functions)
        yield _halved(f"files of these functions, {name}", [len(trip.files) for trip in trips], files)
    sizes = {package: size(ROOT / package) for package in PACKAGES}
    for what, before_plans in SIZE_BEFORE.items():
        counted = {package: found[what] for package, found in sizes.items()}
        total = sum(counted.values())
        yield Figure(
            promise="trips",
            what=f"{what} ({', '.join(f'{package} {count:,}' for package, count in counted.items())})",
            tried=len(PACKAGES),
            wrong=0,
            value=total,
            goal=f"at most {before_plans:,}, as before plans",
            holds=total <= before_plans,
        )


def _halved(what: str, counts: Sequence[int], before: int) -> Figure:
    count, most = median_low(counts), (before + 1) // 2
    return Figure(
        promise="trips",
        what=what,
        tried=len(counts),
        wrong=sum(each != count for each in counts),
        value=count,
        goal=f"at most {most}, half of the {before} before plans",
        holds=count <= most,
    )


def size(folder: Path) -> Mapping[str, int]:
    """Count the functions (each `def`), the files and the lines of code of a folder."""
    texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*.py")]
    nodes = [node for text in texts for node in ast.walk(ast.parse(text))]
    return {
        "functions": sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in nodes),
        "files": len(texts),
        "lines of code": sum(map(lines_of_code, texts)),
    }


_NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def lines_of_code(text: str) -> int:
    """Count the lines on which a token stands that is neither a comment nor part of a docstring."""
    said = {line for first, last in _docstrings(ast.parse(text)) for line in range(first, last + 1)}
    code: set[int] = set()
    for token in tokenize.generate_tokens(iter(text.splitlines(keepends=True)).__next__):
        if token.type not in _NO_CODE:
            code.update(range(token.start[0], token.end[0] + 1))
    return len(code - said)


def _docstrings(tree: ast.AST) -> Iterator[tuple[int, int]]:
    """Yield the first and the last line of each docstring."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            match node.body:
                case [ast.Expr(value=ast.Constant(value=str())) as said, *_]:
                    yield said.lineno, said.end_lineno or said.lineno


def listed(name: str, trip: Trip) -> Iterator[str]:
    """Yield the lines that name the functions of a trip by file, with the number of calls."""
    yield f"{len(trip.calls)} functions in {len(trip.files)} files, {trip.calls.total():,} calls, {name}"
    for file, functions in trip.files.items():
        yield f"  {file}"
        for code in functions:
            called = code.co_qualname.replace(".<locals>", "")
            yield f"    {code.co_firstlineno:>4} {called} ({trip.calls[code]:,})"


def main() -> None:
    """Print the figures, or with `--list` every function."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.figures.trips", description="Count what is entered."
    )
    parser.add_argument(
        "--list", action="store_true", help="name the functions of each trip by file, with calls"
    )
    if not parser.parse_args().list:
        parser.error("`python -m tests.figures trips` measures; this module only lists (--list)")
    for name, trip in asyncio.run(travelled(1))[0].items():
        sys.stdout.writelines(f"{line}\n" for line in listed(name, trip))


if __name__ == "__main__":
    main()
