"""A list that comes in pages, read to its end or to a bound. A list that was cut short says so."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from connectors.errors import Incomplete

RecordT = TypeVar("RecordT")
PlaceT = TypeVar("PlaceT", bound=Hashable)


@dataclass(frozen=True, kw_only=True)
class Page(Generic[RecordT, PlaceT]):
    """Some records of a list: where the next ones begin (None behind the last), and how many there are."""

    records: Sequence[RecordT]
    then: PlaceT | None = None  # a number, a cursor, an address: whatever the system wants
    total: int | None = None  # as announced; None where it is not


async def paged(
    ask: Callable[[PlaceT], Awaitable[Page[RecordT, PlaceT]]],
    first: PlaceT,
    *,
    most: int,
    key: Callable[[RecordT], Hashable] | None = None,
) -> AsyncGenerator[RecordT]:
    """Every record of a list, page by page. Only a loop that ends by itself has seen them all.

    Otherwise it ends in `Incomplete`: where another page follows `most` records (an empty page counts as
    one), where more records are announced than shown, where a page leads back, and where a record comes twice
    (by `key`), because the list moved while it was read. What was found is found all the same; that something
    was not found is then no proof.
    """
    place: PlaceT | None = first
    places, keys, shown, read = set[PlaceT](), set[Hashable](), 0, 0
    while place is not None:
        if read >= most:
            raise Incomplete(f"a list goes on behind the {most} records that are read of it")
        if place in places:
            raise Incomplete("a list leads back to a page that was read, and not to its end")
        places.add(place)
        page = await ask(place)
        for record in page.records:
            yield record
        shown += len(page.records)
        read += max(len(page.records), 1)
        place, total = page.then, page.total or 0
        if total > shown and (place is None or total > most):
            raise Incomplete(f"a list announces {total} records, and {shown} were shown")
        if key is not None:
            keys.update(map(key, page.records))
            if len(keys) < shown:
                raise Incomplete("a list has a record twice")
