"""Passages as they are handed on."""

from collections.abc import Callable

from knowledge import retrieve
from knowledge.documents import Unit
from knowledge.edition import Edition
from knowledge.measures import served
from knowledge.texts import Span
from tests.unit.knowledge.conftest import EVERYONE, Words

Ingest = Callable[[dict[str, str | bytes]], Edition]


def units(*sizes: int) -> list[Unit]:
    return [Unit(kind="sentence", text=" ".join(["word"] * size)) for size in sizes]


def span(first: int, last: int) -> Span:
    return Span(number=0, document=0, part=0, first=first, last=last)


def bounds(found: Span) -> tuple[int, int]:
    return found.first, found.last


def test_a_passage_is_widened_on_both_sides_alike() -> None:
    assert bounds(served.widened(span(3, 5), units(*[50] * 8))) == (2, 6)


def test_what_one_side_lacks_the_other_gives() -> None:
    assert bounds(served.widened(span(0, 2), units(*[50] * 8))) == (0, 4)
    assert bounds(served.widened(span(6, 8), units(*[50] * 8))) == (4, 8)


def test_a_unit_too_long_is_left_out_and_the_rest_still_goes_on() -> None:
    assert bounds(served.widened(span(1, 2), units(300, 50, 60, 60, 60))) == (1, 4)


def test_a_passage_never_leaves_its_section_and_is_never_cut() -> None:
    assert bounds(served.widened(span(0, 2), units(20, 20))) == (0, 2)
    assert bounds(served.widened(span(0, 1), units(served.SIZE + 50, 5))) == (0, 1)


def test_a_passage_inside_another_does_not_count(ingest: Ingest, words: Words) -> None:
    text = "\n\n".join(
        f"Trains of kind {kind} leave early and arrive late on most days." for kind in "abcdefghijkl"
    )
    edition = ingest({"trains.md": f"# Trains\n\n{text}\n", "bikes.md": "# Bikes\n\nTrains carry bikes.\n"})
    asked = retrieve.query(edition, words, "trains leave early", reader=EVERYONE)
    hits = retrieve.rank(edition, asked, reader=EVERYONE)
    assert edition.passages == len(hits) > 2
    found = served.served(edition, hits)
    assert sorted(edition.documents[one.document].document for one in found) == ["bikes.md", "trains.md"]
    assert len(served.served(edition, hits, 1)) == 1
