"""What the open pages are told: each person hears only what they may see."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

_BACKLOG = 1000

Note = dict[str, Any]


class Streams:
    """The open control streams, by the person they are for."""

    def __init__(self) -> None:
        self._open: list[tuple[str, asyncio.Queue[Note | None]]] = []

    @asynccontextmanager
    async def listen(self, person: str) -> AsyncIterator[asyncio.Queue[Note | None]]:
        """Hear what `person` is told, from now on. None ends the stream."""
        entry = (person, asyncio.Queue[Note | None](_BACKLOG))
        self._open.append(entry)
        try:
            yield entry[1]
        finally:
            self._open.remove(entry)

    def tell(self, people: set[str], note: Note) -> None:
        """Tell these people; a page that has stopped reading is closed rather than waited for."""
        for person, queue in self._open:
            if person in people:
                _offer(queue, note)

    def close(self) -> None:
        """End every stream."""
        for _, queue in self._open:
            _offer(queue, None)


def _offer(queue: asyncio.Queue[Note | None], note: Note | None) -> None:
    try:
        queue.put_nowait(note)
    except asyncio.QueueFull:
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)
