"""A question set to figures: how well passages are found, answers shown, and refusals told."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from knowledge.answer import Answer
from knowledge.errors import BadQuestions
from knowledge.measures.questions import KINDS, Question, load, words_of

__all__ = [
    "Outcome",
    "apart",
    "auc",
    "by_kind",
    "figures",
    "load",
    "ndcg",
    "percentile",
    "recall",
    "retrieval",
    "run",
    "shows",
]
FEW = 20  # questions of a kind below which its figures say little


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """A question and what was answered."""

    question: Question
    answer: Answer

    @property
    def ranked(self) -> list[str]:
        """The documents found, each once, best first."""
        return list(dict.fromkeys(passage.document for passage in self.answer.passages))

    @property
    def shown(self) -> bool:
        """Whether one quoted sentence is a gold sentence."""
        quotes = [citation.quote for citation in self.answer.citations]
        return any(shows(quotes, sentence) for sentence in self.question.sentences)

    @property
    def right(self) -> list[bool]:
        """Of each citation, whether its document is a gold document or counts as one."""
        return [
            any(citation.document in _counting(self.question, gold) for gold in self.question.gold)
            for citation in self.answer.citations
        ]


def recall(ranked: Sequence[str], question: Question, depth: int) -> float:
    """Return the share of the gold documents among the first `depth` distinct documents."""
    top = set(ranked[:depth])
    return sum(bool(top & _counting(question, gold)) for gold in question.gold) / len(question.gold)


def ndcg(ranked: Sequence[str], question: Question, depth: int = 10) -> float:
    """Return the discounted gain of the first `depth` distinct documents as a share of the best possible.

    A gold document gains 1 where it, or one that counts as it, comes first; others like it gain nothing.
    """
    open_ = list(question.gold)
    gain = 0.0
    for place, document in enumerate(ranked[:depth]):
        match = next((gold for gold in open_ if document in _counting(question, gold)), None)
        if match is not None:
            open_.remove(match)
            gain += 1 / math.log2(place + 2)
    return gain / sum(1 / math.log2(place + 2) for place in range(min(depth, len(question.gold))))


def _counting(question: Question, gold: str) -> frozenset[str]:
    return question.equivalent.get(gold, frozenset()) | {gold}


def shows(quotes: Iterable[str], sentence: str) -> bool:
    """Tell whether at least half of a gold sentence's words appear, in order, in one quoted sentence."""
    wanted = words_of(sentence)
    return any(2 * in_order(wanted, words_of(quote)) >= len(wanted) for quote in quotes)


def in_order(wanted: Sequence[str], held: Sequence[str]) -> int:
    """Return how many words of `wanted` appear in `held` in the same order (longest common subsequence)."""
    row = [0] * (len(held) + 1)
    for word in wanted:
        before = 0
        for place, other in enumerate(held, start=1):
            above = row[place]
            row[place] = before + 1 if word == other else max(above, row[place - 1])
            before = above
    return row[-1]


def auc(positive: Sequence[float], negative: Sequence[float]) -> float | None:
    """Return how often a positive scores above a negative, ties counting half; None without both kinds."""
    if not positive or not negative:
        return None
    wins = sum((one > other) + 0.5 * (one == other) for one in positive for other in negative)
    return wins / (len(positive) * len(negative))


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the figures of a whole question set, as `evaluate --json` prints them.

    Retrieval: the questions that are not unanswerable and name gold documents. Shown: of the questions with
    gold sentences that are plainly answerable, those whose answer shows at least one of them; a refusal shows
    none. Citation precision: of all citations of all answers, those from a gold or equivalent document, so
    that anything cited for an unanswerable question counts against it. Abstention: questions marked true
    against those marked false; an answer with a caution is an answer. What cannot be measured is null.
    """
    true = [one for one in outcomes if one.question.answerable is True]
    false = [one for one in outcomes if one.question.answerable is False]
    times = sorted(one.answer.timings_ms["total"] for one in outcomes)
    return {
        "questions": len(outcomes),
        "retrieval": retrieval([(one.question, one.ranked) for one in outcomes]),
        "answers": {
            "shown": _mean(one.shown for one in true if one.question.sentences),
            "citation_precision": _mean(right for one in outcomes for right in one.right),
        },
        "abstention": {
            "auc": apart([(one.question, one.answer.confidence) for one in outcomes]),
            "answered_unanswerable": _mean(one.answer.status != "not_covered" for one in false),
            "refused_answerable": _mean(one.answer.status == "not_covered" for one in true),
        },
        "latency_ms": {"p50": _rounded(percentile(times, 0.5)), "p95": _rounded(percentile(times, 0.95))},
    }


def retrieval(found: Sequence[tuple[Question, Sequence[str]]]) -> dict[str, float | None]:
    """Return recall and gain of ranked documents, over the questions that should find something."""
    sought = [(question, ranked) for question, ranked in found if is_sought(question)]
    figures = {
        f"recall@{k}": _mean(recall(ranked, question, k) for question, ranked in sought) for k in (1, 5, 10)
    }
    return figures | {"ndcg@10": _mean(ndcg(ranked, question) for question, ranked in sought)}


def is_sought(question: Question) -> bool:
    """Tell whether a question names documents to be found: those of an unanswerable one only look like it."""
    return question.answerable is not False and bool(question.gold)


def apart(scored: Sequence[tuple[Question, float]]) -> float | None:
    """Return how well a score tells the questions marked true from those marked false."""
    true = [score for question, score in scored if question.answerable is True]
    return _rounded(auc(true, [score for question, score in scored if question.answerable is False]))


def by_kind(outcomes: Sequence[Outcome], field: str) -> dict[str, Any]:
    """Return the figures for each value of a field of the set's lines.

    "kind" also stands for what sets call type, question_type or label. A question with several values counts
    for each. Raises BadQuestions when no line has the field.
    """
    name = next((one for one in KINDS.get(field, (field,)) if _has(outcomes, one)), None)
    if name is None:
        known = sorted({key for one in outcomes for key in one.question.fields})
        others = f" It has: {', '.join(known)}." if known else ""
        raise BadQuestions(f"No question of this set has a field {field!r}.{others}")
    values = sorted({value for one in outcomes for value in one.question.fields.get(name, ())})
    groups = {
        value: [one for one in outcomes if value in one.question.fields.get(name, ())] for value in values
    }
    return {
        "field": name,
        "kinds": {value: figures(group) | {"few": len(group) < FEW} for value, group in groups.items()},
    }


def _has(outcomes: Sequence[Outcome], name: str) -> bool:
    return any(one.question.fields.get(name) for one in outcomes)


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return the value below which a share of the ordered values lies (nearest rank)."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _mean(values: Iterable[float]) -> float | None:
    listed = list(values)
    return _rounded(sum(listed) / len(listed)) if listed else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def run(
    questions: Sequence[Question],
    ask: Callable[[str, tuple[str, ...]], Answer],
    done: Callable[[int], None] | None = None,
) -> list[Outcome]:
    """Ask every question, in order."""
    outcomes: list[Outcome] = []
    for question in questions:
        outcomes.append(Outcome(question=question, answer=ask(question.question, question.history)))
        if done:
            done(len(outcomes))
    return outcomes
