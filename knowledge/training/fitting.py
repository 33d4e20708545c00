"""The two small regressions behind `confidence.json`, both with a ridge, both by Newton's method."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
STEPS = 30


def logistic(values: Numbers, truth: Numbers, shares: Numbers, ridge: float) -> tuple[Numbers, float]:
    """Return weights and bias that tell true from false rows; `shares` say how much each row counts.

    Every value must speak for the truth: one whose weight would be negative gets none, so that a better match
    never lowers the probability.
    """
    mean, spread = values.mean(axis=0), values.std(axis=0) + 1e-9
    scaled = (values - mean) / spread
    active = np.ones(values.shape[1], dtype=bool)
    while True:
        found = _newton(np.c_[scaled[:, active], np.ones(len(values))], truth, shares, ridge)
        if (found[:-1] >= 0).all():
            break
        active[np.flatnonzero(active)[int(found[:-1].argmin())]] = False
    weights = np.zeros(values.shape[1])
    weights[active] = found[:-1] / spread[active]
    return weights, float(found[-1] - weights @ mean)


def _newton(design: Numbers, truth: Numbers, shares: Numbers, ridge: float) -> Numbers:
    penalty = np.diag([ridge] * (design.shape[1] - 1) + [0.0])
    found = np.zeros(design.shape[1])
    for _ in range(STEPS):
        guess = 1 / (1 + np.exp(-design @ found))
        slope = design.T @ (shares * (guess - truth)) + penalty @ found
        bend = (design * (shares * guess * (1 - guess))[:, None]).T @ design + penalty
        found -= np.linalg.solve(bend, slope)
    return found


def preference(
    better: Sequence[Numbers], worse: Sequence[Numbers], shares: Sequence[float], ridge: float
) -> Numbers:
    """Return weights by which, question by question, the better rows score above the worse ones."""
    gaps, counts = [], []
    for good, bad, share in zip(better, worse, shares, strict=True):
        pairs = (good[:, None] - bad[None]).reshape(-1, good.shape[1])
        gaps.append(pairs)
        counts.append(np.full(len(pairs), share / len(pairs)))
    rows, weight = np.concatenate(gaps), np.concatenate(counts)
    weight /= weight.sum()
    spread = np.sqrt((weight[:, None] * rows**2).sum(axis=0)) + 1e-6
    rows = rows / spread
    found = np.zeros(rows.shape[1])
    for _ in range(STEPS):
        wrong = 1 / (1 + np.exp(np.clip(rows @ found, -30, 30)))
        slope = ridge * found - (rows * (weight * wrong)[:, None]).sum(axis=0)
        bend = (rows * (weight * wrong * (1 - wrong))[:, None]).T @ rows + ridge * np.eye(len(found))
        found -= np.linalg.solve(bend, slope)
    fitted: Numbers = found / spread
    return fitted
