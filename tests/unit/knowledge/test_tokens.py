"""Token vectors: short, kept by place, compared token by token."""

from collections.abc import Callable

import numpy as np
import pytest

from knowledge import quotes, retrieve
from knowledge.edition import Edition
from knowledge.errors import DamagedEdition
from knowledge.tokens import COUNTS, SHORT, UNIT, VECTORS, nearness, shortened
from tests.unit.knowledge.conftest import EVERYONE, Words

Ingest = Callable[[dict[str, str | bytes]], Edition]
TRAVEL = """# Travel

The hotel limit is 140 euros. Trains leave early.

# Bikes

Bicycles are lent for a year.
"""


def test_a_short_vector_keeps_a_direction() -> None:
    long = np.random.default_rng(1).normal(size=(3, 384)).astype(np.float32)
    short = shortened(np.concatenate([long, 5 * long[:1], np.zeros((1, 384), np.float32)]))
    assert short.shape == (5, SHORT)
    assert (short[0] == short[3]).all()
    assert not short[4].any()
    lengths = np.linalg.norm(short[:4].astype(np.float32), axis=1) / UNIT
    assert np.allclose(lengths, 1, atol=0.02)


def test_each_token_asked_for_finds_its_best_match_in_every_run() -> None:
    one, two = np.eye(SHORT, dtype=np.float32)[:2]
    tokens = (UNIT * np.stack([one, two, two])).astype(np.int8)
    found = nearness(np.stack([one, two]), tokens, [1, 0, 2])
    assert np.allclose(found, [[1, 0], [0, 0], [0, 1]])


def test_the_unit_that_says_what_is_asked_is_nearest(ingest: Ingest, words: Words) -> None:
    edition = ingest({"travel.md": TRAVEL})
    asked = retrieve.query(edition, words, "hotel limit", reader=EVERYONE)
    scores = [quotes.matches(edition, asked, number)[1:].mean(axis=1) for number in range(edition.passages)]
    assert [len(rows) for rows in scores] == [2, 1]
    assert scores[0][0] == pytest.approx(1, abs=0.05)
    assert scores[0][0] > max(scores[0][1], scores[1][0]) + 0.2


def test_a_follow_up_is_compared_by_its_own_tokens(ingest: Ingest, words: Words) -> None:
    edition = ingest({"travel.md": TRAVEL})
    asked = retrieve.query(edition, words, "bicycles", ["hotel limit", "trains early"], reader=EVERYONE)
    assert len(asked.tokens) == 1


@pytest.mark.parametrize("name", [COUNTS, VECTORS])
def test_token_vectors_of_another_size_are_damage(ingest: Ingest, words: Words, name: str) -> None:
    edition = ingest({"travel.md": TRAVEL})
    kept = np.load(edition.folder / name)
    np.save(edition.folder / name, kept[:-1])
    asked = retrieve.query(edition, words, "hotel", reader=EVERYONE)
    with pytest.raises(DamagedEdition, match="Ingest again"):
        quotes.matches(edition, asked, 0)
