"""Whatever is asked, and whatever was said before, ends in an answer or a sentence about the question."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowledge import embedder
from knowledge.answer import LONGEST_QUESTION, Library
from knowledge.build import build
from knowledge.embedder import Embedder, Reading, Spanned
from knowledge.errors import BadQuestion
from knowledge.lexical import terms
from knowledge.sources.folder import Folder
from tests.unit.knowledge.conftest import EVERYONE, Heard, Words

HANDBOOK = {
    "leave.md": "# Leave\n\nEverybody has 25 days of paid leave. Parental leave lasts sixteen weeks.\n",
    "hotels.md": "# Hotels\n\n| City | Limit |\n|---|---|\n| Oslo | 90 |\n| Paris | 140 |\n",
    "asks.md": "# What is asked?\n\nHow many days?\n\nWhere?\n",  # nothing that could be quoted
}
ODD = (
    "½",
    "²",
    "\u3164",
    "日本語",
    "🏖 leave",
    "ª",
    "١٢٣",
    "\u0958",
    "a\u0301",
    "\U0001d538\U0001d539",
    "ﷺ",
    "İ",
    "𒐫",
    "Ⅷ",
    "x\0y",
    "\ud800 leave",
    "\u202eevael",
    "```",
    "n't",
    "PTO's",
    "%(days)s {days}",
    "per day per week per",
)
LENGTHS = (1, 40, 300, 1100, LONGEST_QUESTION)


class Brief(Words):
    """Reads the first ten words of a text, as a model reads so many tokens and no more."""

    def read(self, texts: Sequence[Spanned], done: Callable[[int], None] | None = None) -> list[Reading]:
        return [self._cut(text, one) for text, one in zip(texts, super().read(texts, done), strict=True)]

    def _cut(self, text: Spanned, reading: Reading) -> Reading:
        counts, left = [], 10
        for count in (len(terms(text[0][: text[1][0][0]])) if text[1] else 0, *reading.counts[1:].tolist()):
            counts.append(min(count, left))
            left -= counts[-1]
        kept = replace(reading, counts=np.array(counts, dtype=np.int32), tokens=reading.tokens[: sum(counts)])
        for place, count in enumerate(counts[1:]):
            if not count:
                kept.spans[place] = 0
        return kept


def written(folder: Path) -> Folder:
    folder.mkdir()
    for name, text in HANDBOOK.items():
        (folder / name).write_text(text, encoding="utf-8")
    return Folder(folder)


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Library:
    place, words = tmp_path_factory.mktemp("brief"), Brief()
    return Library(build(place / "home", [written(place / "docs")], words, Heard()), words)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Library:
    place = tmp_path_factory.mktemp("real")
    model: Embedder = embedder.load(place / "home")
    return Library(build(place / "home", [written(place / "docs")], model, Heard()), model)


def asked(library: Library, question: str, history: Sequence[str] = ()) -> None:
    try:
        answer = library.ask(question, reader=EVERYONE, history=history)
    except BadQuestion:
        return
    assert answer.status in {"answered", "cautioned", "not_covered"}
    assert 0 <= answer.confidence <= 1
    assert all(math.isfinite(passage.score) for passage in answer.passages)


WORDS = st.sampled_from(("leave", "days", "Paris", "how many", "volcano", "a", "?", "..", "parental", *ODD))
TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(WORDS, max_size=40).map(" ".join),
    st.tuples(st.sampled_from(ODD), st.integers(1, 4000)).map(lambda pair: (pair[0] * pair[1])[:3200]),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(question=TEXTS, history=st.lists(TEXTS, max_size=3))
def test_every_question_ends_in_an_answer_or_a_sentence(
    brief: Library, question: str, history: list[str]
) -> None:
    asked(brief, question, history)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_question_may_be_longer_than_the_model_reads(real: Library, length: int) -> None:
    for said in ("How many days of leave do I have? ", "a", "a ", *ODD):
        asked(real, (said * length)[:length])


@pytest.mark.parametrize(
    "before", ["x" * 50_000, "Who pays for hotels in Paris? " * 60, *ODD, "", " ", "..."]
)
def test_a_question_may_follow_anything(real: Library, before: str) -> None:
    for question in ("And how many days?", "½", "How many days of leave do I have? " * 33):
        asked(real, question, [before])
        asked(real, question, [before, "Hello", before])


def test_a_short_question_is_still_heard_after_long_turns(real: Library) -> None:
    question = "How many weeks does parental leave last?"
    answer = real.ask(question, reader=EVERYONE, history=["Who pays for hotels in Paris? " * 60] * 2)
    assert any("sixteen weeks" in citation.quote for citation in answer.citations)
