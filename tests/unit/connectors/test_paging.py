"""A list that was cut short says so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import Incomplete
from connectors.paging import Page, paged


class Shelf:
    """A list of records that is served in pages."""

    def __init__(self, size: int, page: int, *, total: int | None, hides: int = 0) -> None:
        self.records = list(range(size - hides))
        self.page, self.total, self.asked = page, total, 0

    async def ask(self, start: int) -> Page[int, int]:
        self.asked += 1
        some = self.records[start : start + self.page]
        end = start + self.page >= len(self.records)
        return Page(records=some, then=None if end else start + self.page, total=self.total)


@given(st.integers(0, 40), st.integers(1, 10), st.integers(1, 50), st.integers(0, 3), st.booleans())
async def test_a_list_is_read_whole_or_says_that_it_was_not(
    size: int,
    page: int,
    most: int,
    hides: int,
    announces: bool,  # generated
) -> None:
    hides = min(hides, size)
    shelf = Shelf(size, page, total=size if announces else None, hides=hides)
    found: list[int] = []
    try:
        async for record in paged(shelf.ask, 0, most=most, key=lambda one: one):
            found.append(record)  # noqa: PERF401  # what was found before an error counts
        assert found == shelf.records
        assert not (announces and hides)
    except Incomplete:
        assert (announces and hides) or len(shelf.records) > most
        assert found == shelf.records[: len(found)]
    assert shelf.asked <= most // page + 1
    assert len(found) < most + page


@pytest.mark.parametrize(
    "pages",
    [
        {0: Page(records=[1], then=1), 1: Page(records=[2], then=0)},  # round and round
        {0: Page(records=[1], then=0)},
        {0: Page(records=[1], then=1), 1: Page[int, int](records=[1])},  # the list moved
        {0: Page[int, int](records=[], total=1)},
        {0: Page(records=[1], then=1, total=10**9)},
        {n: Page[int, int](records=[], then=n + 1) for n in range(100)},
    ],
)
async def test_a_list_that_does_not_add_up_proves_nothing(pages: dict[int, Page[int, int]]) -> None:
    async def ask(place: int) -> Page[int, int]:
        return pages[place]

    with pytest.raises(Incomplete):
        [one async for one in paged(ask, 0, most=50, key=lambda one: one)]
