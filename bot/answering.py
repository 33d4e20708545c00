"""Questions to answers, for the person who asks and the place where they ask."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bot.blocks import answer as blocks
from bot.blocks import help as words
from bot.blocks.parts import Message, View
from bot.database import Pool
from bot.model import Rewording, as_quoted
from bot.readers import reader_of
from bot.render import ours, safe
from bot.shelf import Shelf
from connectors.directory import Person
from graphs.ports import Clock
from knowledge.answer import Answer
from knowledge.edition import Reader
from knowledge.errors import BadQuestion, KnowledgeError, NoEdition

_RANK = {"not_covered": 0, "cautioned": 1, "answered": 2}


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What is said, and whether only the person who asked may see it."""

    message: Message
    private: bool = False


class Answering:
    """Answers from the edition that serves, within what the reader may read."""

    def __init__(self, shelf: Shelf, pool: Pool, clock: Clock, reword: Rewording = as_quoted) -> None:
        self._shelf = shelf
        self._pool = pool
        self._clock = clock
        self._reword = reword

    async def privately(self, question: str, person: Person, history: Sequence[str] = ()) -> Message:
        """Answer from all that the person may read."""
        try:
            found = await self._ask(question, await self._reader(person), history)
        except KnowledgeError as error:
            return _problem(error)
        return blocks.answer(await self._reword(found))

    async def among_others(self, question: str, person: Person, history: Sequence[str] = ()) -> Reply:
        """Answer from documents for everyone; where only the person's own documents do, to them alone."""
        try:
            found = await self._ask(question, await self._reader(None), history)
            if found.status == "answered":
                return Reply(message=blocks.answer(await self._reword(found)))
            own = await self._ask(question, await self._reader(person), history)
        except KnowledgeError as error:
            return Reply(message=_problem(error))
        if _RANK[own.status] > _RANK[found.status]:
            return Reply(message=blocks.answer(await self._reword(own)), private=True)
        return Reply(message=blocks.answer(await self._reword(found)))

    async def whom(self, text: str) -> Sequence[str]:
        """Return who looks after the policies closest to a text, among those for everyone."""
        try:
            found = await self._ask(text, await self._reader(None), ())
        except KnowledgeError:
            return ()
        return tuple(dict.fromkeys(passage.owner for passage in found.passages if passage.owner))

    async def section(self, document: str, anchor: str, person: Person) -> View:
        """Draw a section, if the person may read it now."""
        reader = await self._reader(person)
        try:
            found = await asyncio.to_thread(self._shelf.section, document, anchor, reader)
        except KnowledgeError:
            found = None
        return blocks.missing_section() if found is None else blocks.section(found)

    async def _ask(self, question: str, reader: Reader, history: Sequence[str]) -> Answer:
        return await asyncio.to_thread(self._answer, question, reader, history)

    def _answer(self, question: str, reader: Reader, history: Sequence[str]) -> Answer:
        return self._shelf.library().ask(question, reader=reader, history=history)

    async def _reader(self, person: Person | None) -> Reader:
        async with self._pool.connection() as conn:
            today = (await self._clock.now(conn)).date()
        if person is None:
            return Reader(today=today)
        return reader_of(person, today)


def _problem(error: KnowledgeError) -> Message:
    """Say what is wrong: with the question in so many words, with our files only that something is."""
    if isinstance(error, BadQuestion | NoEdition):
        return words.said(safe(str(error), 500))
    return words.said(ours("I cannot read the policies at the moment. Please tell whoever runs me."))
