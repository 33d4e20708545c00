"""Vectors that mean the same, put together: agglomerative, by the average similarity between two groups.

The average over all pairs of two groups is the product of their mean vectors, so no matrix of all pairs is
needed. A group that has no other near enough now never will have, because a union is never nearer to a third
group than the nearer of its parts (Murtagh 1983, "reducibility"); so the order of work does not matter, and
only neighbours are looked at.
"""

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Labels = NDArray[np.int64]

SAME = 0.5  # average cosine; docs/gaps.md has the figures behind it
TWIN = 0.95  # one question with a letter more or less
_BLOCK = 512
_MOST = 200  # neighbours that are looked at: more only where hundreds of questions are alike


def grouped(vectors: Vectors, *, same: float = SAME) -> Labels:
    """Return for each row the number of the first row of its group. Rows have the length one."""
    leaders, near = _neighbours(vectors, same)
    return _Groups(vectors, leaders, near).merged(same)


def _neighbours(vectors: Vectors, same: float) -> tuple[Labels, dict[int, Labels]]:
    """Return each row's leader, a row that is nearly the same, and the rows near each leader."""
    leaders = np.full(len(vectors), -1, dtype=np.int64)
    pairs: list[tuple[int, Labels]] = []
    for start in range(0, len(vectors), _BLOCK):
        nearness = vectors[start : start + _BLOCK] @ vectors[start:].T
        for row, scores in enumerate(nearness, start=start):
            if leaders[row] >= 0:
                continue
            leaders[row] = row
            later = np.flatnonzero(scores[row - start + 1 :] >= same) + row + 1
            free = later[leaders[later] < 0]
            leaders[free[scores[free - start] >= TWIN]] = row
            others = free[scores[free - start] < TWIN]
            if len(others) > _MOST:
                others = others[np.argpartition(-scores[others - start], _MOST)[:_MOST]]
            pairs.append((row, others))
    return leaders, _both_ways(pairs, leaders)


def _both_ways(pairs: list[tuple[int, Labels]], leaders: Labels) -> dict[int, Labels]:
    """Return the neighbours of each leader, in order, from pairs that name each two of them once."""
    rows = np.repeat([row for row, _ in pairs], [len(others) for _, others in pairs]).astype(np.int64)
    others = leaders[np.concatenate([others for _, others in pairs] or [rows])]
    both = np.unique(np.stack([np.concatenate([rows, others]), np.concatenate([others, rows])]), axis=1)
    ends = np.searchsorted(both[0], [row for row, _ in pairs], side="right")
    starts = np.searchsorted(both[0], [row for row, _ in pairs], side="left")
    return {row: both[1, start:end] for (row, _), start, end in zip(pairs, starts, ends, strict=True)}


class _Groups:
    """Groups, each known by its first row."""

    def __init__(self, vectors: Vectors, leaders: Labels, near: dict[int, Labels]) -> None:
        self._of = leaders.copy()  # the group of each row
        self._near = near
        self._mean = np.zeros_like(vectors)
        self._size = np.bincount(leaders, minlength=len(vectors)).astype(np.float32)
        np.add.at(self._mean, leaders, vectors)
        self._mean[self._size > 0] /= self._size[self._size > 0, None]

    def merged(self, same: float) -> Labels:
        """Follow each group to its nearest, from there to its own nearest, until two are each other's."""
        for start in sorted(self._near):
            chain = [start] if self._of[start] == start else []
            while chain:
                last = chain[-1]
                before = chain[-2] if len(chain) > 1 else None
                nearest, score = self._nearest(last, before)
                if score < same:
                    break
                if nearest != before:
                    chain.append(nearest)
                    continue
                del chain[-2:]
                whole = self._merge(last, nearest)
                chain = chain or [whole]
        return self._of

    def _nearest(self, group: int, before: int | None) -> tuple[int, float]:
        """Return the nearest group; of equally near ones the one that comes `before` in the chain."""
        others = np.unique(self._of[self._near[group]])
        others = others[others != group]
        self._near[group] = others
        if not len(others):
            return group, -1.0
        scores = self._mean[others] @ self._mean[group]
        best = int(scores.argmax())
        if before is not None:
            place = int(np.searchsorted(others, before))
            if scores[place] >= scores[best] - 1e-5:
                best = place
        return int(others[best]), float(scores[best])

    def _merge(self, one: int, other: int) -> int:
        first, second = min(one, other), max(one, other)
        size = self._size[first] + self._size[second]
        self._mean[first] = (
            self._size[first] * self._mean[first] + self._size[second] * self._mean[second]
        ) / size
        self._size[first] = size
        self._of[self._of == second] = first
        self._near[first] = np.union1d(self._near[first], self._near.pop(second))
        return first
