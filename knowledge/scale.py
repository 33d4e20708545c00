"""What was learnt on question sets: `confidence.json`, made by `python -m knowledge.training.calibrate`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FILE = Path(__file__).with_name("confidence.json")


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How sentences are scored, signals become a probability, and what it takes to speak and to be sure."""

    sentences: NDArray[np.float32]  # weights of `quotes.FEATURES`
    names: tuple[str, ...]
    weights: tuple[float, ...]
    bias: float
    cautioned: float  # below it the documents are said not to cover the question
    answered: float  # from it on the answer stands without a caution

    def probability(self, signals: Mapping[str, float]) -> float:
        """Return the probability that the question is answered."""
        if not signals:
            return 0.0
        total = self.bias + sum(
            weight * signals[name] for name, weight in zip(self.names, self.weights, strict=True)
        )
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))


@cache
def scale() -> Scale:
    """Return the scale that is shipped."""
    data: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    weights: dict[str, float] = data["weights"]
    return Scale(
        sentences=np.array(list(data["sentences"].values()), dtype=np.float32),
        names=tuple(weights),
        weights=tuple(weights.values()),
        bias=data["bias"],
        cautioned=data["cautioned"],
        answered=data["answered"],
    )
