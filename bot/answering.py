"""Questions to answers, for the person who asks and the place where they ask."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bot.blocks import answer as blocks
from bot.blocks import help as words
from bot.blocks.parts import Message, View
from bot.database import Pool
from bot.gaps.questions import Asked, Questions, audience_of
from bot.model import Rewording, as_quoted
from bot.readers import audiences, reader_of
from bot.render import ours, safe
from bot.shelf import Shelf
from connectors.directory import Person
from graphs.groups import Groups
from graphs.ports import Clock
from knowledge.answer import Answer
from knowledge.edition import Reader
from knowledge.errors import BadQuestion, KnowledgeError, NoEdition

_RANK = {"not_covered": 0, "cautioned": 1, "answered": 2}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    answer: Answer
    audience: frozenset[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What is said, and whether only the person who asked may see it."""

    message: Message
    private: bool = False


class Answering:
    """Answers from the edition that serves, within what the reader may read."""

    def __init__(
        self,
        shelf: Shelf,
        pool: Pool,
        clock: Clock,
        questions: Questions,
        groups: Groups,
        *,
        reword: Rewording = as_quoted,
    ) -> None:
        self._shelf = shelf
        self._pool = pool
        self._clock = clock
        self._questions = questions
        self._groups = groups
        self._reword = reword

    async def privately(
        self, question: str, person: Person, history: Sequence[str] = (), *, key: str | None = None
    ) -> Message:
        """Answer from all that the person may read. What is asked is kept, once for each key."""
        try:
            found = await self._ask(question, await self._reader(person), history)
        except KnowledgeError as error:
            return _problem(error)
        return await self._kept(found, person, history, private=True, key=key)

    async def among_others(
        self,
        question: str,
        person: Person,
        history: Sequence[str] = (),
        *,
        key: str | None = None,
        outsiders: bool = False,
    ) -> Reply:
        """Answer from documents for everyone; where only the person's own documents do, to them alone.

        `outsiders`: guests or another company listen. They hear what the company publishes, and no more.
        """
        try:
            found = await self._ask(question, await self._reader(None, inside=not outsiders), history)
            own = found
            if found.answer.status != "answered":
                own = await self._ask(question, await self._reader(person), history)
        except KnowledgeError as error:
            return Reply(message=_problem(error))
        private = _RANK[own.answer.status] > _RANK[found.answer.status]
        shown = own if private else found
        return Reply(
            message=await self._kept(shown, person, history, private=private, key=key), private=private
        )

    async def whom(self, text: str) -> Sequence[str]:
        """Return who looks after the policies closest to a text, among those for everyone."""
        try:
            found = (await self._ask(text, await self._reader(None), ())).answer
        except KnowledgeError:
            return ()
        return tuple(dict.fromkeys(passage.owner for passage in found.passages if passage.owner))

    async def section(self, document: str, anchor: str, person: Person) -> View:
        """Draw a section, if the person may read it now."""
        try:
            reader = await self._reader(person)
            found = await asyncio.to_thread(self._shelf.section, document, anchor, reader)
        except KnowledgeError:
            found = None
        return blocks.missing_section() if found is None else blocks.section(found)

    async def _kept(
        self, found: "_Found", person: Person, history: Sequence[str], *, private: bool, key: str | None
    ) -> Message:
        """Keep the question, and draw the answer with the buttons that rate it."""
        asked = Asked(
            answer=found.answer,
            earlier=history,
            asker=person.subject,
            private=private,
            audience=found.audience,
        )
        rate = await self._questions.keep(asked, key=key)
        return blocks.answer(await self._reword(found.answer), rate=rate)

    async def _ask(self, question: str, reader: Reader, history: Sequence[str]) -> "_Found":
        return await asyncio.to_thread(self._answer, question, reader, history)

    def _answer(self, question: str, reader: Reader, history: Sequence[str]) -> "_Found":
        library = self._shelf.library()
        answer = library.ask(question, reader=reader, history=history)
        return _Found(answer=answer, audience=audience_of(answer, library.edition, reader))

    async def _reader(self, person: Person | None, *, inside: bool = True) -> Reader:
        async with self._pool.connection() as conn:
            today = (await self._clock.now(conn)).date()
        if person is None:
            return Reader(today=today, inside=inside)
        return reader_of(person, today, await self._groups.clear(await self.audiences()))

    async def audiences(self) -> frozenset[str]:
        """Return the groups that the documents of the edition that serves are for. Raises KnowledgeError."""
        library = await asyncio.to_thread(self._shelf.library)
        return audiences(library.edition.documents)


def _problem(error: KnowledgeError) -> Message:
    """Say what is wrong: with the question in so many words, with our files only that something is."""
    if isinstance(error, BadQuestion | NoEdition):
        return words.said(safe(str(error), 500))
    return words.said(ours("I cannot read the policies at the moment. Please tell whoever runs me."))
