"""What a sweep has tried so far, on the disk, so that one that was interrupted goes on where it was."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.crash.sweep.sweep import Case, Outcome

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / ".crash-sweep" / "outcomes.jsonl"
TRIED = ("bot", "graphs", "connectors", "tests/crash", "tests/ledger")  # what the outcomes depend on


@dataclass(frozen=True, kw_only=True)
class Diary:
    """The cases, and the outcomes of those that were tried."""

    file: Path
    seed: int
    cases: Sequence[Case]
    outcomes: list[Outcome]
    seconds: float  # that they took

    @property
    def left(self) -> list[Case]:
        """What is still to be tried."""
        tried = {one.case for one in self.outcomes}
        return [one for one in self.cases if one not in tried]

    def note(self, outcome: Outcome, seconds: float) -> None:
        """Write an outcome down, and when in the sweep it was."""
        self.outcomes.append(outcome)
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"seconds": seconds, "outcome": asdict(outcome)}) + "\n")


def begin(file: Path, seed: int, cases: Sequence[Case]) -> Diary:
    """Begin a diary anew."""
    file.parent.mkdir(exist_ok=True)
    head = {"seed": seed, "code": _code(), "cases": [asdict(one) for one in cases]}
    file.write_text(json.dumps(head) + "\n", encoding="utf-8")
    return Diary(file=file, seed=seed, cases=cases, outcomes=[], seconds=0.0)


def found(file: Path, seed: int) -> Diary | None:
    """Return the diary of an interrupted sweep of the same code and seed."""
    if not file.exists() or not (lines := [json.loads(line) for line in _whole(file)]):
        return None
    head, *tried = lines
    if (head["seed"], head["code"]) != (seed, _code()):
        return None
    cases = [Case(**one) for one in head["cases"]]
    seconds = max((line["seconds"] for line in tried), default=0.0)
    return Diary(
        file=file,
        seed=seed,
        cases=cases,
        outcomes=[_outcome(one["outcome"]) for one in tried],
        seconds=seconds,
    )


def _outcome(written: dict[str, Any]) -> Outcome:
    return Outcome(**{**written, "case": Case(**written["case"])})


def _whole(file: Path) -> list[str]:
    """Return the lines, without a last one that was cut off, and cut that off the file too."""
    text = file.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        file.write_text(whole, encoding="utf-8")
    return whole.splitlines()


def _code() -> str:
    """The state of what is tried."""
    total = hashlib.sha256()
    for folder in TRIED:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in {".py", ".sql", ".cedar", ".cedarschema"}:
                total.update(path.read_bytes())
    return total.hexdigest()
