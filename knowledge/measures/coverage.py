"""What the threshold buys: of the questions answered from a confidence on, how many are answered rightly.

Only questions marked true or false count. An answer is right if the question is answerable and the answer
shows a gold sentence or, where the set gives none, cites a gold document.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from knowledge.evaluate import Outcome

BINS = 10


def is_right(outcome: Outcome) -> bool:
    """Tell whether an answer, were it shown, would be right."""
    if outcome.question.answerable is not True:
        return False
    return outcome.shown if outcome.question.sentences else any(outcome.right)


def curve(outcomes: Sequence[Outcome], shipped: float) -> dict[str, Any] | None:
    """Return coverage and precision as the threshold moves, and at the shipped one; None without questions.

    `outcomes` must hold what would be said without a threshold. `aurc` is the mean of the
    share of wrong answers over all coverages; `aurc_best` that of a confidence that puts right answers first.
    """
    known = sorted(
        (one for one in outcomes if isinstance(one.question.answerable, bool)),
        key=lambda one: -one.answer.confidence,
    )
    if not known:
        return None
    sure = np.array([one.answer.confidence for one in known])
    right = np.array([is_right(one) for one in known])
    answered = np.arange(1, len(known) + 1)
    precision = np.cumsum(right) / answered
    ends = np.append(sure[1:] != sure[:-1], True)  # questions of one confidence are answered together
    count = int((sure >= shipped).sum())
    return {
        "questions": len(known),
        "aurc": _rounded(1 - precision.mean()),
        "aurc_best": _rounded(1 - (np.cumsum(np.sort(right)[::-1]) / answered).mean()),
        "shipped": {
            "threshold": shipped,
            "coverage": _rounded(count / len(known)),
            "precision": _rounded(precision[count - 1]) if count else None,
        },
        "points": [
            {
                "threshold": _rounded(sure[place]),
                "coverage": _rounded(answered[place] / len(known)),
                "precision": _rounded(precision[place]),
            }
            for place in np.flatnonzero(ends)
        ],
    }


def calibration(outcomes: Sequence[Outcome]) -> dict[str, Any] | None:
    """Return how far the confidence is from how often questions are answerable; None without both kinds.

    The confidence is that of even odds, so both kinds weigh the same here, however many a set has. `ece` is
    the mean distance over ten bins of equal weight; `brier` the mean squared error.
    """
    known = [one for one in outcomes if isinstance(one.question.answerable, bool)]
    truth = np.array([one.question.answerable is True for one in known], dtype=np.float64)
    if not known or truth.min() == truth.max():
        return None
    sure = np.array([one.answer.confidence for one in known])
    weight = np.where(truth == 1, 0.5 / truth.sum(), 0.5 / (1 - truth).sum())
    order = np.argsort(sure, kind="stable")
    middle = np.cumsum(weight[order]) - weight[order] / 2
    bins = np.minimum((middle * BINS).astype(int), BINS - 1)
    rows = []
    for number in range(BINS):
        own = order[bins == number]
        if len(own):
            share = weight[own] / weight[own].sum()
            rows.append((weight[own].sum(), float(share @ sure[own]), float(share @ truth[own]), len(own)))
    return {
        "ece": _rounded(sum(size * abs(said - was) for size, said, was, _ in rows)),
        "brier": _rounded(float(weight @ (sure - truth) ** 2)),
        "bins": [
            {"confidence": _rounded(said), "answerable": _rounded(was), "questions": count}
            for _, said, was, count in rows
        ],
    }


def _rounded(value: float) -> float:
    return round(float(value), 4)
