"""A refusal takes as long for what a reader may not read as for what nobody has written.

Not among the other tests, because it measures time: `pytest -s tests/bench/refusals.py`.
"""

import random
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from knowledge.answer import Library
from knowledge.build import build
from knowledge.edition import Reader
from knowledge.sources.folder import Folder
from tests.unit.knowledge.conftest import TODAY, Heard, Words

ROUNDS, WARM, DRAWS = 300, 30, 2000
WORDS = (
    "leave",
    "travel",
    "receipt",
    "holiday",
    "manager",
    "approval",
    "laptop",
    "expense",
    "contract",
    "notice",
)
ASKED = "brimquill severance owlmoor"
THERE, ELSEWHERE = ("brimquill", "severance", "owlmoor"), ("lanternfish", "quorumtide", "hazelwright")


def page(chance: random.Random, words: Sequence[str], front: str = "") -> str:
    sentences = [f"{' '.join(chance.choices(words, k=9)).capitalize()}." for _ in range(12)]
    return f"{front}# {chance.choice(words).capitalize()}\n\n{' '.join(sentences)}\n"


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Library]]:
    """Two handbooks that are the same for everybody; what only the board may read differs."""
    found: list[Library] = []
    for secret in (THERE, ELSEWHERE):
        source: Path = tmp_path_factory.mktemp("source")
        chance = random.Random(3)
        for number in range(200):
            (source / f"open-{number:03}.md").write_text(page(chance, WORDS))
            kept = page(chance, [*WORDS[:4], *secret], "---\naudience: [board]\n---\n")
            (source / f"kept-{number:03}.md").write_text(kept)
        found.append(
            Library(build(tmp_path_factory.mktemp("home"), [Folder(source)], Words(), Heard()), Words())
        )
    yield found
    for library in found:
        library.edition.close()


def spent(library: Library) -> float:
    started = time.perf_counter()
    answer = library.ask(ASKED, reader=Reader(today=TODAY))
    assert not any(word in answer.answer for word in THERE)
    return time.perf_counter() - started


def test_the_time_of_a_refusal_does_not_tell_whether_there_is_something(libraries: list[Library]) -> None:
    times: list[list[float]] = [[], []]
    for number in range(ROUNDS + WARM):
        for place in (0, 1) if number % 2 else (1, 0):
            took = spent(libraries[place])
            if number >= WARM:
                times[place].append(took)
    gaps = [there - elsewhere for there, elsewhere in zip(*times, strict=True)]
    usual = statistics.median(times[1])
    # The sign flip test: were there no difference, each pair's gap might as well have the other sign.
    chance = random.Random(5)
    seen = abs(statistics.median(gaps))
    as_far = sum(
        abs(statistics.median([gap if chance.random() < 0.5 else -gap for gap in gaps])) >= seen
        for _ in range(DRAWS)
    )
    print(f"refusal {usual * 1000:.2f} ms, gap {seen * 1e6:.0f} us, p {as_far / DRAWS:.3f}")
    assert as_far / DRAWS > 0.01 or seen < 0.02 * usual


def test_the_work_for_an_outsider_does_not_grow_with_what_they_may_not_read(libraries: list[Library]) -> None:
    edition = libraries[0].edition
    outsider = edition.view(Reader(today=TODAY)).lexical
    insider = edition.view(Reader(today=TODAY, audiences=frozenset({"board"}))).lexical
    assert insider.count("brimquil") > 0
    assert list(outsider._runs("brimquil")) == list(outsider._runs("oalmoor")) == []
