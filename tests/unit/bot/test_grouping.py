"""Grouping is what agglomerative clustering by average similarity is, in any order, however large a flood."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.gaps.grouping import SAME, Vectors, grouped


def spread(rows: int, centres: int, noise: float, seed: int) -> Vectors:
    """Directions around some centres, of length one."""
    rng = np.random.default_rng(seed)
    middle = rng.normal(size=(centres, 24))
    found = middle[rng.integers(0, centres, rows)] + noise * rng.normal(size=(rows, 24))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def plainly(vectors: Vectors, same: float) -> set[frozenset[int]]:
    """The same by the book: merge the two groups with the highest average, until none is high enough."""
    groups = [frozenset({row}) for row in range(len(vectors))]
    scores = vectors.astype(np.float64) @ vectors.astype(np.float64).T
    while len(groups) > 1:
        pairs = [(one, two) for place, one in enumerate(groups) for two in groups[place + 1 :]]
        averages = [scores[np.ix_(sorted(one), sorted(two))].mean() for one, two in pairs]
        best = int(np.argmax(averages))
        if averages[best] < same:
            break
        one, two = pairs[best]
        groups = [group for group in groups if group not in {one, two}] + [one | two]
    return set(groups)


def sets(labels: "np.typing.NDArray[np.int64]") -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist())}


@given(st.integers(1, 26), st.integers(1, 6), st.sampled_from([0.6, 0.9, 1.3]), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_groups_are_those_of_the_book(rows: int, centres: int, noise: float, seed: int) -> None:
    vectors = spread(rows, centres, noise, seed)
    near = np.abs(vectors @ vectors.T)
    if np.any(near[~np.eye(rows, dtype=bool)] >= 0.94):  # twins are put together before anything is averaged
        return
    assert sets(grouped(vectors)) == plainly(vectors, SAME)


def test_a_group_is_named_by_its_first_row_and_the_order_changes_only_the_names() -> None:
    vectors = spread(400, 30, 0.4, 3)
    labels = grouped(vectors)
    assert all(labels[label] == label <= row for row, label in enumerate(labels.tolist()))
    order = np.random.default_rng(5).permutation(len(vectors))
    turned = {frozenset(order[list(group)].tolist()) for group in sets(grouped(vectors[order]))}
    assert turned == sets(labels)


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_a_flood_of_the_same_is_one_group(noise: float) -> None:
    flood = spread(3000, 1, noise, 7)
    others = -spread(2, 2, 0.1, 8)
    labels = grouped(np.concatenate([flood, others]).astype(np.float32))
    assert set(labels[:3000].tolist()) == {0}


def test_one_question_is_a_group_of_its_own() -> None:
    assert grouped(spread(1, 1, 0.1, 1)).tolist() == [0]
