"""What knowledge costs: `make bench-knowledge`, or `python -m tests.bench.knowledge FOLDER [NAME...]`.

Prints a line of JSON for each figure. FOLDER keeps the model and the synthetic editions for the next time.
Everything is measured against something else on the same machine at the same time, so that the ratios hold on
another one too; the times do not.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS = 120


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}; default: all")
    parser.add_argument("--handbook", type=Path, help="for the ingests, in place of a synthetic one")
    options = parser.parse_args()
    folder: Path = options.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    for name in options.names or BENCHES:
        for figure in BENCHES[name](folder, options.handbook):
            sys.stdout.write(f"{json.dumps({'bench': name, **figure})}\n")
            sys.stdout.flush()


def cold(folder: Path, handbook: Path | None, rounds: int = 3) -> Iterator[dict[str, Any]]:
    """An ingest into an empty home, against the embedder alone on the same passages.

    Each in a process of its own, with its start, imports and the loading of the model; the best of three.
    """
    source = handbook or _files(folder, documents=60)
    runs: dict[str, list[float]] = {"embedder": [], "ingest": []}
    work: dict[str, list[float]] = {"embedder": [], "ingest": []}
    for number in range(rounds):
        for name, times in runs.items():
            home = _home(folder, f"cold-{number}-{name}")
            if name == "embedder":
                _said("passages", source, home)
            begun = _worked()
            times.append(_process(name, source, home))
            work[name].append(_worked() - begun)
            shutil.rmtree(home)
    figure = _against(runs["ingest"], runs["embedder"], goal=1.3, per="the embedder alone")
    yield figure | {"ratio_of_processor_time": round(min(work["ingest"]) / min(work["embedder"]), 2)}


def again(folder: Path, handbook: Path | None) -> Iterator[dict[str, Any]]:
    """An ingest that finds nothing changed, against hashing the files. Without the interpreter's start."""
    source = handbook or _files(folder, documents=900)
    home = _home(folder, "again")
    from knowledge.build import build
    from knowledge.sources.folder import Folder
    from tests.bench.corpus import Chance
    from tests.unit.knowledge.conftest import Heard

    build(home, [Folder(source)], Chance(), Heard()).close()
    runs: dict[str, list[float]] = {"hash": [], "again": []}
    for _ in range(7):
        for name, times in runs.items():
            times.append(float(_said(name, source, home)))
    shutil.rmtree(home)
    yield _against(runs["again"], runs["hash"], goal=2.0, per="hashing the files")


def answer(folder: Path, handbook: Path | None) -> Iterator[dict[str, Any]]:
    """Answers with an audience filter, warm, against the embedding of one question."""
    for passages, share, goal in ((10_000, 50, 5.0), (100_000, 95, 15.0)):
        asked = json.loads(_said("answers", _synthetic(folder, passages), folder))
        one = statistics.median(asked["embed"])
        took = statistics.quantiles(asked["ask"], n=100)[share - 1]
        yield {
            "passages": passages,
            f"answer_p{share}_ms": round(took, 2),
            "embed_one_question_p50_ms": round(one, 2),
            **_judged(took / one, goal),
            "of_it_ms": {name: round(value, 2) for name, value in asked["parts"].items()},
        }


def memory(folder: Path, handbook: Path | None) -> Iterator[dict[str, Any]]:
    """What is resident of a serving process at 100,000 passages, after 120 different questions."""
    found = json.loads(_said("memory", _synthetic(folder, 100_000), folder))
    yield {"passages": 100_000, **found, "goal": 700, "holds": found["resident_mb"] <= 700}


def _against(times: list[float], others: list[float], *, goal: float, per: str) -> dict[str, Any]:
    best, other = min(times), min(others)
    return {
        "seconds": round(best, 4),
        "against": per,
        "its_seconds": round(other, 4),
        **_judged(best / other, goal),
    }


def _judged(ratio: float, goal: float) -> dict[str, Any]:
    return {"ratio": round(ratio, 2), "goal": goal, "holds": ratio <= goal}


def _files(folder: Path, documents: int) -> Path:
    from tests.bench.corpus import write_files

    place = folder / f"files-{documents}"
    if not place.exists():
        write_files(place, documents)
    return place


def _synthetic(folder: Path, passages: int) -> Path:
    from tests.bench.corpus import edition

    home = _home(folder, f"synthetic-{passages}")
    edition(home, passages)
    return home


def _home(folder: Path, name: str) -> Path:
    """Return a home that shares the model with the others."""
    from knowledge import embedder

    embedder.load(folder)
    home = folder / name
    home.mkdir(exist_ok=True)
    if not (home / "models").exists():
        (home / "models").symlink_to(folder / "models")
    return home


def _worked() -> float:
    """Return the processor time of all processes that have ended, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _process(*words: str | Path) -> float:
    started = time.perf_counter()
    _said(*words)
    return time.perf_counter() - started


def _said(*words: str | Path) -> str:
    command = [sys.executable, "-m", "tests.bench.subject", *map(str, words)]
    # As installed, with compiled modules, which a setting of whoever measures may forbid to write.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


Bench = Callable[[Path, Path | None], Iterator[dict[str, Any]]]
BENCHES: dict[str, Bench] = {"cold": cold, "again": again, "answer": answer, "memory": memory}


if __name__ == "__main__":
    main()
