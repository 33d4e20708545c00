"""What is found first, and what is shown once."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from knowledge import quotes, retrieve
from knowledge.edition import Edition
from tests.unit.knowledge.conftest import EVERYONE, TODAY, Words

Ingest = Callable[[dict[str, str | bytes]], Edition]
TAXI = "# Taxi\n\nA taxi is paid after 22:00. Keep the receipt.\n"


def found(edition: Edition, words: Words, question: str, *history: str) -> list[str]:
    asked = retrieve.query(edition, words, question, history, reader=EVERYONE)
    hits = retrieve.rank(edition, asked, reader=EVERYONE)
    return [edition.documents[hit.document].document for hit in hits]


def test_the_same_passage_in_two_documents_is_shown_once(ingest: Ingest, words: Words) -> None:
    shouted = TAXI.replace("Keep the", "KEEP THE")
    edition = ingest({"a.md": TAXI, "copy/a.md": shouted, "bikes.md": "# Bikes\n\nBikes are lent.\n"})
    assert sorted(found(edition, words, "taxi receipt")) in (["a.md", "bikes.md"], ["bikes.md", "copy/a.md"])


@pytest.mark.parametrize("other", ["A taxi is paid after 23:00.", "A taxi is not paid after 22:00."])
def test_passages_that_contradict_each_other_are_both_shown(ingest: Ingest, words: Words, other: str) -> None:
    edition = ingest({"a.md": TAXI, "b.md": TAXI.replace("A taxi is paid after 22:00.", other)})
    assert sorted(found(edition, words, "taxi receipt")) == ["a.md", "b.md"]


def test_the_same_words_under_other_headings_are_another_rule(ingest: Ingest, words: Words) -> None:
    edition = ingest({"a.md": TAXI, "b.md": TAXI.replace("# Taxi", "# Taxi in Canada")})
    assert sorted(found(edition, words, "taxi receipt")) == ["a.md", "b.md"]


def test_of_twins_the_most_recent_document_in_force_is_shown(ingest: Ingest, words: Words) -> None:
    dated = {
        f"{name}.md": f"---\ntitle: Taxi\neffective: {day}\nreview: {review}\n---\n{TAXI}"
        for name, day, review in [
            ("old", "2020-01-01", "2030-01-01"),
            ("new", "2024-01-01", "2030-01-01"),
            ("overdue", "2025-01-01", "2025-06-01"),
            ("coming", "2027-01-01", "2030-01-01"),
        ]
    }
    edition = ingest(dated)
    assert found(edition, words, "taxi receipt") == ["new.md"]
    later = replace(EVERYONE, today=TODAY.replace(year=2028))
    asked = retrieve.query(edition, words, "taxi receipt", reader=later)
    (hit,) = retrieve.rank(edition, asked, reader=later)
    assert edition.documents[hit.document].document == "coming.md"


def test_a_follow_up_leans_on_what_was_asked_before(ingest: Ingest, words: Words) -> None:
    edition = ingest({"taxi.md": TAXI, "bikes.md": "# Bikes\n\nA receipt for a bike is kept for a year.\n"})
    assert found(edition, words, "and the receipt?", "How is a bike paid?")[0] == "bikes.md"
    assert found(edition, words, "and the receipt?", "When is a taxi paid?")[0] == "taxi.md"


def test_a_question_without_words_still_finds_something(ingest: Ingest, words: Words) -> None:
    edition = ingest({"taxi.md": TAXI})
    assert found(edition, words, "\u2603 ?") == ["taxi.md"]


def test_of_passages_that_are_equals_the_one_with_the_better_sentence_comes_first(
    ingest: Ingest, words: Words
) -> None:
    edition = ingest(
        {"taxi.md": TAXI, "bikes.md": "# Bikes\n\nBikes are lent.\n", "tea.md": "# Tea\n\nTea is free.\n"}
    )
    asked = retrieve.query(edition, words, "Is a taxi paid after 22:00?", reader=EVERYONE)
    hits = retrieve.rank(edition, asked, reader=EVERYONE)
    found = quotes.candidates(edition, asked, hits)
    equals = [replace(hit, score=0.5) for hit in reversed(hits)]
    settled = quotes.settled(equals, found)
    assert edition.documents[settled[0].document].document == "taxi.md"
    assert settled[0].score == 0.5
    assert [hit.number for hit in quotes.settled(hits, [])] == [hit.number for hit in hits]


def test_a_better_sentence_does_not_lift_a_passage_far(ingest: Ingest, words: Words) -> None:
    edition = ingest({"taxi.md": TAXI, "bikes.md": "# Bikes\n\nBikes are lent.\n"})
    asked = retrieve.query(edition, words, "Is a taxi paid after 22:00?", reader=EVERYONE)
    hits = retrieve.rank(edition, asked, reader=EVERYONE)
    found = quotes.candidates(edition, asked, hits)
    apart = [replace(hit, score=score) for hit, score in zip(reversed(hits), (0.9, 0.3), strict=True)]
    assert quotes.settled(apart, found)[0].number == apart[0].number
