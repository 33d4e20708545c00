"""What the processes of `test_ingest_killed.py` do."""

import time
from datetime import UTC, datetime
from multiprocessing.synchronize import Event
from pathlib import Path

from knowledge import vectors  # noqa: F401 - Chroma, imported before anything is timed
from knowledge.build import build
from knowledge.edition import open_current, vectors_hash
from knowledge.keeping import Retention, sweep
from knowledge.serving import CurrentFile
from knowledge.sources.folder import Folder
from tests.unit.knowledge.conftest import Heard, Words


def ingest(home: Path, source: Path, begun: Event | None = None) -> None:
    """Build one edition, as `countersign ingest` does."""
    if begun is not None:
        begun.set()
    build(home, [Folder(source)], Words(), Heard()).close()


def ingest_often(home: Path, source: Path, rounds: int, begun: Event) -> None:
    """Build one edition after another, each time sweeping what may be swept."""
    serving = CurrentFile(home)
    begun.set()
    for number in range(rounds):
        (source / "changing.md").write_text(f"# Changing\n\nThis is round {number}.\n")
        ingest(home, source)
        sweep(home, serving, Retention(editions=1, days=1), now=datetime.now(UTC))


def read_on(home: Path, enough: Event, done: Path) -> None:
    """Open what serves, again and again, and look at all of it; write down how often, and what."""
    seen: set[str] = set()
    rounds = 0
    while not enough.is_set():
        edition = open_current(home)
        assert edition.section("leave.md", "leave") is not None
        assert edition.section("changing.md", "changing") is not None
        assert vectors_hash(edition.matrix) == edition.manifest["vectors"]
        seen.add(edition.id)
        edition.close()
        rounds += 1
        time.sleep(0.005)
    done.write_text(f"{rounds} {len(seen)}")
