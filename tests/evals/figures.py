"""Makes the figures of docs/evaluation.md: `make evaluate`.

Ingests each set into a home of its own under `.evaluation/`, which is kept so that a second time is quicker,
runs `countersign evaluate` on it, and puts the tables between the marks in the page and the curves beside it.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
PAGE = ROOT / "docs" / "evaluation.md"
MARKS = ("<!-- figures: made by `make evaluate` -->", "<!-- end of figures -->")


@dataclass(frozen=True)
class Set:
    """A question set, the documents that it asks about, and what we want of it: a dotted name and a bound."""

    name: str
    title: str
    documents: str
    goals: dict[str, float]

    @property
    def questions(self) -> Path:
        return DATA / "questions" / self.name / "questions.jsonl"


UNANSWERED = {"abstention.answered_unanswerable": 0.08, "abstention.refused_answerable": 0.12}
SETS = (
    Set(
        "civicactions",
        "CivicActions handbook",
        "handbooks/civicactions/docs",
        {
            "retrieval.recall@1": 0.90,
            "retrieval.recall@5": 0.98,
            "retrieval.ndcg@10": 0.94,
            "answers.shown": 0.85,
            "answers.citation_precision": 0.90,
            "abstention.auc": 0.96,
        }
        | UNANSWERED,
    ),
    Set(
        "mtrag-un",
        "MTRAG-UN, conversations",
        "questions/mtrag-un/pool.jsonl",
        {
            "retrieval.recall@5": 0.93,
            "retrieval.ndcg@10": 0.92,
            "answers.citation_precision": 0.90,
            "abstention.auc": 0.88,
        }
        | UNANSWERED,
    ),
    Set(
        "clapnq",
        "CLAPnq, half of it near misses",
        "questions/clapnq/docs.jsonl",
        {"answers.citation_precision": 0.90} | UNANSWERED,
    ),
    Set(
        "chroma-chunking",
        "Chroma's chunking benchmark",
        "questions/chroma-chunking/docs",
        {"tokens.recall@5": 0.88},
    ),
)
ROWS = {
    "retrieval.recall@1": "recall at 1",
    "retrieval.recall@5": "recall at 5",
    "retrieval.ndcg@10": "nDCG at 10",
    "answers.shown": "the right sentence is shown",
    "answers.citation_precision": "citations from a right document",
    "abstention.auc": "answerable told from unanswerable (AUC)",
    "abstention.answered_unanswerable": "unanswerable questions answered, cautions counted",
    "abstention.refused_answerable": "answerable questions refused",
    "calibration.ece": "confidence off by, on average (ECE)",
    "coverage.aurc": "wrong answers over all coverages (AURC)",
    "tokens.recall@5": "token recall at five passages",
    "tokens.served.mean_characters": "their mean size, characters",
    "tokens.indexed_recall@5": "the same of the passages as indexed",
    "tokens.passages.mean_characters": "their mean size, characters",
    "tokens.excerpts_not_found": "excerpts without a place",
}
FEWER_IS_BETTER = frozenset(UNANSWERED)


def run(*arguments: str | Path) -> str:
    command = [sys.executable, "-m", "bot", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def measured(one: Set) -> dict[str, Any]:
    home = ROOT / ".evaluation" / one.name
    home.mkdir(parents=True, exist_ok=True)
    run("ingest", DATA / one.documents, "--home", home)
    extras: list[str | Path] = ["--compare", "--intervals"]
    if one.name == "civicactions":
        extras += ["--by", "kind"]
    if one.name != "chroma-chunking":
        extras += ["--plot", ROOT / "docs" / "images" / f"coverage-{one.name}.svg"]
    found: dict[str, Any] = json.loads(run("evaluate", one.questions, "--home", home, "--json", *extras))
    (home / "figures.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    return found


def at(figures: dict[str, Any], name: str) -> Any:
    """Return the value under a dotted name, or None."""
    value: Any = figures
    for step in name.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def shown(value: float | None) -> str:
    if value is None:
        return ""
    if value > 2 or isinstance(value, int):
        return f"{value:,.0f}"
    return f"{value:.2f}".removeprefix("0")


def table(one: Set, figures: dict[str, Any]) -> list[str]:
    """Return a set's figures, with their intervals, those of plainer searches, and the goals."""
    lines = [
        f"### {one.title}: {figures['questions']} questions",
        "",
        "| | plain BM25 | dense alone | simple mix | Countersign | 95 % | goal |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, title in ROWS.items():
        value = at(figures, name)
        if value is None:
            continue
        own = name.replace("abstention.auc", "auc")
        others = [shown(at(figures, f"compared.{search}.{own}")) for search in ("bm25", "dense", "mix")]
        spread = at(figures, f"intervals.{name}")
        wide = f"{shown(spread[0])} to {shown(spread[1])}" if spread else ""
        goal = one.goals.get(name)
        aim = f"{'at most ' if name in FEWER_IS_BETTER else ''}{shown(goal)}" if goal else ""
        met = goal and (value <= goal if name in FEWER_IS_BETTER else value >= goal)
        ours = f"**{shown(value)}**" if met else shown(value)
        lines.append(f"| {title} | {' | '.join(others)} | {ours} | {wide} | {aim} |")
    return [*lines, ""]


def kinds(by: dict[str, Any]) -> list[str]:
    lines = ["By kind of question (kinds of fewer than 20 questions say little):", ""]
    lines += [
        "| kind | questions | recall at 1 | recall at 5 | right sentence | wrongly refused or answered |"
    ]
    lines += ["|---|---|---|---|---|---|"]
    for name, kind in by["kinds"].items():
        wrong = at(kind, "abstention.refused_answerable")
        wrong = at(kind, "abstention.answered_unanswerable") if wrong is None else wrong
        cells = [
            at(kind, "retrieval.recall@1"),
            at(kind, "retrieval.recall@5"),
            at(kind, "answers.shown"),
            wrong,
        ]
        lines.append(f"| {name} | {kind['questions']} | {' | '.join(map(shown, cells))} |")
    return [*lines, ""]


def main() -> None:
    lines: list[str] = []
    for one in SETS:
        figures = measured(one)
        lines += table(one, figures)
        if "by" in figures:
            lines += kinds(figures["by"])
    text = "\n".join(lines)
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    PAGE.write_text(f"{before}{MARKS[0]}\n\n{text}\n{MARKS[1]}{after}", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
