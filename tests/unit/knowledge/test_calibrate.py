"""The file of weights is made from question sets, and tells what it was measured on."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from knowledge import quotes
from knowledge.edition import Edition
from knowledge.scale import scale
from knowledge.training import calibrate
from knowledge.training.fitting import logistic, preference
from tests.unit.knowledge.conftest import Words

Ingest = Callable[[dict[str, str | bytes]], Edition]
TOPICS = ("parking", "hotels", "trains", "laptops", "phones", "meals", "visas", "taxis", "bicycles", "badges")


def test_a_weight_that_would_speak_against_an_answer_is_left_out() -> None:
    values = np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.9], [0.1, 0.7]])
    weights, bias = logistic(values, np.array([1.0, 1.0, 0.0, 0.0]), np.full(4, 0.25), 0.1)
    assert weights[0] > 0
    assert weights[1] == 0
    sure = 1 / (1 + np.exp(-(values @ weights + bias)))
    assert (sure > 0.5).tolist() == [True, True, False, False]


def test_better_rows_are_put_above_worse_ones_question_by_question() -> None:
    better = [np.array([[2.0, 0.0]]), np.array([[9.0, 1.0]])]
    worse = [np.array([[1.0, 0.0]]), np.array([[8.0, 1.0], [7.5, 1.0]])]
    weights = preference(better, worse, [1.0, 1.0], 0.01)
    assert weights[0] > 0
    assert abs(weights[1]) < 1e-6


def test_a_file_is_made_from_questions_with_a_part_kept_aside(
    ingest: Ingest, words: Words, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest({f"{topic}.md": f"# Rules\n\nThe {topic} fee is 5 euros. Ask Grace.\n" for topic in TOPICS})
    lines = [
        {
            "question": f"what is the {topic} fee",
            "answerable": True,
            "gold_docs": [f"{topic}.md"],
            "gold_span": [f"The {topic} fee is 5 euros."],
        }
        for topic in TOPICS
    ] + [{"question": f"zebra volcano {topic}", "answerable": False} for topic in ("quartz", "opal", "jade")]
    for name in ("one", "two"):
        path = tmp_path / f"{name}.jsonl"
        path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    monkeypatch.setattr(calibrate.embedder, "load", lambda _home: words)
    home = tmp_path / "home"
    sets = [f"{home}={tmp_path / 'one.jsonl'}", f"{home}={tmp_path / 'two.jsonl'}"]
    monkeypatch.setattr("sys.argv", ["calibrate", str(tmp_path / "made.json"), *sets])
    calibrate.main()
    made = json.loads((tmp_path / "made.json").read_text())
    assert list(made["sentences"]) == list(quotes.FEATURES)
    assert set(made["weights"]) == set(scale().names)
    assert all(weight >= 0 for weight in made["weights"].values())
    assert 0 < made["cautioned"] < 1
    assert sum(made["made_from"].values()) < 2 * (2 * len(TOPICS) + 3)  # a part is kept aside
    assert made["left_out"]["one"]["auc"] > 0.9


def test_the_shipped_weights_are_those_that_the_code_asks_for() -> None:
    assert len(scale().sentences) == len(quotes.FEATURES)
    assert 0 < scale().cautioned < scale().answered < 1
