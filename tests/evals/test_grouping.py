"""How well questions that mean the same are put together. The floors are what was measured, less a little."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bot.gaps.grouping import grouped
from bot.redaction import redacted
from knowledge import embedder
from knowledge.embedder import MiniLM

PARAPHRASES = (
    (
        "How many vacation days do I get?",
        "how much annual leave am i entitled to",
        "what's my holiday allowance per year",
        "number of paid days off each year?",
        "annual leave entitelment",
    ),
    (
        "How long is paternity leave?",
        "how many weeks off do new fathers get",
        "leave for dads after a birth?",
        "I'm becoming a father, how much time off do I get",
    ),
    (
        "Can I carry unused vacation over to next year?",
        "do leftover leave days expire",
        "what happens to holidays i did not take",
        "carry over annual leave into january?",
    ),
    (
        "May I work from abroad?",
        "can i work remotely from another country for a few weeks",
        "working from spain in summer, is it allowed",
        "remote work outside the country policy",
    ),
    (
        "Can I bring my dog to the office?",
        "are pets allowed at work",
        "is it ok to take my dog in on fridays",
        "dogs in the office?",
    ),
    (
        "What is the limit for hotel costs?",
        "how much can i spend on a hotel per night",
        "maximum hotel rate when travelling",
        "hotel budget for business trips",
    ),
    (
        "Who pays for my home internet?",
        "does the company reimburse internet at home",
        "can i expense my broadband",
        "internet allowance for home office",
    ),
    (
        "How do I reset my password?",
        "i forgot my password, what now",
        "locked out, need a new password",
        "password reset procedure",
    ),
    (
        "Can I get a second monitor?",
        "how do i order another screen",
        "requesting an extra display for my desk",
        "do we get two monitors",
    ),
    (
        "Do we get a bonus this year?",
        "when are bonuses paid",
        "is there a yearly bonus",
        "how is my bonus calculated",
    ),
    (
        "What do I do when I am sick?",
        "how do i report being ill",
        "who do i call when i have the flu and cant come in",
        "sick leave notification",
    ),
    (
        "Is there a dress code?",
        "what should i wear to the office",
        "can i wear shorts at work",
        "dress code rules",
    ),
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> MiniLM:
    return embedder.load(tmp_path_factory.mktemp("model"))


def b_cubed(labels: Sequence[int], gold: Sequence[str]) -> tuple[float, float]:
    """Precision and recall of each row's group against its kind, averaged over the rows."""
    found, kinds = np.array(labels), np.array(gold)
    together, alike = found[:, None] == found, kinds[:, None] == kinds
    both = (together & alike).sum(axis=1)
    return float((both / together.sum(axis=1)).mean()), float((both / alike.sum(axis=1)).mean())


def test_paraphrases_are_put_together_and_their_neighbours_kept_apart(model: MiniLM) -> None:
    texts = [text for group in PARAPHRASES for text in group]
    kinds = [group[0] for group in PARAPHRASES for _ in group]
    precision, recall = b_cubed(grouped(model.embed(texts)).tolist(), kinds)
    assert precision >= 0.93
    assert recall >= 0.75


def test_messages_with_labelled_intents(model: MiniLM, shared_data: Path) -> None:
    lines = (shared_data / "intents" / "messages.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["route"] in {"question", "action"}]
    kinds = {redacted(row["text"], 600).lower(): row["intent"] for row in rows}
    precision, recall = b_cubed(grouped(model.embed(list(kinds))).tolist(), list(kinds.values()))
    assert precision >= 0.8
    assert recall >= 0.55
