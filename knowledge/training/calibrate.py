"""Makes `confidence.json` from question sets: `python -m knowledge.training.calibrate OUT HOME=FILE.jsonl …`.

Each HOME holds the edition that its questions are asked of. First the weights by which sentences are chosen
are fitted to the questions with gold sentences. Then the weights of the signals are: for every question that
is answerable, a second case is made in which its gold documents may not be read, so that nothing answers it.
Each set counts the same, and so do its answerable and its unanswerable cases: the probability is that of
even odds.

A third of the questions, by a hash of their words, is kept aside: nothing is fitted to them, and what is said
under `kept` is how well they are told apart.
"""

from __future__ import annotations

import argparse
import hashlib
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
from knowledge.measures.questions import Question, load
from knowledge.quotes import AROUND, FEATURES, OWN, Quote
from knowledge.texts import Head
from knowledge.training.fitting import Numbers, logistic, preference

SENTENCE_RIDGE = 0.01
RIDGE = 1.0  # strong: the signals are many and much alike, and sets differ
KEPT = 3  # one of so many questions is kept aside
STRETCH_RIDGE = 0.001  # only so that sets told apart without a fault do not end at infinity
REFUSED = 0.15  # the share of answerable questions that may fall below the first threshold
SURE = 0.7  # from this probability on the answer stands without a caution
LEVELS = 10  # of probability, in which what was foretold is compared with what was so


@dataclass(frozen=True, kw_only=True)
class Without(Reader):
    """A reader from whom some documents are kept."""

    hidden: frozenset[str] = frozenset()

    def may_read(self, head: Head) -> bool:
        """Tell whether a document is for this reader."""
        return head.document not in self.hidden


@dataclass(frozen=True, kw_only=True)
class Case:
    """One question, asked of documents that answer it or do not."""

    source: str
    kept: bool
    real: bool  # as the question set has it, not made by hiding documents
    answered: bool
    edition: Edition
    asked: retrieve.Query
    hits: list[retrieve.Hit]
    found: list[Quote]
    gold: tuple[bool, ...]  # of each of them, whether it shows a gold sentence


def cases(home: Path, file: Path, model: embedder.Embedder) -> Iterator[Case]:
    """Yield the cases of one question set."""
    edition = open_current(home)
    for question in load(file):
        if isinstance(question.answerable, bool):
            yield _case(edition, model, question, file, hidden=frozenset())
            if question.answerable and question.gold:
                hidden = frozenset(question.gold).union(*question.equivalent.values())
                yield _case(edition, model, question, file, hidden=hidden)


def _case(
    edition: Edition, model: embedder.Embedder, question: Question, file: Path, *, hidden: frozenset[str]
) -> Case:
    reader = Without(today=date.max, hidden=hidden)
    asked = retrieve.query(edition, model, question.question, question.history, reader=reader)
    hits = retrieve.rank(edition, asked, reader=reader)
    found = quotes.candidates(edition, asked, hits)
    hits = quotes.settled(hits, found)
    return Case(
        source=file.stem if file.stem != "questions" else file.parent.name,
        kept=int(hashlib.sha256(question.question.encode()).hexdigest(), 16) % KEPT == 0,
        real=not hidden,
        answered=bool(question.answerable) and not hidden,
        edition=edition,
        asked=asked,
        hits=hits,
        found=found,
        gold=tuple(
            any(evaluate.shows([quotes.quoted(quote.unit)], one) for one in question.sentences)
            for quote in found
        ),
    )


def sentences(known: Sequence[Case]) -> Numbers:
    """Return the weights of `quotes.FEATURES` that put gold sentences above the others.

    A word that a sentence holds itself never counts for less than one that only its headings hold.
    """
    told = [case for case in known if case.real and any(case.gold) and not all(case.gold)]
    sources = [case.source for case in told]
    better, worse = [], []
    for case in told:
        values, gold = np.array([quote.features for quote in case.found]), np.array(case.gold)
        better.append(values[gold])
        worse.append(values[~gold])
    shares = [1 / sources.count(source) ** 0.5 for source in sources]
    found = preference(better, worse, shares, SENTENCE_RIDGE)
    if found[OWN] >= found[AROUND]:
        return found
    held = np.eye(len(FEATURES))
    held[OWN, AROUND], held[OWN, OWN] = 1.0, 0.0  # counted as one number: the words that either holds
    together = preference(
        [one @ held for one in better], [one @ held for one in worse], shares, SENTENCE_RIDGE
    )
    return held @ together


def heard(case: Case, weights: Numbers) -> dict[str, float]:
    """Return the signals of a case when sentences are weighed so."""
    found = sorted(case.found, key=lambda quote: -float(np.array(quote.features) @ weights))
    return confidence.signals(case.edition, case.asked, case.hits, found)


