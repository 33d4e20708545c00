"""The clause that governs a workflow, from the edition that serves."""

import asyncio

from bot.database import Pool
from bot.shelf import Shelf, is_in_force
from graphs.ports import ClauseMissing, ClauseUnreadable, Clock
from graphs.records import Clause
from knowledge.errors import KnowledgeError


class ShelfEvidence:
    """Finds clauses by document and anchor, never by searching."""

    def __init__(self, shelf: Shelf, pool: Pool, clock: Clock) -> None:
        self._shelf = shelf
        self._pool = pool
        self._clock = clock

    async def clause(self, document: str, anchor: str) -> Clause:
        """Return the section as the edition has it. Raises ClauseMissing, also for one not in force today.

        Raises ClauseUnreadable where the edition itself cannot be read.
        """
        async with self._pool.connection() as conn:
            today = (await self._clock.now(conn)).date()
        try:
            edition = await asyncio.to_thread(self._shelf.edition)
            section = await asyncio.to_thread(edition.section, document, anchor)
        except KnowledgeError as error:
            raise ClauseUnreadable(str(error)) from error
        if section is None or not is_in_force(section, today):
            raise ClauseMissing(f"{document}#{anchor} is not in edition {edition.id}, or not in force")
        return Clause(
            document=section.document,
            anchor=section.anchor,
            title=section.title,
            section=section.path[-1] if section.path else section.title,
            text=section.text,
            hash=section.hash,
            url=section.url or None,
            edition=edition.id,
        )

    async def edition(self) -> str:
        """Return the name of the edition that serves. Raises ClauseUnreadable."""
        try:
            return (await asyncio.to_thread(self._shelf.edition)).id
        except KnowledgeError as error:
            raise ClauseUnreadable(str(error)) from error
