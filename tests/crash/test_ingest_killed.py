"""Ingests that are killed, that meet each other, and that meet readers and a sweep: real processes."""

import multiprocessing
import random
import time
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from knowledge.edition import Edition
from knowledge.keeping import ids
from knowledge.serving import CurrentFile
from knowledge.verify import damages
from tests.crash import ingesting

pytestmark = pytest.mark.crash

KILLS = 20
PATIENCE = 120.0
LEAVE = "# Leave\n\nEverybody has {days} days.\n\n## Sick leave\n\nTell your manager by 9:00.\n"


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Processes that have imported what they need before they are timed and killed."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.crash.ingesting"])
    return context


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(40):
        (source / f"policy-{number}.md").write_text(
            f"# Policy {number}\n\nRule {number} is this. {'Word ' * 40}\n\n## More of it\n\nAnd that.\n"
        )
    (source / "leave.md").write_text(LEAVE.format(days=25))
    (source / "changing.md").write_text("# Changing\n\nThis is the beginning.\n")
    return source


def served(home: Path) -> str:
    """Return the edition that serves, which must be whole."""
    name = CurrentFile(home).current()
    assert name is not None
    assert list(damages(home / "editions" / name)) == []
    return name


def left_over(home: Path) -> list[str]:
    editions = home / "editions"
    return [path.name for path in (*editions.glob(".building-*"), *editions.glob(".sweeping-*"))]


def started(processes: ForkServerContext, home: Path, source: Path) -> tuple[ForkServerProcess, Event]:
    """Start an ingest; the event says that it has begun."""
    ready = processes.Event()
    process = processes.Process(target=ingesting.ingest, args=(home, source, ready))
    process.start()
    return process, ready


def test_an_ingest_that_is_killed_at_any_moment_leaves_a_whole_edition_serving(
    processes: ForkServerContext, home: Path, source: Path
) -> None:
    ingesting.ingest(home, source)
    (source / "leave.md").write_text(LEAVE.format(days=26))
    undisturbed, ready = started(processes, home, source)
    assert ready.wait(PATIENCE)
    begun = time.monotonic()
    undisturbed.join(PATIENCE)
    whole = time.monotonic() - begun
    chance = random.Random(20)
    before = served(home)
    outcomes = []
    for number in range(KILLS):
        (source / "leave.md").write_text(LEAVE.format(days=100 + number))
        (source / f"new-{number}.md").write_text(f"# New {number}\n\nAs of now {number} is new.\n")
        process, ready = started(processes, home, source)
        assert ready.wait(PATIENCE)
        process.join(chance.uniform(0, 1.1 * whole))
        process.kill()
        process.join(PATIENCE)
        now = served(home)
        outcomes.append("new" if now != before else "old")
        edition = Edition(home / "editions" / now)
        assert edition.section("leave.md", "leave") is not None
        edition.close()
        before = now
    print(
        f"after {KILLS} kills: {outcomes.count('old')} times the old edition, {outcomes.count('new')} the new"
    )
    assert "old" in outcomes
    ingesting.ingest(home, source)
    assert served(home) != before or outcomes[-1] == "new"
    assert left_over(home) == []


def test_of_two_ingests_at_once_one_waits_and_both_are_whole(
    processes: ForkServerContext, home: Path, source: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "pay.md").write_text("# Pay\n\nPaid on the 25th.\n")
    both = [started(processes, home, folder) for folder in (source, other)]
    for process, _ in both:
        process.join(PATIENCE)
    assert [process.exitcode for process, _ in both] == [0, 0]
    assert len(ids(home)) == 2
    for name in ids(home):
        assert list(damages(home / "editions" / name)) == []
    assert served(home) in ids(home)
    assert left_over(home) == []


def test_readers_in_other_processes_meet_whole_editions_while_others_are_built_and_swept(
    processes: ForkServerContext, home: Path, source: Path, tmp_path: Path
) -> None:
    for path in source.glob("policy-*.md"):
        path.unlink()
    ingesting.ingest(home, source)
    enough, begun = processes.Event(), processes.Event()
    counts = [tmp_path / f"reader-{number}" for number in range(3)]
    readers = [processes.Process(target=ingesting.read_on, args=(home, enough, count)) for count in counts]
    writer = processes.Process(target=ingesting.ingest_often, args=(home, source, 6, begun))
    for process in (*readers, writer):
        process.start()
    writer.join(PATIENCE)
    enough.set()
    for process in readers:
        process.join(PATIENCE)
    assert [process.exitcode for process in (writer, *readers)] == [0, 0, 0, 0]
    for count in counts:
        rounds, seen = map(int, count.read_text().split())
        assert rounds >= seen > 1
    assert len(ids(home)) < 7
    assert served(home)
