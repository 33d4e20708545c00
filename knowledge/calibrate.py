"""Makes `confidence.json` from question sets: `python -m knowledge.calibrate OUT HOME=FILE.jsonl …`.

Each HOME holds the edition that its questions are asked of. For every question that is answerable, a second
case is made in which its gold documents may not be read, so that nothing answers it. Each set counts the
same, and so do its answerable and its unanswerable cases: the probability is that of even odds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge import confidence, embedder, evaluate, quotes, retrieve
from knowledge.edition import Edition, Reader, open_current
from knowledge.texts import Head

SIGNALS = ("dense", "sentence", "quoted", "rarest")
RIDGE = 0.02
REFUSED = 0.12  # the share of answerable questions that may fall below the first threshold
SURE = 0.7  # from this probability on the answer stands without a caution
Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Without(Reader):
    """A reader from whom some documents are kept."""

    hidden: frozenset[str] = frozenset()

    def may_read(self, head: Head) -> bool:
        """Tell whether a document is for this reader."""
        return head.document not in self.hidden


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One question, asked of documents that answer it or do not."""

    source: str
    real: bool  # as the question set has it, not made by hiding documents
    answered: bool
    signals: tuple[float, ...]


def cases(home: Path, file: Path, model: embedder.Embedder) -> Iterator[Case]:
    """Yield the cases of one question set."""
    edition = open_current(home)
    for question in evaluate.load(file):
        if not isinstance(question.answerable, bool):
            continue
        asked = retrieve.query(
            edition, model, question.question, question.history, reader=Without(today=date.max)
        )
        yield _case(edition, asked, file, hidden=frozenset(), real=True, answered=question.answerable)
        if question.answerable and question.gold:
            hidden = frozenset(question.gold).union(*question.equivalent.values())
            yield _case(edition, asked, file, hidden=hidden, real=False, answered=False)


def _case(
    edition: Edition, asked: retrieve.Query, file: Path, *, hidden: frozenset[str], real: bool, answered: bool
) -> Case:
    hits = retrieve.rank(edition, asked, reader=Without(today=date.max, hidden=hidden))
    found = confidence.signals(edition, asked, hits, quotes.candidates(edition, asked, hits))
    values = tuple(found[name] for name in SIGNALS)
    return Case(source=file.parent.name, real=real, answered=answered, signals=values)


def fit(known: Sequence[Case]) -> tuple[Numbers, float]:
    """Return weights and bias of a ridge-regularised logistic regression (Newton's method)."""
    values = np.array([case.signals for case in known])
    truth = np.array([case.answered for case in known], dtype=np.float64)
    share = _shares(known)
    mean, spread = values.mean(axis=0), values.std(axis=0) + 1e-9
    design = np.c_[(values - mean) / spread, np.ones(len(known))]
    ridge = np.diag([RIDGE] * values.shape[1] + [0.0])
    found = np.zeros(design.shape[1])
    for _ in range(30):
        guess = 1 / (1 + np.exp(-design @ found))
        slope = design.T @ (share * (guess - truth)) + ridge @ found
        bend = (design * (share * guess * (1 - guess))[:, None]).T @ design + ridge
        found -= np.linalg.solve(bend, slope)
    weights = found[:-1] / spread
    return weights, float(found[-1] - weights @ mean)


def _shares(known: Sequence[Case]) -> Numbers:
    kinds = [(case.source, case.answered) for case in known]
    share = np.array([1 / kinds.count(kind) for kind in kinds])
    total: Numbers = share / share.sum()
    return total


def report(known: Sequence[Case]) -> dict[str, Any]:
    """Return weights, thresholds, and how well each set is told apart by weights from the others."""
    weights, bias = fit(known)
    apart: dict[str, float | None] = {}
    for source in sorted({case.source for case in known}):
        others = [case for case in known if case.source != source]
        held = [case for case in known if case.source == source and case.real]
        if others and held:
            own, shift = fit(others)
            scored = [(case.answered, float(own @ np.array(case.signals) + shift)) for case in held]
            apart[source] = evaluate.auc([s for yes, s in scored if yes], [s for yes, s in scored if not yes])
    return {
        "weights": {name: round(float(weight), 4) for name, weight in zip(SIGNALS, weights, strict=True)},
        "bias": round(bias, 4),
        "cautioned": round(_threshold(known, weights, bias), 3),
        "answered": SURE,
        "made_from": {source: sum(case.source == source for case in known) for source in apart},
        "auc_when_held_out": {
            source: None if area is None else round(area, 3) for source, area in apart.items()
        },
    }


def _threshold(known: Sequence[Case], weights: Numbers, bias: float) -> float:
    """Return the probability below which, on average over the sets, REFUSED of the answerable cases fall."""
    answerable = [case for case in known if case.real and case.answered]
    share = _shares(answerable)
    sure = 1 / (1 + np.exp(-(np.array([case.signals for case in answerable]) @ weights + bias)))
    order = np.argsort(sure)
    return float(sure[order][np.searchsorted(np.cumsum(share[order]), REFUSED)])


def main() -> None:
    """Read the question sets that are named and write the file."""
    parser = argparse.ArgumentParser(prog="python -m knowledge.calibrate", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("sets", nargs="+", metavar="HOME=FILE.jsonl")
    options = parser.parse_args()
    pairs = [(Path(home), Path(file)) for home, _, file in (one.partition("=") for one in options.sets)]
    model = embedder.load(pairs[0][0])
    known = [case for home, file in pairs for case in cases(home, file, model)]
    options.out.write_text(json.dumps(report(known), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
