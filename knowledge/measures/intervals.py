"""How far figures would move with other questions of the same kind: bootstrap intervals.

Questions are drawn anew, with replacement, as many as the set has; the interval holds the middle 95 % of what
the figures then are. It says nothing about questions of other kinds or other handbooks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge.evaluate import Outcome, is_sought, ndcg, recall

DRAWS, SEED, LEVEL = 2000, 7, 0.95
Numbers = NDArray[np.float64]


def intervals(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the lower and upper bound of each main figure; null where it cannot be measured."""
    size = len(outcomes)
    drawn = (
        np.random.default_rng(SEED).multinomial(size, np.full(size, 1 / size), size=DRAWS).astype(np.float64)
    )
    return {
        "level": LEVEL,
        "draws": DRAWS,
        "retrieval": {f"recall@{k}": _of(drawn, _recalls(outcomes, k)) for k in (1, 5, 10)}
        | {
            "ndcg@10": _of(
                drawn,
                [
                    (ndcg(one.ranked, one.question), 1) if is_sought(one.question) else (0, 0)
                    for one in outcomes
                ],
            )
        },
        "answers": {
            "shown": _of(
                drawn,
                [
                    (one.shown, one.question.answerable is True and bool(one.question.sentences))
                    for one in outcomes
                ],
            ),
            "citation_precision": _of(drawn, [(sum(one.right), len(one.right)) for one in outcomes]),
        },
        "abstention": {
            "auc": _auc(drawn, outcomes),
            "answered_unanswerable": _of(
                drawn,
                [(one.answer.status != "not_covered", one.question.answerable is False) for one in outcomes],
            ),
            "refused_answerable": _of(
                drawn,
                [(one.answer.status == "not_covered", one.question.answerable is True) for one in outcomes],
            ),
        },
    }


def _recalls(outcomes: Sequence[Outcome], depth: int) -> list[tuple[float, float]]:
    return [
        (recall(one.ranked, one.question, depth), 1) if is_sought(one.question) else (0, 0)
        for one in outcomes
    ]


def _of(drawn: Numbers, shares: Sequence[tuple[float, float]]) -> list[float] | None:
    """Return the bounds of a ratio of sums: each question brings what counts and out of how much."""
    counted = np.array(shares, dtype=np.float64)
    counted[:, 0] *= counted[:, 1] > 0
    return _bounds(drawn @ counted[:, 0], drawn @ counted[:, 1])


def _auc(drawn: Numbers, outcomes: Sequence[Outcome]) -> list[float] | None:
    true = [place for place, one in enumerate(outcomes) if one.question.answerable is True]
    false = [place for place, one in enumerate(outcomes) if one.question.answerable is False]
    score = np.array([one.answer.confidence for one in outcomes])
    gap = score[true][:, None] - score[false][None, :]
    wins = (gap > 0) + 0.5 * (gap == 0)
    yes, no = drawn[:, true], drawn[:, false]
    return _bounds(((yes @ wins) * no).sum(axis=1), yes.sum(axis=1) * no.sum(axis=1))


def _bounds(over: Numbers, under: Numbers) -> list[float] | None:
    measured = over[under > 0] / under[under > 0]
    if not len(measured):
        return None
    low, high = np.quantile(measured, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return [round(float(low), 4), round(float(high), 4)]
