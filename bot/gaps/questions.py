"""What was asked and how it was answered and rated, as rows that name nobody."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from psycopg.types.json import Jsonb

from bot.database import Pool
from bot.redaction import redacted
from graphs.ports import Connection
from knowledge.answer import Answer, Citation, Passage
from knowledge.documents import EVERYONE
from knowledge.edition import Edition, Reader

LONGEST = 600  # characters that are kept of a question, and of a note
EARLIER = 2  # messages of the thread that a follow-up may lean on
NEAREST = 3
ANSWERED_DAYS = 7  # an answer can be rated for so long; unless it was rated badly, its question goes then


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A question and its answer, as they were. `audience` is whose documents were near."""

    answer: Answer
    earlier: Sequence[str]
    asker: str  # the person's subject
    private: bool
    audience: frozenset[str]


class Rated(Enum):
    """What became of a rating."""

    RECORDED = auto()
    GONE = auto()  # the answer is too old, or never was
    NOT_THEIRS = auto()  # only the asker saw the answer


class Questions:
    """The rows. Gaps are kept for `keep_days`."""

    def __init__(self, pool: Pool, *, keep_days: int) -> None:
        self._pool = pool
        self._keep_days = keep_days
        self._salt: bytes | None = None

    async def keep(self, asked: Asked, *, key: str | None = None) -> str:
        """Keep a question until its time is over; return its id. The same key keeps it once."""
        async with self._pool.connection() as conn:
            name = secrets.token_hex(16) if key is None else (await self._hash(conn, "key", key)).hex()
            await conn.execute(
                "INSERT INTO question (id, asker, said, earlier, private, audience, status, confidence,"
                " edition, nearest, owner)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                (
                    name,
                    await self._person(conn, asked.asker),
                    redacted(asked.answer.question, LONGEST),
                    [redacted(text, LONGEST) for text in asked.earlier[-EARLIER:]],
                    asked.private,
                    sorted(asked.audience),
                    *judged(asked.answer),
                ),
            )
        return name

    async def rate(self, question: str, rater: str, *, good: bool) -> Rated:
        """Take a person's rating, in place of the one they gave before."""
        async with self._pool.connection() as conn:
            person = await self._person(conn, rater)
            cursor = await conn.execute(
                "SELECT private AND asker <> %s AS closed FROM question WHERE id = %s FOR KEY SHARE",
                (person, question),
            )
            row = await cursor.fetchone()
            if row is None:
                return Rated.GONE
            if row["closed"]:
                return Rated.NOT_THEIRS
            await conn.execute(
                "INSERT INTO rating (question, rater, good) VALUES (%s, %s, %s)"
                " ON CONFLICT (tenant, question, rater)"
                " DO UPDATE SET good = excluded.good, note = '', rated_at = excluded.rated_at"
                " WHERE rating.good <> excluded.good",
                (question, person, good),
            )
        return Rated.RECORDED

    async def note(self, question: str, rater: str, text: str) -> None:
        """Keep what a person says was wrong with an answer that they rated badly."""
        async with self._pool.connection() as conn:
            await conn.execute(
                "UPDATE rating SET note = %s WHERE question = %s AND rater = %s AND NOT good",
                (redacted(text, LONGEST), question, await self._person(conn, rater)),
            )

    async def forget(self) -> None:
        """Drop what is past its time; a question that was answered, and not rated badly, after a week."""
        async with self._pool.connection() as conn:
            await conn.execute(
                "DELETE FROM question WHERE asked_at < moment() - make_interval(days => %s)"
                " OR asked_at < moment() - make_interval(days => %s) AND status = 'answered'"
                " AND state = 'open' AND NOT EXISTS (SELECT 1 FROM rating"
                " WHERE rating.tenant = question.tenant AND rating.question = question.id AND NOT good)",
                (self._keep_days, min(self._keep_days, ANSWERED_DAYS)),
            )

    async def erase(self, subject: str) -> tuple[int, int]:
        """Drop every question and rating of a person; return how many of each."""
        async with self._pool.connection() as conn:
            person = await self._person(conn, subject)
            ratings = await conn.execute("DELETE FROM rating WHERE rater = %s", (person,))
            questions = await conn.execute("DELETE FROM question WHERE asker = %s", (person,))
        return questions.rowcount, ratings.rowcount

    async def _person(self, conn: Connection, subject: str) -> bytes:
        return await self._hash(conn, "person", subject)

    async def _hash(self, conn: Connection, kind: str, value: str) -> bytes:
        if self._salt is None:
            await conn.execute(
                "INSERT INTO asker_salt (salt) VALUES (%s) ON CONFLICT DO NOTHING", (secrets.token_bytes(32),)
            )
            row = await (await conn.execute("SELECT salt FROM asker_salt")).fetchone()
            assert row is not None  # inserted above at the latest
            self._salt = bytes(row["salt"])
        return _hashed(self._salt, kind, value)


async def hashes(conn: Connection, subjects: Iterable[str]) -> list[bytes]:
    """Return under what questions and ratings of these people are kept; none where nobody has asked yet."""
    row = await (await conn.execute("SELECT salt FROM asker_salt")).fetchone()
    return [] if row is None else [_hashed(bytes(row["salt"]), "person", one) for one in sorted(subjects)]


def _hashed(salt: bytes, kind: str, value: str) -> bytes:
    return hmac.digest(salt, f"{kind} {value}".encode(), hashlib.sha256)[:16]


def audience_of(answer: Answer, edition: Edition, reader: Reader) -> frozenset[str]:
    """Return whose documents an answer leans on: everyone's, or those of certain groups of the reader."""
    near = {place["document"] for place in _nearest(answer)} | {one.document for one in answer.citations}
    closed = [
        head.terms.audience & reader.audiences
        for head in edition.documents
        if head.document in near and EVERYONE not in head.terms.audience
    ]
    return frozenset().union(*closed) or frozenset({EVERYONE})


def judged(answer: Answer) -> tuple[Any, ...]:
    """Return what a row keeps of an answer: status, confidence, edition, nearest sections, owner."""
    return answer.status, answer.confidence, answer.edition, Jsonb(_nearest(answer)), answer.owner


def _nearest(answer: Answer) -> list[dict[str, str]]:
    found: tuple[Citation | Passage, ...] = (*answer.citations, *answer.passages)
    places = {(place.document, place.anchor): place for place in found}
    return [
        {"document": one.document, "anchor": one.anchor, "title": one.title, "section": one.section}
        for one in list(places.values())[:NEAREST]
    ]