@dataclass(frozen=True, kw_only=True)
class Table:
    """Cases as numbers, one row each."""

    names: tuple[str, ...]
    values: Numbers
    known: tuple[Case, ...]

    def where(self, chosen: Sequence[bool] | NDArray[np.bool_]) -> Table:
        """Return the rows that are chosen."""
        rows = np.flatnonzero(chosen)
        return Table(names=self.names, values=self.values[rows], known=tuple(self.known[row] for row in rows))

    def fit(self) -> tuple[Numbers, float]:
        """Return weights and bias."""
        return logistic(self.values, self._truth(), self._shares(), RIDGE)

    def _shares(self) -> Numbers:
        kinds = [(case.source, case.answered) for case in self.known]
        share = np.array([1 / kinds.count(kind) for kind in kinds])
        for answered in (True, False):
            same = np.array([case.answered is answered for case in self.known])
            share[same] /= 2 * share[same].sum()
        return share

    def calibrated(self, whole: Table) -> tuple[Numbers, float, dict[str, Any]]:
        """Return weights and bias as `fit` does, but true to size: .7 is right 7 times in 10.

        A strong ridge draws probabilities together. So each set is scored by weights that were fitted to
        the others, and what is foretold is stretched until it agrees with what was so. With them come the
        figures of each set of `whole` by such weights.
        """
        scores, apart = np.zeros(len(self.known)), dict[str, Any]()
        for source in sorted({case.source for case in self.known}):
            own = np.array([case.source == source for case in self.known])
            weights, bias = self.where(~own).fit() if not own.all() else self.fit()
            scores[own] = self.values[own] @ weights + bias
            apart |= whole.where([case.source == source for case in whole.known]).figures(weights, bias)
        (stretch,), shift = logistic(scores[:, None], self._truth(), self._shares(), STRETCH_RIDGE)
        weights, bias = self.fit()
        return stretch * weights, stretch * bias + shift, apart

    def calibration_error(self, weights: Numbers, bias: float) -> float:
        """Return how far probabilities are from what was so, on average over the cases, at even odds."""
        sure = 1 / (1 + np.exp(-(self.values @ weights + bias)))
        share, truth = self._shares(), self._truth()
        level = np.minimum((sure * LEVELS).astype(int), LEVELS - 1)
        gaps = [abs(float((share * (sure - truth))[level == one].sum())) for one in range(LEVELS)]
        return round(sum(gaps), 3)

    def _truth(self) -> Numbers:
        return np.array([case.answered for case in self.known], dtype=np.float64)

    def figures(self, weights: Numbers, bias: float) -> dict[str, dict[str, float | None]]:
        """Return how well each set's own cases are told apart."""
        sure = 1 / (1 + np.exp(-(self.values @ weights + bias)))
        found: dict[str, dict[str, float | None]] = {}
        for source in sorted({case.source for case in self.known}):
            own = [
                (case, float(value))
                for case, value in zip(self.known, sure, strict=True)
                if case.source == source
            ]
            yes = [value for case, value in own if case.answered]
            found[source] = {
                "auc": _rounded(evaluate.auc(yes, [v for case, v in own if case.real and not case.answered])),
                "auc_hidden": _rounded(evaluate.auc(yes, [v for case, v in own if not case.real])),
            }
        return found


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def table(known: Sequence[Case], weights: Numbers) -> Table:
    """Return the signals of cases, without those in which nothing was found."""
    rows = [(case, heard(case, weights)) for case in known]
    rows = [(case, row) for case, row in rows if row]
    names = tuple(rows[0][1])
    return Table(
        names=names,
        values=np.array([[row[name] for name in names] for _, row in rows]),
        known=tuple(case for case, _ in rows),
    )


def report(known: Sequence[Case]) -> dict[str, Any]:
    """Return weights, thresholds, and how well sets are told apart by weights that do not know them."""
    tuned = [case for case in known if not case.kept]
    told = sentences(tuned)
    whole = table(known, told)
    learnt = whole.where([not case.kept for case in whole.known])
    weights, bias, apart = learnt.calibrated(whole)
    kept = whole.where([case.kept for case in whole.known])
    return {
        "sentences": {name: round(float(one), 2) for name, one in zip(FEATURES, told, strict=True)},
        "weights": {n: round(float(w), 4) for n, w in zip(whole.names, weights, strict=True)},
        "bias": round(bias, 4),
        "cautioned": round(_threshold(learnt, weights, bias), 3),
        "answered": SURE,
        "made_from": {source: sum(case.source == source for case in learnt.known) for source in apart},
        "left_out": apart,
        "kept": kept.figures(weights, bias),
        "calibration_error": {
            "tuned": learnt.calibration_error(weights, bias),
            "kept": kept.calibration_error(weights, bias),
        },
    }


def _threshold(learnt: Table, weights: Numbers, bias: float) -> float:
    """Return the probability below which, on average over the sets, REFUSED of the answerable cases fall."""
    answerable = learnt.where([case.real and case.answered for case in learnt.known])
    sources = [case.source for case in answerable.known]
    share = np.array([1 / sources.count(source) for source in sources])
    sure = 1 / (1 + np.exp(-(answerable.values @ weights + bias)))
    order = np.argsort(sure)
    reached = np.cumsum(share[order]) / share.sum()
    return float(sure[order][np.searchsorted(reached, REFUSED)])


def main() -> None:
    """Read the question sets that are named and write the file."""
    parser = argparse.ArgumentParser(prog="python -m knowledge.training.calibrate", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("sets", nargs="+", metavar="HOME=FILE.jsonl")
    options = parser.parse_args()
    pairs = [(Path(home), Path(file)) for home, _, file in (one.partition("=") for one in options.sets)]
    model = embedder.load(pairs[0][0])
    known = [case for home, file in pairs for case in cases(home, file, model)]
    options.out.write_text(json.dumps(report(known), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
