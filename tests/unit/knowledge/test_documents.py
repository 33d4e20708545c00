import pytest

from knowledge.documents import Anchors, normalised, parts_of, section_text, slug, text_hash
from knowledge.sentences import split
from knowledge.sources import markdown

HANDBOOK = """# IT access

Who gets in, and how.

## Temporary access to data

Access ends by itself after at most 30 days.

### Who approves

A data owner approves.

## Guests

Guests get none.
"""


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("Temporary access to data", "temporary-access-to-data"),
        ("5.2.1 Workforce Training", "521-workforce-training"),
        ("Who's who? (and why)", "whos-who-and-why"),
        ("Überstunden & Urlaub", "überstunden--urlaub"),
        ("snake_case stays", "snake_case-stays"),
    ],
)
def test_anchors_are_those_that_github_makes(heading: str, anchor: str) -> None:
    assert slug(heading) == anchor


def test_equal_headings_get_distinct_anchors() -> None:
    anchors = Anchors()
    assert [anchors.name(text) for text in ("Leave", "Leave", "Leave 1", "Leave")] == [
        "leave",
        "leave-1",
        "leave-1-1",
        "leave-2",
    ]


def test_a_section_reaches_to_the_next_heading_of_its_level() -> None:
    parts = parts_of(markdown.read(HANDBOOK).blocks)
    place = next(number for number, part in enumerate(parts) if part.anchor == "temporary-access-to-data")
    text, body = section_text(parts, place)
    assert text == (
        "## Temporary access to data\nAccess ends by itself after at most 30 days.\n"
        "### Who approves\nA data owner approves."
    )
    assert body == "Access ends by itself after at most 30 days."


def test_layout_does_not_change_a_hash_and_a_number_does() -> None:
    assert text_hash("At most  30 days.\n\n Café ") == text_hash("At most 30 days.\nCafe\u0301")
    assert text_hash("At most 30 days.") != text_hash("At most 31 days.")
    assert normalised("one\n two") != normalised("one two")


def test_the_hash_is_sha256_of_the_normalised_text() -> None:
    assert text_hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("You get 3 weeks. They accrue.", ["You get 3 weeks.", "They accrue."]),
        ("Ask e.g. Dr. Smith at 5 p.m. EST. Then go.", ["Ask e.g. Dr. Smith at 5 p.m. EST.", "Then go."]),
        ("It costs $1.50 a day. No. 5 is free.", ["It costs $1.50 a day.", "No. 5 is free."]),
        ("The Acme Inc. 500 is out. Good.", ["The Acme Inc. 500 is out.", "Good."]),
        ("Is it paid? Yes! (See below.) Fine.", ["Is it paid?", "Yes!", "(See below.)", "Fine."]),
        (
            "Rates (as of Jan. 1. Updated yearly) apply. Done.",
            ["Rates (as of Jan. 1. Updated yearly) apply.", "Done."],
        ),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, sentences: list[str]) -> None:
    assert split(text) == sentences


def test_together_the_sentences_are_the_paragraph() -> None:
    text = 'He said "No." Then he left! Was it 3.5 or 4? Nobody, e.g. Ben, knew.'
    assert " ".join(split(text)) == text
