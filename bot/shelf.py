"""The edition that serves, kept open and warm, and exchanged when a newer one is swapped in."""

import threading
from datetime import date
from pathlib import Path

from knowledge.answer import Library
from knowledge.documents import Section
from knowledge.edition import Edition, Reader, current_id, open_current
from knowledge.embedder import Embedder


class Shelf:
    """Opens editions. Its methods read files and may take seconds: call them in a thread."""

    def __init__(self, home: Path, embedder: Embedder) -> None:
        self._home = home
        self._embedder = embedder
        self._lock = threading.Lock()
        self._library: Library | None = None

    def library(self) -> Library:
        """Return the library of the edition that serves now. Raises NoEdition or DamagedEdition.

        One that somebody still reads from is let go of when they have finished.
        """
        with self._lock:
            if self._library is None or current_id(self._home) != self._library.edition.id:
                self._library = Library(open_current(self._home), self._embedder)
            return self._library

    def edition(self) -> Edition:
        """Return the edition that serves now."""
        return self.library().edition

    def section(self, document: str, anchor: str, reader: Reader) -> Section | None:
        """Return a section that this reader may read today, or None."""
        edition = self.edition()
        head = next((head for head in edition.documents if head.document == document), None)
        if head is None or not reader.may_read(head):
            return None
        return edition.section(document, anchor)


def is_in_force(section: Section, today: date) -> bool:
    """Whether the section's document binds anybody today."""
    begun = section.effective is None or section.effective <= today
    return begun and (section.expires is None or section.expires >= today)
