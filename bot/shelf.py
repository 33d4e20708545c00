"""The edition that serves, kept open and warm, and exchanged when another one is made to serve."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import date
from pathlib import Path

from bot.database import Database
from bot.serving import in_bot
from knowledge import embedder
from knowledge.answer import Library
from knowledge.documents import Section
from knowledge.edition import Edition, Reader, open_current
from knowledge.embedder import Embedder
from knowledge.errors import KnowledgeError
from knowledge.serving import Serving

logger = logging.getLogger(__name__)

PAUSE = 1.0  # seconds between two looks at which edition serves


class Shelf:
    """Opens editions. Its methods read files and may take seconds: call them in a thread."""

    def __init__(
        self,
        home: Path,
        embedder: Embedder,
        serving: Serving,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._home = home
        self._embedder = embedder
        self._serving = serving
        self._clock = clock
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._library: Library | None = None
        self._looked = -PAUSE
        self._said = ""

    def library(self) -> Library:
        """Return the library of the edition that serves, as of at most a second ago.

        While a new one is opened, others are still answered from the one before it; that one is let go of
        when they have finished. Where nobody can say which edition serves, the last one goes on serving.
        Raises NoEdition or DamagedEdition where there is none.
        """
        with self._lock:
            held, now = self._library, self._clock()
            if held is not None and now - self._looked < PAUSE:
                return held
            self._looked = now
        try:
            return self._newest()
        except KnowledgeError as error:
            if held is None:
                raise
            if str(error) != self._said:
                self._said = str(error)
                logger.warning("Still answering from edition %s. %s", held.edition.id, error)
            return held

    def edition(self) -> Edition:
        """Return the edition that serves at this moment. Raises KnowledgeError."""
        return self._newest().edition

    def section(self, document: str, anchor: str, reader: Reader) -> Section | None:
        """Return a section that this reader may read today, or None."""
        edition = self.library().edition
        head = next((head for head in edition.documents if head.document == document), None)
        if head is None or not reader.may_read(head):
            return None
        return edition.section(document, anchor)

    def _newest(self) -> Library:
        name = self._serving.current()
        held = self._library
        if held is not None and held.edition.id == name and held.edition.stands():
            return held
        with self._opening:  # whoever is second finds it open
            held = self._library
            if held is None or held.edition.id != name or not held.edition.stands():
                held = Library(open_current(self._home, self._serving), self._embedder)
                held.warm()
                self._library = held
                logger.info("Edition %s serves", held.edition.id)
            return held


@asynccontextmanager
async def open_shelf(home: Path, database: Database) -> AsyncIterator[Shelf]:
    """Yield the shelf of a running bot, whose database says which edition serves."""
    model = await asyncio.to_thread(embedder.load, home)
    with in_bot(home, database.conninfo) as serving:
        shelf = Shelf(home, model, serving)
        looking = asyncio.create_task(_keep_looking(shelf))
        try:
            yield shelf
        finally:
            looking.cancel()
            await asyncio.wait([looking])


async def _keep_looking(shelf: Shelf) -> None:
    """Open a new edition before anybody asks, and let go of the one before: it may have to be erased."""
    while True:
        with suppress(KnowledgeError):  # whoever asks is told
            await asyncio.to_thread(shelf.library)
        await asyncio.sleep(PAUSE)


def is_in_force(section: Section, today: date) -> bool:
    """Whether the section's document binds anybody today."""
    begun = section.effective is None or section.effective <= today
    return begun and (section.expires is None or section.expires >= today)
