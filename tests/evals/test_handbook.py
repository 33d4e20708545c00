"""How good answers are on a real handbook. The floors are what was measured, less a question or two."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from knowledge.edition import open_current
from tests.evals.conftest import app


@pytest.fixture(scope="module")
def figures(civicactions: Path, shared_data: Path) -> dict[str, Any]:
    questions = shared_data / "questions" / "civicactions" / "questions.jsonl"
    result = CliRunner().invoke(app, ["evaluate", str(questions), "--json", "--home", str(civicactions)])
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_the_right_documents_are_found(figures: dict[str, Any]) -> None:
    assert figures["questions"] == 30
    assert figures["retrieval"]["recall@5"] >= 0.95
    assert figures["retrieval"]["ndcg@10"] >= 0.94
    assert figures["retrieval"]["recall@1"] >= 0.83


def test_answers_show_the_right_sentence(figures: dict[str, Any]) -> None:
    # .83 where the processor multiplies whole numbers without saturating, .75 where it does not.
    exact = "vnni" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    assert figures["answers"]["shown"] >= (0.79 if exact else 0.73)
    assert figures["answers"]["citation_precision"] >= 0.86


def test_what_is_not_covered_scores_below_what_is(figures: dict[str, Any]) -> None:
    assert figures["abstention"]["auc"] >= 0.85
    assert figures["abstention"]["refused_answerable"] <= 0.25


def test_a_whole_handbook_is_in_the_edition(civicactions: Path) -> None:
    edition = open_current(civicactions)
    assert len(edition.documents) == 77
    section = edition.section("employee-benefits/canada-benefits-policy.md", "bereavement-leave")
    assert section is not None
    assert "up to 14 days of paid bereavement leave" in section.text


def test_an_answer_quotes_its_document_word_for_word(civicactions: Path) -> None:
    question = "bereavement leave - how many days if a grandparent passes away? (canada)"
    result = CliRunner().invoke(app, ["ask", question, "--json", "--home", str(civicactions)])
    answer = json.loads(result.stdout)
    edition = open_current(civicactions)
    assert answer["citations"]
    for citation in answer["citations"]:
        assert set(citation) == {"document", "title", "section", "quote", "url", "edition"}
        anchor = citation["section"].split(" > ")[-1].lower().replace(" ", "-")
        section = edition.section(citation["document"], anchor)
        assert section is not None
        assert citation["quote"] in section.text
