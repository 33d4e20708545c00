"""When two sentences contradict each other, and when they are only about different things."""

from collections.abc import Callable

import pytest

from knowledge.answer import Library
from knowledge.conflicts import disagree
from knowledge.edition import Edition
from tests.unit.knowledge.conftest import EVERYONE, Words

Ingest = Callable[[dict[str, str | bytes]], Edition]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "The hotel limit is 140 euros a night in Utrecht.",
            "The hotel limit in Utrecht is 160 euros a night.",
        ),
        ("You can carry up to 5 days over.", "You can carry up to ten days of leave over."),
        (
            "Claims must be submitted within 30 days of paying.",
            "Claims must be submitted within 60 days of paying.",
        ),
        ("Employees may use personal devices.", "Employees may not use personal devices."),
        (
            "Leave must be used by 31 March, and lapses then.",
            "Leave must be used by June 30, and lapses then.",
        ),
        ("The office opens at 8:00.", "The office opens at 9 am."),
        ("The notice period is one month.", "The notice period is two months."),
        ("Remote work is allowed.", "Remote work is prohibited."),
        ("Parking costs € 5.", "Parking costs 7 euros."),
        ("The discount is 15% for schools.", "The discount is 20 % for schools."),
        ("Adoption leave | 6 weeks | 70 % of pay", "Adoption leave | 13 weeks | 70 % of pay"),
    ],
)
def test_other_figures_or_a_no_contradict(one: str, other: str) -> None:
    assert disagree(one, other)
    assert disagree(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Breakfast in Utrecht is € 15.", "Breakfast in Halifax is € 20."),
        ("Breakfast costs € 15.", "Breakfast costs CAD 22."),
        ("Managers approve up to 500 euros.", "Directors approve up to 5,000 euros."),
        ("The first review is after 3 months.", "The second review is after 6 months."),
        ("The fee is 1,500 euros.", "The fee is 1500.00 euros."),
        ("Leave is 26 days a year.", "Leave is twenty-six days a year, 26 days in all."),
        ("A password has at least 14 characters.", "Paychecks are paid on the 25th."),
        ("Leave lapses on 31 March.", "Leave lapses on March 31."),
        ("Leave is 26 days, at least 10 in summer.", "Leave is 26 days, of which 12 may be kept."),
        ("You must lock the screen.", "You must not share the password."),
    ],
)
def test_other_subjects_and_the_same_in_other_words_do_not(one: str, other: str) -> None:
    assert not disagree(one, other)
    assert not disagree(other, one)


HOTELS = "---\ntitle: {title}\n{dates}---\n# Hotels\n\nThe hotel limit is {limit} euros a night in Utrecht.\n"


def test_both_sides_of_a_conflict_are_quoted_and_the_newer_is_named(ingest: Ingest, words: Words) -> None:
    edition = ingest(
        {
            "old.md": HOTELS.format(title="Travel 2024", dates="effective: 2024-01-01\n", limit=140),
            "new.md": HOTELS.format(title="Travel 2026", dates="effective: 2026-01-01\n", limit=160),
        }
    )
    answer = Library(edition, words).ask("hotel limit euros night Utrecht", reader=EVERYONE)
    assert {citation.document for citation in answer.citations} == {"old.md", "new.md"}
    assert "140 euros" in answer.answer
    assert "160 euros" in answer.answer
    (note,) = answer.notes
    assert "contradict each other" in note
    assert "\u201cTravel 2026\u201d is the newer one, in force since 2026-01-01" in note
    assert answer.status == "cautioned"


def test_a_conflict_between_documents_without_dates_asks_which_holds(ingest: Ingest, words: Words) -> None:
    edition = ingest(
        {
            "a.md": HOTELS.format(title="Travel", dates="", limit=140),
            "b.md": HOTELS.format(title="Travel", dates="", limit=160),
        }
    )
    answer = Library(edition, words).ask("hotel limit euros night Utrecht", reader=EVERYONE)
    (note,) = answer.notes
    assert "a.md" in note
    assert "b.md" in note
    assert "ask which of them holds" in note


def test_documents_that_say_the_same_are_no_conflict(ingest: Ingest, words: Words) -> None:
    edition = ingest(
        {
            "a.md": HOTELS.format(title="Travel", dates="", limit=140),
            "b.md": HOTELS.format(title="Hotels", dates="", limit=140),
        }
    )
    assert Library(edition, words).ask("hotel limit euros night Utrecht", reader=EVERYONE).notes == ()
