"""Gaps: questions that mean the same and were not answered well, with what an owner needs to know of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from bot.gaps.grouping import Vectors, grouped
from graphs.ports import Connection
from knowledge.embedder import Embedder
from knowledge.lexical import terms

WEEK = timedelta(days=7)
PORTION = 256  # questions that are read before their vectors are kept
ALONE = 3  # words that say something: with fewer, "and at the weekend?" may be about anything
OPEN = (
    "state = 'open' AND (status <> 'answered' OR EXISTS (SELECT 1 FROM rating"
    " WHERE rating.tenant = question.tenant AND rating.question = question.id AND NOT good))"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One question that was not answered well. `people`, hashed, asked it or rated its answer badly."""

    id: str
    said: str
    earlier: tuple[str, ...]
    private: bool
    audience: frozenset[str]
    status: str
    confidence: float
    edition: str
    nearest: Sequence[dict[str, str]]
    owner: str
    asked_at: datetime
    answer: str | None
    people: frozenset[bytes]
    notes: tuple[str, ...]
    bad: int

    def as_json(self) -> dict[str, Any]:
        """Return it for `gaps show --json`."""
        return {
            "id": self.id,
            "question": self.said,
            "earlier": list(self.earlier),
            "asked_at": self.asked_at.isoformat(timespec="seconds"),
            "private": self.private,
            "audience": sorted(self.audience),
            "status": self.status,
            "confidence": round(self.confidence, 4),
            "edition": self.edition,
            "nearest": list(self.nearest),
            "owner": self.owner,
            "bad_ratings": self.bad,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """Questions that mean the same, the oldest first. `typical` is the one that says it best."""

    questions: tuple[Question, ...]
    typical: Question
    week: int  # asked in the last seven days
    week_before: int

    @property
    def id(self) -> str:
        """The id of its oldest question: it stays when more are asked."""
        return self.questions[0].id

    @property
    def people(self) -> int:
        """How many people asked or rated badly."""
        return len(frozenset().union(*(question.people for question in self.questions)))

    @property
    def days(self) -> int:
        """On how many days it was asked."""
        return len({question.asked_at.date() for question in self.questions})

    @property
    def nearest(self) -> dict[str, str] | None:
        """The section that is nearest to most of the questions."""
        first = [question.nearest[0] for question in self.questions if question.nearest]
        counted = Counter((place["document"], place["anchor"]) for place in first)
        best = max(counted, key=lambda name: (counted[name], name), default=None)
        return next((one for one in first if (one["document"], one["anchor"]) == best), None)

    @property
    def owner(self) -> str:
        """Who looks after what is nearest to most of the questions; empty: nobody."""
        counted = Counter(question.owner for question in self.questions)
        return max(counted, key=lambda owner: (counted[owner], owner))

    @property
    def audiences(self) -> tuple[frozenset[str], ...]:
        """For whom the documents near its questions are, each once."""
        found = {question.audience for question in self.questions}
        return tuple(sorted(found, key=sorted))

    @property
    def answer(self) -> str | None:
        """The document that was written for it, while no edition answers from it."""
        return next((question.answer for question in self.questions if question.answer), None)

    @property
    def trend(self) -> str:
        """How the last seven days compare with the seven before."""
        if self.week == len(self.questions):
            return "new"
        if self.week == self.week_before:
            return "steady"
        return "rising" if self.week > self.week_before else "falling"

    def as_json(self) -> dict[str, Any]:
        """Return it for `gaps --json`."""
        return {
            "id": self.id,
            "question": self.typical.said,
            "earlier": list(self.typical.earlier),
            "people": self.people,
            "questions": len(self.questions),
            "days": self.days,
            "first": self.questions[0].asked_at.isoformat(timespec="seconds"),
            "last": self.questions[-1].asked_at.isoformat(timespec="seconds"),
            "trend": self.trend,
            "week": self.week,
            "week_before": self.week_before,
            "statuses": dict(sorted(Counter(question.status for question in self.questions).items())),
            "bad_ratings": sum(question.bad for question in self.questions),
            "nearest": self.nearest,
            "owner": self.owner,
            "audiences": [sorted(audience) for audience in self.audiences],
            "answer": self.answer,
        }


async def gaps(conn: Connection, embedder: Embedder, *, since: timedelta | None = None) -> list[Gap]:
    """Return what was asked and not answered well, what most people asked first.

    Vectors that are missing are made and kept beside their questions.
    """
    cursor = await conn.execute(
        "SELECT question.id, said, earlier, private, audience, status, confidence, edition, nearest, owner,"
        " asked_at, answer, asker, moment() AS now, vector, embedder,"
        " ARRAY(SELECT rater FROM rating WHERE rating.tenant = question.tenant"
        " AND rating.question = question.id AND NOT good ORDER BY rated_at, rater) AS raters,"
        " ARRAY(SELECT note FROM rating WHERE rating.tenant = question.tenant"
        " AND rating.question = question.id AND note <> '' ORDER BY rated_at, rater) AS notes"
        f" FROM question WHERE {OPEN}"
        " AND (%(since)s::interval IS NULL OR asked_at >= moment() - %(since)s::interval)"
        " ORDER BY asked_at, id".encode(),
        {"since": since},
    )
    rows = await cursor.fetchall()
    if not rows:
        return []
    questions = [_question(row) for row in rows]
    vectors = await _vectors(conn, embedder, rows, questions)
    groups: dict[int, list[int]] = {}
    for place, group in enumerate(grouped(vectors).tolist()):
        groups.setdefault(group, []).append(place)
    now: datetime = rows[0]["now"]
    found = [_gap(questions, vectors, places, now) for places in groups.values()]
    found.sort(key=lambda gap: (gap.people, gap.days, len(gap.questions), gap.id), reverse=True)
    return found


def _gap(questions: Sequence[Question], vectors: Vectors, places: list[int], now: datetime) -> Gap:
    kept = tuple(questions[place] for place in places)
    nearness = vectors[places] @ vectors[places].mean(axis=0)
    ages = [now - question.asked_at for question in kept]
    return Gap(
        questions=kept,
        typical=kept[int(nearness.argmax())],
        week=sum(age < WEEK for age in ages),
        week_before=sum(WEEK <= age < 2 * WEEK for age in ages),
    )


async def _vectors(
    conn: Connection, embedder: Embedder, rows: Sequence[dict[str, Any]], questions: Sequence[Question]
) -> Vectors:
    """Return one vector for each question; make and keep those that are missing."""
    missing = [place for place, row in enumerate(rows) if row["embedder"] != embedder.fingerprint]
    made: dict[int, bytes] = {}
    for start in range(0, len(missing), PORTION):
        portion = missing[start : start + PORTION]
        readings = embedder.read([(_text(questions[place]), ()) for place in portion])
        for place, reading in zip(portion, readings, strict=True):
            made[place] = reading.whole.astype(np.float16).tobytes()
            await conn.execute(
                "UPDATE question SET vector = %s, embedder = %s WHERE id = %s",
                (made[place], embedder.fingerprint, questions[place].id),
            )
        await conn.commit()
    kept = [made.get(place) or row["vector"] for place, row in enumerate(rows)]
    return np.stack([np.frombuffer(vector, dtype=np.float16).astype(np.float32) for vector in kept])


def _text(question: Question) -> str:
    """Return what is read of a question: it alone, or with the message before where it says too little."""
    short = len(set(terms(question.said))) < ALONE
    return "\n".join([*question.earlier[-1:], question.said]) if short else question.said


def _question(row: dict[str, Any]) -> Question:
    return Question(
        id=row["id"],
        said=row["said"],
        earlier=tuple(row["earlier"]),
        private=row["private"],
        audience=frozenset(row["audience"]),
        status=row["status"],
        confidence=row["confidence"],
        edition=row["edition"],
        nearest=row["nearest"],
        owner=row["owner"],
        asked_at=row["asked_at"],
        answer=row["answer"],
        people=frozenset({bytes(row["asker"]), *(bytes(rater) for rater in row["raters"])}),
        notes=tuple(row["notes"]),
        bad=len(row["raters"]),
    )
