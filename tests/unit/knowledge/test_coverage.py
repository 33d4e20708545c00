"""Risk-coverage curves, calibration and intervals, on figures worked out by hand."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from knowledge.evaluate import Outcome
from knowledge.measures.coverage import calibration, curve
from knowledge.measures.intervals import intervals
from knowledge.measures.plot import risk_coverage
from tests.unit.knowledge.test_evaluate import answer, question


def outcome(confidence: float, *, right: bool, answerable: bool | str = True) -> Outcome:
    gold = question(["a"], answerable=answerable)
    return Outcome(question=gold, answer=answer(["a"], [("a" if right else "b", "x")], confidence))


SET = [
    outcome(0.9, right=True),
    outcome(0.8, right=False),
    outcome(0.6, right=True),
    outcome(0.6, right=True, answerable=False),  # nothing said to it is right
    outcome(0.7, right=True, answerable="partial"),  # does not count
]


def test_precision_falls_and_rises_along_the_curve() -> None:
    found = curve(SET, 0.7)
    assert found is not None
    assert [(one["threshold"], one["coverage"], one["precision"]) for one in found["points"]] == [
        (0.9, 0.25, 1.0),
        (0.8, 0.5, 0.5),
        (0.6, 1.0, 0.5),
    ]
    assert found["shipped"] == {"threshold": 0.7, "coverage": 0.5, "precision": 0.5}
    assert found["aurc"] == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4, abs=1e-4)
    assert found["aurc_best"] == pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4, abs=1e-4)


def test_gold_sentences_decide_where_there_are_some() -> None:
    shown = replace(SET[0].question, sentences=("x",))
    hidden = replace(SET[0].question, sentences=("words that are not quoted",))
    rows = [Outcome(question=one, answer=SET[0].answer) for one in (shown, hidden)]
    found = curve(rows, 0.5)
    assert found is not None
    assert found["shipped"]["precision"] == 0.5


def test_nothing_above_the_threshold_is_no_precision() -> None:
    found = curve(SET, 0.95)
    assert found is not None
    assert found["shipped"] == {"threshold": 0.95, "coverage": 0.0, "precision": None}
    assert curve([SET[-1]], 0.5) is None


def test_confidence_is_compared_with_how_often_questions_are_answerable() -> None:
    sure = [outcome(1.0, right=True)] * 5 + [outcome(0.0, right=True, answerable=False)]
    exact = calibration(sure)
    assert exact is not None
    assert (exact["ece"], exact["brier"]) == (0, 0)
    turned = calibration([outcome(0.0, right=True), outcome(1.0, right=True, answerable=False)])
    assert turned is not None
    assert (turned["ece"], turned["brier"]) == (1, 1)
    assert calibration([outcome(0.5, right=True)]) is None


def test_both_kinds_weigh_the_same_however_many_there_are() -> None:
    found = calibration([outcome(0.5, right=True)] * 9 + [outcome(0.5, right=True, answerable=False)])
    assert found is not None
    assert found["brier"] == 0.25
    assert sum(one["questions"] for one in found["bins"]) == 10


def test_intervals_hold_the_figure_and_shrink_with_more_questions() -> None:
    few = [outcome(0.9, right=True)] * 5 + [outcome(0.1, right=False)] * 5
    narrow, wide = intervals(few * 20), intervals(few)
    low, high = wide["answers"]["citation_precision"]
    assert low < 0.5 < high
    closer = narrow["answers"]["citation_precision"]
    assert low < closer[0] < 0.5 < closer[1] < high
    assert wide["abstention"]["auc"] is None
    assert wide["retrieval"]["recall@1"] == [1, 1]
    assert intervals(few) == wide


def test_an_auc_has_an_interval_where_both_kinds_are() -> None:
    rows = [outcome(0.9, right=True)] * 6 + [outcome(0.1, right=False, answerable=False)] * 6
    assert intervals(rows)["abstention"]["auc"] == [1, 1]
    mixed = [*rows, outcome(0.95, right=False, answerable=False), outcome(0.05, right=True)]
    low, high = intervals(mixed)["abstention"]["auc"]
    assert 0.3 < low < 0.8 < high <= 1


def test_the_picture_says_in_words_what_it_shows() -> None:
    found = curve(SET, 0.7)
    assert found is not None
    picture = ElementTree.fromstring(risk_coverage("Larkfield & <others>", found))
    words = " ".join(picture.itertext())
    assert "Larkfield & <others>" in words
    assert "50 % are answered at the shipped threshold of 0.70, 50 % of them rightly" in words
    assert picture.get("role") == "img"
    (line,) = picture.findall("{*}polyline")
    assert len(line.attrib["points"].split()) == 3


def test_a_picture_can_be_drawn_of_a_perfect_curve_and_of_one_without_answers() -> None:
    for outcomes, threshold in (([outcome(0.9, right=True)], 0.5), ([outcome(0.1, right=False)], 0.5)):
        found = curve(outcomes, threshold)
        assert found is not None
        ElementTree.fromstring(risk_coverage("set", found))
