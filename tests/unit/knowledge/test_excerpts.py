"""Token recall, on documents small enough to count by hand."""

from collections.abc import Callable

import pytest

from knowledge.edition import Edition
from knowledge.measures.excerpts import Measure
from knowledge.measures.questions import Excerpt
from knowledge.texts import Span

Ingest = Callable[[dict[str, str | bytes]], Edition]

LEAVE = """# Leave

## Days

Everybody has **25 days** of paid leave. Unused days lapse in March.

## Sickness

- Call before nine.
- Bring a note on day four.

| Weeks | Pay |
|---|---|
| 1 to 6 | full |
| 7 to 12 | half |
"""


def excerpt(text: str, start: int = 0, *, documents: tuple[str, ...] = ("leave.md",)) -> Excerpt:
    return Excerpt(documents=documents, text=text, start=start)


def spans(edition: Edition, *numbers: int) -> list[Span]:
    return edition.texts.spans(numbers)


def test_recall_is_the_share_of_an_excerpts_characters_inside_the_passages(ingest: Ingest) -> None:
    edition = ingest({"leave.md": LEAVE})
    (days, sickness) = edition.texts.spans(range(edition.passages))
    measure = Measure(edition)
    whole = [excerpt("Unused days lapse in March."), excerpt("Call before nine.")]
    assert measure.held(whole, [days, sickness]).recall == 1
    # unuseddayslapseinmarch: 22 characters of words; callbeforenine: 14
    assert measure.held(whole, [days]).recall == pytest.approx(22 / 36)
    assert measure.held(whole, []).recall == 0


def test_precision_and_iou_count_the_rest_of_the_passages(ingest: Ingest) -> None:
    edition = ingest({"leave.md": LEAVE})
    held = Measure(edition).held([excerpt("Unused days lapse in March.")], spans(edition, 0))
    # everybodyhas25daysofpaidleave: 29 beside the excerpt's 22
    assert held.precision == pytest.approx(22 / 51)
    assert held.iou == pytest.approx(22 / 51)


def test_markup_and_lost_words_do_not_hide_an_excerpt(ingest: Ingest) -> None:
    edition = ingest({"leave.md": LEAVE})
    measure = Measure(edition)
    raw = "Everybody has **25 days** of <unk> paid leave."
    assert measure.held([excerpt(raw)], spans(edition, 0)).recall == 1
    assert measure.held([excerpt(raw)], spans(edition, 1)).recall == 0
    across = measure.held(
        [excerpt("Unused days lapse in March. ## Sickness - Call before nine.")], spans(edition, 1)
    )
    assert across.recall == pytest.approx((8 + 14) / (22 + 8 + 14))  # every passage carries its heading


def test_rows_are_found_with_their_header(ingest: Ingest) -> None:
    edition = ingest({"leave.md": LEAVE})
    held = Measure(edition).held(
        [excerpt("| Weeks | Pay |\n|---|---|\n| 1 to 6 | full |")], spans(edition, 1)
    )
    assert held.recall == 1


def test_an_excerpt_that_is_nowhere_is_told(ingest: Ingest) -> None:
    edition = ingest({"leave.md": LEAVE})
    measure = Measure(edition)
    held = measure.held([excerpt("Pigs may fly on Sundays only.")], spans(edition, 0, 1))
    assert (held.not_found, held.recall) == (1, 0)
    other = measure.held([excerpt("Call before nine.", documents=("gone.md",))], spans(edition, 0, 1))
    assert other.not_found == 1


def test_of_repeated_words_the_ones_near_the_given_place_count(ingest: Ingest) -> None:
    filling = "\n\n".join(f"Paragraph {n} tells of something else entirely, number {n}." for n in range(60))
    said = "The fee is ten euros a month."
    edition = ingest({"leave.md": f"{said}\n\n{filling}\n\n{said}\n"})
    first, *_, last = edition.texts.spans(range(edition.passages))
    measure = Measure(edition)
    late = excerpt(said, start=len(filling))
    assert measure.held([excerpt(said)], [first]).recall == 1
    assert measure.held([late], [first]).recall == 0
    assert measure.held([late], [last]).recall == 1


def test_the_size_of_passages_is_that_of_their_own_words(ingest: Ingest) -> None:
    edition = ingest({"leave.md": "# Leave\n\nFour words are here.\n"})
    assert Measure(edition).passages() == {"count": 1, "mean_words": 4.0, "mean_characters": 20.0}
