"""The scoring rules of the question sets, on examples worked out by hand."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from knowledge.answer import Answer, Citation, Passage
from knowledge.errors import BadQuestions
from knowledge.evaluate import (
    Outcome,
    auc,
    by_kind,
    figures,
    in_order,
    load,
    ndcg,
    percentile,
    recall,
    shows,
)
from knowledge.measures.questions import Question


def question(
    gold: Sequence[str] = ("a",),
    *,
    answerable: bool | str = True,
    equivalent: dict[str, frozenset[str]] | None = None,
    sentences: Sequence[str] = (),
) -> Question:
    return Question(
        id="1",
        question="?",
        history=(),
        answerable=answerable,
        gold=tuple(gold),
        equivalent=equivalent or {},
        sentences=tuple(sentences),
    )


def answer(
    ranked: Sequence[str], cited: Sequence[tuple[str, str]], confidence: float, total: float = 1.0
) -> Answer:
    return Answer(
        question="?",
        status="answered" if cited else "not_covered",
        answer="",
        citations=tuple(
            Citation(document=name, title="", section="", anchor="", quote=quote, url="", edition="")
            for name, quote in cited
        ),
        passages=tuple(
            Passage(document=name, title="", section=str(n), anchor="", url="", owner="", score=0.0)
            for n, name in enumerate(ranked)
        ),
        confidence=confidence,
        notes=(),
        edition="",
        owner="",
        timings_ms={"total": total},
    )


def test_recall_is_the_share_of_gold_documents_among_the_first() -> None:
    asked = question(["a", "b"])
    ranked = ["x", "a", "y", "z", "w", "b"]
    assert recall(ranked, asked, 1) == 0
    assert recall(ranked, asked, 5) == 0.5
    assert recall(ranked, asked, 10) == 1


def test_an_equivalent_document_counts_as_its_gold_document_once() -> None:
    asked = question(["a", "b"], equivalent={"a": frozenset({"a2"})})
    assert recall(["a2", "a"], asked, 5) == 0.5
    first = 1 / math.log2(2)
    assert ndcg(["a2", "a", "x"], asked) == pytest.approx(first / (1 + 1 / math.log2(3)))


def test_gain_is_discounted_by_rank_and_compared_with_the_best_order() -> None:
    assert ndcg(["x", "a"], question(["a"])) == pytest.approx(1 / math.log2(3))
    assert ndcg(["a", "x", "b"], question(["a", "b"])) == pytest.approx(1.5 / (1 + 1 / math.log2(3)))
    assert ndcg(["x"] * 10 + ["a"], question(["a"])) == 0


def test_distinct_documents_are_counted_not_passages() -> None:
    outcome = Outcome(question=question(["b"]), answer=answer(["a", "a", "a", "b"], [], 0.0))
    assert outcome.ranked == ["a", "b"]


def test_words_in_order_are_the_longest_common_subsequence() -> None:
    assert in_order(list("abcd"), list("xacbd")) == 3
    assert in_order([], ["a"]) == 0


def test_half_of_the_words_in_order_in_one_sentence_show_it() -> None:
    gold = "There is no dollar threshold for receipts."  # seven words
    assert shows(["No DOLLAR threshold, for anybody"], gold)  # no dollar threshold for
    assert not shows(["no dollar threshold"], gold)
    assert not shows(["threshold for", "no dollar"], gold)  # in two quotes
    assert not shows(["receipts for threshold dollar no is there"], gold)  # not in order
    assert shows(["Thanksgiving | 2nd Monday of October"], "| Thanksgiving   | 2nd Monday of October    |")


def test_auc_counts_pairs_and_halves_ties() -> None:
    assert auc([0.9, 0.5], [0.5, 0.1]) == pytest.approx((2 + 0.5 + 1) / 4)
    assert auc([0.9], []) is None


def test_percentiles_are_values_that_occurred() -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.95) == 4.0
    assert percentile([], 0.5) is None


def test_figures_of_a_set_worked_out_by_hand() -> None:
    outcomes = [
        Outcome(
            question=question(["a"], sentences=["one two three four"]),
            answer=answer(["a", "b"], [("a", "one two"), ("b", "else")], 0.9, 10),
        ),
        Outcome(question=question(["b"], sentences=["five six"]), answer=answer(["a", "b"], [], 0.3, 30)),
        Outcome(question=question([], answerable=False), answer=answer(["a"], [("a", "x")], 0.6, 20)),
        Outcome(question=question([], answerable=False), answer=answer(["a"], [], 0.1, 40)),
        Outcome(question=question(["c"], answerable="partial"), answer=answer(["c"], [("c", "y")], 0.2, 50)),
    ]
    found = figures(outcomes)
    assert found["questions"] == 5
    assert found["retrieval"] == {
        "recall@1": 0.6667,
        "recall@5": 1.0,
        "recall@10": 1.0,
        "ndcg@10": round((1 + 1 / math.log2(3) + 1) / 3, 4),
    }
    # One of two gold sentences; of four citations the first and the last are from gold documents.
    assert found["answers"] == {"shown": 0.5, "citation_precision": 0.5}
    # True .9 and .3 against false .6 and .1: three of four pairs.
    assert found["abstention"] == {"auc": 0.75, "answered_unanswerable": 0.5, "refused_answerable": 0.5}
    assert found["latency_ms"] == {"p50": 30, "p95": 50}


def test_all_forms_of_question_files_are_read(tmp_path: Path) -> None:
    rows = [
        {
            "id": "1",
            "question": "and you?",
            "history": ["first", "second"],
            "gold_docs": ["a.md"],
            "gold_span": [{"doc": "a.md", "text": "Said."}],
            "equiv_docs": {"a.md": ["b.md"]},
            "answerable": "ambiguous",
        },
        {
            "id": "2",
            "question": "why?",
            "history": [{"speaker": "user", "text": "one"}, {"speaker": "agent", "text": "two"}],
            "gold_docs": ["p-1"],
            "gold_span": ["Plain."],
            "answerable": False,
        },
        {
            "id": "3",
            "question": "when?",
            "gold_docs": [],
            "gold_span": [{"content": "Span.", "start_index": 0}],
        },
    ]
    path = tmp_path / "questions.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    first, second, third = load(path)
    assert (first.history, first.sentences, first.equivalent) == (
        ("first", "second"),
        ("Said.",),
        {"a.md": frozenset({"b.md"})},
    )
    assert (second.history, second.sentences, second.answerable) == (("one",), ("Plain.",), False)
    assert (third.sentences, third.answerable) == (("Span.",), True)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "holds no question"),
        ("not json", "line 1"),
        ('{"id": "1"}', "line 1"),
        ("[1]", "line 1"),
        ('{"question": "q", "answerable": "maybe"}', "answerable is 'maybe'"),
    ],
)
def test_a_bad_question_file_says_where(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text(content)
    with pytest.raises(BadQuestions, match=reason):
        load(path)


def test_a_field_that_no_question_has_is_told_with_those_there_are() -> None:
    outcomes = [Outcome(question=of_kind("direct"), answer=answer(["a"], [], 0.2))]
    with pytest.raises(BadQuestions, match=r"No question of this set has a field 'colour'. It has: type"):
        by_kind(outcomes, "colour")


def of_kind(*kinds: str) -> Question:
    return replace(question(["a"]), fields={"type": kinds})


def test_figures_by_kind_are_those_of_the_questions_of_each_kind() -> None:
    outcomes = [
        Outcome(question=of_kind("direct"), answer=answer(["a"], [], 0.2)),
        Outcome(question=of_kind("direct", "long"), answer=answer(["b", "a"], [], 0.2)),
        Outcome(question=question(["a"]), answer=answer([], [], 0.2)),
    ]
    found = by_kind(outcomes, "kind")
    assert found["field"] == "type"
    assert list(found["kinds"]) == ["direct", "long"]
    assert found["kinds"]["direct"]["retrieval"]["recall@1"] == 0.5
    assert found["kinds"]["long"]["questions"] == 1
    assert found["kinds"]["long"]["few"] is True


def test_what_else_a_line_says_in_a_word_is_kept(tmp_path: Path) -> None:
    row = {
        "question": "why?",
        "kind": "direct",
        "question_type": ["How-To", "Keyword"],
        "hard": True,
        "why_unanswerable": "a long reason " * 10,
        "answer": "yes",
        "deep": {"a": 1},
    }
    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps(row))
    (read,) = load(path)
    assert read.fields == {"kind": ("direct",), "question_type": ("How-To", "Keyword"), "hard": ("true",)}


def test_a_line_break_inside_a_question_does_not_end_its_line(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"question": "one\u2028two"}\n{"question": "three"}\n', encoding="utf-8")
    assert [one.question for one in load(path)] == ["one\u2028two", "three"]
