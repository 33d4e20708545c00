"""Gaps that end: put aside by somebody, answered by an owner's document, or answered by a newer edition."""

import asyncio
import hashlib
import logging
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from bot.database import Pool
from bot.gaps.answers import Draft, Reviewed, document_for, drawn, version_of
from bot.gaps.gaps import OPEN, Gap
from bot.gaps.questions import judged
from bot.redaction import redacted
from bot.shelf import Shelf
from graphs import audit
from graphs.ports import Connection
from knowledge.answer import Answer, Library
from knowledge.documents import EVERYONE
from knowledge.edition import Reader
from knowledge.errors import BadQuestion, KnowledgeError

logger = logging.getLogger(__name__)

PORTION = 5  # questions that are asked again in one transaction


async def dismiss(conn: Connection, gap: Gap, reason: str) -> None:
    """Put a gap aside. Who asks the same later opens a new one."""
    await conn.execute(
        "UPDATE question SET state = 'dismissed', reason = %s, ended_at = moment() WHERE id = ANY(%s)",
        (redacted(reason, 600), _ids(gap)),
    )


async def publish(conn: Connection, home: Path, gap: Gap, reviewed: Reviewed) -> str:
    """Write the document that answers a gap, and return its name.

    The record of who wrote it is there before anybody can read it. Raises BadAnswer.
    """
    document = document_for(gap, reviewed.title)
    path = home / document
    version = version_of(path) + 1
    text = drawn(reviewed, version=version)
    draft = Draft(path, text)
    try:
        await conn.execute("UPDATE question SET answer = %s WHERE id = ANY(%s)", (document, _ids(gap)))
        await audit.append(
            conn,
            "gap.answered",
            run=None,
            facts={
                "document": document,
                "version": version,
                "sha256": hashlib.sha256(text.encode()).hexdigest(),
                "questions": len(gap.questions),
            },
            detail={"by": {"name": reviewed.owner}},
        )
        await conn.commit()
        draft.publish()
    finally:
        draft.discard()
    return document


async def ask_again(conn: Connection, library: Library) -> tuple[int, int]:
    """Ask the next few gaps of an edition that has not been asked; return how many, and how many it answers.

    What it answers is closed. An answer that was rated badly has to come from the document that was written
    for it.
    """
    cursor = await conn.execute(
        "SELECT id, said, earlier, audience, status, answer, moment()::date AS today FROM question"
        f" WHERE {OPEN} AND edition <> %s ORDER BY asked_at, id LIMIT %s FOR UPDATE SKIP LOCKED".encode(),
        (library.edition.id, PORTION),
    )
    rows = await cursor.fetchall()
    closed = 0
    for row in rows:
        answer = await asyncio.to_thread(_ask, library, row, row["today"])
        closes = answer is not None and _closes(answer, row["status"], row["answer"])
        closed += closes
        await _judge(conn, row["id"], library.edition.id, answer, closes=closes)
    await conn.commit()
    return len(rows), closed


async def unanswered(conn: Connection) -> Sequence[str]:
    """Return the documents that were written for gaps which are open all the same."""
    cursor = await conn.execute(
        f"SELECT DISTINCT answer FROM question WHERE {OPEN} AND answer IS NOT NULL ORDER BY answer".encode()
    )
    return [row["answer"] for row in await cursor.fetchall()]


async def _judge(
    conn: Connection, question: str, edition: str, answer: Answer | None, *, closes: bool
) -> None:
    if closes or answer is None:
        await conn.execute(
            "UPDATE question SET edition = %s, state = CASE WHEN %s THEN 'closed' ELSE state END,"
            " ended_at = CASE WHEN %s THEN moment() END WHERE id = %s",
            (edition, closes, closes, question),
        )
        return
    await conn.execute(
        "UPDATE question SET status = CASE status WHEN 'answered' THEN status ELSE %s END,"
        " confidence = %s, edition = %s, nearest = %s, owner = %s WHERE id = %s",
        (*judged(answer), question),
    )


def _ask(library: Library, row: Mapping[str, Any], today: date) -> Answer | None:
    """Ask as one of those would whose documents were near; None where the kept words are no question."""
    reader = Reader(today=today, audiences=frozenset(row["audience"]) | {EVERYONE})
    try:
        return library.ask(row["said"], reader=reader, history=row["earlier"])
    except BadQuestion:
        return None


def _closes(answer: Answer, status: str, written: str | None) -> bool:
    if answer.status != "answered":
        return False
    return status != "answered" or any(one.document == written for one in answer.citations)


class Reviews:
    """Asks the gaps again by itself, a few at a time, whenever another edition serves."""

    def __init__(self, pool: Pool, shelf: Shelf) -> None:
        self._pool = pool
        self._shelf = shelf
        self._done: str | None = None

    async def go_on(self) -> None:
        """Ask the next few, if any are left."""
        try:
            library = await asyncio.to_thread(self._shelf.library)
        except KnowledgeError:
            return  # nothing can be asked; whoever asks a question is told
        if library.edition.id == self._done:
            return
        async with self._pool.connection() as conn:
            asked, closed = await ask_again(conn, library)
        if closed:
            logger.info("Edition %s answers %d questions that were gaps", library.edition.id, closed)
        if not asked:
            self._done = library.edition.id


def _ids(gap: Gap) -> Sequence[str]:
    return [question.id for question in gap.questions]
