"""BM25, worked out by hand, and seen by those who may read only a part."""

import math
from pathlib import Path

import numpy as np
import pytest

from knowledge.lexical import K1, B, Lexical, terms

TEXTS = ["leave lasts days", "secret leave zebra zebra", "travel costs", "travel by train costs less"]
GROUPS = [0, 1, 0, 1]


def bm25(texts: list[str], number: int, stem: str) -> float:
    held = [terms(text) for text in texts]
    count = sum(stem in one for one in held)
    mean = sum(map(len, held)) / len(held)
    times = held[number].count(stem)
    rarity = math.log(1 + (len(texts) - count + 0.5) / (count + 0.5))
    return rarity * times / (times + K1 * (1 - B + B * len(held[number]) / mean))


@pytest.mark.parametrize("stem", ["leav", "zebra", "travel", "cost", "nowher"])
def test_scores_are_those_of_the_formula(stem: str) -> None:
    scores = Lexical.build(TEXTS).seen().scores([stem])
    assert scores == pytest.approx([bm25(TEXTS, number, stem) for number in range(4)], rel=1e-5)


def test_a_stem_said_twice_counts_twice() -> None:
    seen = Lexical.build(TEXTS).seen()
    assert seen.scores(["leav", "leav"]) == pytest.approx(2 * seen.scores(["leav"]))


@pytest.mark.parametrize("group", [0, 1])
def test_a_part_of_the_index_is_as_an_index_of_that_part(group: int) -> None:
    own = [number for number, one in enumerate(GROUPS) if one == group]
    alone = Lexical.build([TEXTS[number] for number in own]).seen()
    part = Lexical.build(TEXTS, GROUPS).seen([group])
    for stem in {stem for text in TEXTS for stem in terms(text)} | {"nowher"}:
        assert part.rarity(stem) == alone.rarity(stem)
        assert part.count(stem) == alone.count(stem)
        assert np.array_equal(part.scores([stem])[own], alone.scores([stem]))
        assert not np.delete(part.scores([stem]), own).any()


def test_all_groups_together_are_the_whole(tmp_path: Path) -> None:
    Lexical.build(TEXTS, GROUPS).save(tmp_path / "index")
    opened = Lexical.open(tmp_path / "index")
    whole = Lexical.build(TEXTS).seen()
    for stem in ("leav", "travel", "zebra"):
        assert np.array_equal(opened.seen([0, 1]).scores([stem]), whole.scores([stem]))
    assert opened.seen([]).count("leav") == 0
    assert not opened.seen([]).scores(["leav"]).any()
