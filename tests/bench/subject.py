"""What is measured, each in a process of its own: `python -m tests.bench.subject NAME A B`."""

import hashlib
import json
import statistics
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

QUESTIONS = 120
TODAY = date(2026, 6, 1)
AUDIENCES = frozenset({"everyone", "finance"})


def passages(source: Path, home: Path) -> None:
    """Write down the passages of a folder, for `embedder`."""
    from knowledge.chunks import chunks_of
    from knowledge.sources.base import Entry
    from knowledge.sources.folder import Folder

    entries = [one for one in Folder(source).entries() if isinstance(one, Entry)]
    chunks = [chunk for entry in entries for chunk in chunks_of(entry.read())]
    (home / "passages.json").write_text(json.dumps([[chunk.text, chunk.spans] for chunk in chunks]))


def embedder(source: Path, home: Path) -> None:
    """Load the model and read every passage, and nothing else."""
    from knowledge import embedder

    rows = json.loads((home / "passages.json").read_text())
    embedder.load(home).read([(text, spans) for text, spans in rows])


def ingest(source: Path, home: Path) -> None:
    """Ingest as the command does."""
    from bot.cli import app

    app(["ingest", str(source), "--home", str(home)], standalone_mode=False)


def hash(source: Path, home: Path) -> None:  # noqa: A001 - the name of what is measured
    """Print how long hashing every file takes."""
    started = time.perf_counter()
    for path in sorted(source.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                hashlib.file_digest(file, "sha256").hexdigest()
    print(time.perf_counter() - started)


def again(source: Path, home: Path) -> None:
    """Print how long an ingest takes that finds nothing to do, with the imports that it needs for that."""
    import bot.cli  # noqa: F401 - what any command imports

    started = time.perf_counter()
    from knowledge.ingest import ingest
    from knowledge.sources.folder import Folder

    class Same:
        fingerprint = "chance-1"

    class Silence:
        def __getattr__(self, name: str) -> Any:
            return lambda *_: None

    done = ingest(home, [Folder(source)], Same(), Silence())  # type: ignore[arg-type]  # it embeds nothing
    took = time.perf_counter() - started
    assert done.unchanged
    print(took)


def _questions() -> list[str]:
    import numpy as np

    from tests.bench.corpus import words

    return [
        f"What about {' '.join(words(8, np.random.default_rng(1_000_000 + n)))}?" for n in range(QUESTIONS)
    ]


def answers(home: Path, folder: Path) -> None:
    """Print how long answers take, and the embedding of one question between them."""
    from knowledge import embedder
    from knowledge.answer import Library
    from knowledge.edition import Reader, open_current

    model = embedder.load(folder)
    library = Library(open_current(home), model)
    reader = Reader(today=TODAY, audiences=AUDIENCES)
    embed, ask, parts = [], [], []
    questions = _questions()
    for place, question in enumerate([*questions[:20], *questions]):
        started = time.perf_counter()
        model.embed([question])
        between = time.perf_counter()
        found = library.ask(question, reader=reader)
        ended = time.perf_counter()
        if place >= 20:
            embed.append((between - started) * 1000)
            ask.append((ended - between) * 1000)
            parts.append(found.timings_ms)
    median = {name: statistics.median(part[name] for part in parts) for name in parts[0]}
    print(json.dumps({"embed": embed, "ask": ask, "parts": median}))


def memory(home: Path, folder: Path) -> None:
    """Print what is resident of a process that has loaded what `countersign run` loads, and answers."""
    steps = {"interpreter": _resident()}
    import bot.app  # noqa: F401 - all that a running bot imports

    steps["imports"] = _resident()
    from bot.shelf import Shelf
    from knowledge import embedder
    from knowledge.edition import Reader
    from knowledge.serving import CurrentFile

    model = embedder.load(folder)
    steps["model"] = _resident()
    shelf = Shelf(home, model, CurrentFile(home))
    shelf.library()
    steps["edition"] = _resident()
    reader = Reader(today=TODAY, audiences=AUDIENCES)
    for question in _questions():
        shelf.library().ask(question, reader=reader)
    steps["questions"] = _resident()
    print(json.dumps({"resident_mb": steps["questions"], "after_mb": steps, "kinds_mb": _kinds()}))


def _kinds() -> dict[str, int]:
    lines = Path("/proc/self/status").read_text().splitlines()
    rows = dict(line.split(":", 1) for line in lines)
    return {name: int(rows[name].split()[0]) // 1024 for name in ("RssAnon", "RssFile")}


def _resident() -> int:
    return sum(_kinds().values())


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
