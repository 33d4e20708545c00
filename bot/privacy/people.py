"""Who is meant by an address or a subject, and by what else the stores know them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from bot.database import Pool
from bot.gaps.questions import hashes
from bot.privacy.stores import TABLES
from connectors.directory import Person
from graphs import erasing
from graphs.audit import head, vault_of
from graphs.audit.values import persons
from graphs.erasing import Erasure, Marks
from graphs.ports import Connection
from graphs.stores import Holds, Table

_PARTS = 3  # characters of a part of a name that is looked for by itself
_PHRASE = 8  # characters of what somebody wrote that is looked for elsewhere too


@dataclass(frozen=True, kw_only=True, slots=True)
class Traces:
    """A person, and which rows are theirs."""

    marks: Marks
    runs: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    messages: frozenset[str] = frozenset()
    ended: frozenset[str] = frozenset()  # closed requests in which they had a part
    hashes: tuple[bytes, ...] = ()
    begun: Erasure | None = None

    @property
    def values(self) -> dict[str, Any]:
        """What `Table.theirs` is given."""
        return {
            "subjects": sorted(self.marks.subjects),
            "accounts": sorted(self.marks.accounts),
            "runs": sorted(self.runs),
            "events": sorted(self.events),
            "messages": sorted(self.messages),
            "ended": sorted(self.ended),
            "hashes": list(self.hashes),
        }


async def find(pool: Pool, name: str, *, person: Person | None, harmless: frozenset[str]) -> Traces | None:
    """Return who is known by this subject or address; None where nobody is.

    `person` is who the directory says it is, where it can say so. `harmless` are the fields of requests that
    hold no words of anybody.
    """
    async with pool.connection() as conn:
        begun = await erasing.begun(conn, name)
        if begun is None and person is not None:
            begun = await erasing.begun(conn, person.subject)
        marks = _first(name, person, begun)
        marks = await _linked(conn, marks)
        marks = replace(marks, parts=await _parts(conn, marks), accounts=await _accounts(conn, marks))
        traces = await _rows(conn, marks, begun)
        phrases = await _phrases(conn, traces, harmless)
        traces = replace(traces, marks=replace(marks, phrases=marks.phrases | phrases))
        is_known = person is not None or begun is not None or await _is_known(conn, traces)
    return traces if is_known and traces.marks.subjects else None


async def again(pool: Pool, traces: Traces, *, harmless: frozenset[str]) -> Traces:
    """Return the person once more, with the rows that have come since; their erasure has begun."""
    found = await find(pool, min(traces.marks.subjects), person=None, harmless=harmless)
    assert found is not None  # what was begun says who
    return found


def plain(marks: Marks) -> dict[str, list[str]]:
    """Return marks as plain JSON, to be sealed."""
    return {name: sorted(values) for name, values in asdict(marks).items()}


def _first(name: str, person: Person | None, begun: Erasure | None) -> Marks:
    kept = begun.kept if begun is not None else None
    if kept is not None and kept.marks:
        marks = Marks(**{field: frozenset(values) for field, values in kept.marks.items()})
    else:
        subjects = frozenset(kept.ids.values()) if kept is not None else frozenset()
        marks = Marks(subjects=subjects | ({name} if "#" in name else set()))
    if "#" not in name:
        marks = replace(marks, emails=marks.emails | {name})
    if person is None:
        return marks
    return replace(
        marks,
        subjects=marks.subjects | {person.subject},
        humans=marks.humans | {person.human},
        names=marks.names | {person.name},
        emails=marks.emails | {person.email},
    )


async def _linked(conn: Connection, marks: Marks) -> Marks:
    """Add every other account of the same human, and every name and address that rows have of them."""
    while True:
        words = marks.subjects | marks.humans | marks.emails
        found = [one async for one in _persons(conn, words)]
        mine = [one for one in found if _is_theirs(one, marks)]
        more = replace(
            marks,
            subjects=marks.subjects | {one["subject"] for one in mine if one.get("subject")},
            humans=marks.humans | {one["human"] for one in mine if one.get("human")},
            names=marks.names | {one["name"] for one in mine if one.get("name")},
            emails=marks.emails | {one["email"] for one in mine if one.get("email")},
        )
        if more == marks:
            return marks
        marks = more


def _is_theirs(one: Mapping[str, Any], marks: Marks) -> bool:
    emails = {email.casefold() for email in marks.emails}
    return (
        one.get("subject") in marks.subjects
        or one.get("human") in marks.humans
        or str(one.get("email") or "").casefold() in emails
    )


def _people(table: Table) -> Iterable[str]:
    return (name for name, holds in table.columns.items() if holds is Holds.NAMES)


async def _persons(conn: Connection, words: Iterable[str]) -> Any:
    patterns = needles(words)
    for table in TABLES:
        columns = list(_people(table))
        if not columns or not patterns:
            continue
        listed = ", ".join(f"to_jsonb({column}) AS {column}" for column in columns)
        cursor = await conn.execute(
            f"SELECT {listed} FROM {table.name} AS t WHERE lower(to_jsonb(t)::text) LIKE ANY(%s)".encode(),
            (patterns,),
        )
        async for row in cursor:
            for person in persons(dict(row)):
                yield person


def needles(words: Iterable[str]) -> list[str]:
    """Return patterns of `LIKE` for rows as JSON in lower case."""
    forms = {json.dumps(word, ensure_ascii=False)[1:-1].lower() for word in words if word}
    escaped = (form.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") for form in forms)
    return sorted(f"%{form}%" for form in escaped)


async def _parts(conn: Connection, marks: Marks) -> frozenset[str]:
    """Return the parts of their names that nobody else has of whom the rows know."""
    wanted = {part for name in marks.names for part in name.split() if len(part) >= _PARTS}
    others: set[str] = set()
    for table in TABLES:
        for column in _people(table):
            cursor = await conn.execute(
                f"SELECT DISTINCT to_jsonb({column}) ->> 'name' AS name FROM {table.name}"
                f" WHERE to_jsonb({column}) ? 'name'"
                f" AND NOT to_jsonb({column}) ->> 'subject' = ANY(%s)".encode(),
                (sorted(marks.subjects),),
            )
            others |= {part for row in await cursor.fetchall() for part in (row["name"] or "").split()}
    return frozenset(wanted - others)


async def _accounts(conn: Connection, marks: Marks) -> frozenset[str]:
    """Return their Slack user ids, and the ids of their conversations with the bot."""
    cursor = await conn.execute(
        "WITH slack AS (SELECT slack_user AS id FROM slack_person WHERE subject = ANY(%(subjects)s))"
        " SELECT id FROM slack UNION"
        " SELECT origin ->> 'channel' FROM run WHERE requester ->> 'subject' = ANY(%(subjects)s)"
        "  AND origin ->> 'channel' LIKE 'D%%' UNION"
        " SELECT body -> 'event' ->> 'channel' FROM event WHERE body -> 'event' ->> 'user' IN (TABLE slack)"
        "  AND body -> 'event' ->> 'channel' LIKE 'D%%' UNION"
        " SELECT posted_in FROM message WHERE channel IN (TABLE slack) AND posted_in LIKE 'D%%'",
        {"subjects": sorted(marks.subjects)},
    )
    return marks.accounts | {row["id"] for row in await cursor.fetchall() if row["id"]}


_RUNS = "SELECT id FROM run WHERE requester ->> 'subject' = ANY(%(subjects)s)"
_EVENTS = (
    "SELECT event_id FROM event WHERE body -> 'event' ->> 'user' = ANY(%(accounts)s)"
    " OR body -> 'event' ->> 'channel' = ANY(%(accounts)s) OR body ->> 'user_id' = ANY(%(accounts)s)"
    " OR body -> 'user' ->> 'id' = ANY(%(accounts)s)"
    " OR body -> 'event' -> 'message' ->> 'user' = ANY(%(accounts)s)"
    " OR body -> 'event' -> 'previous_message' ->> 'user' = ANY(%(accounts)s)"
)
_MESSAGES = (
    "SELECT id FROM message WHERE kind = 'reply' AND ref = ANY(%(events)s)"
    " OR kind IN ('progress', 'notice') AND ref = ANY(%(runs)s) OR detour = ANY(%(accounts)s)"
    " OR kind = 'more' AND ref IN (SELECT 'reply:' || one FROM unnest(%(events)s::text[]) AS one)"
    " OR channel = ANY(%(accounts)s) OR to_user = ANY(%(accounts)s) OR posted_in = ANY(%(accounts)s)"
)
_ENDED = (
    "SELECT id FROM run WHERE status IN ('done', 'refused', 'failed') AND (id = ANY(%(runs)s)"
    " OR EXISTS (SELECT FROM approval JOIN vote ON vote.approval = approval.id"
    "  WHERE approval.run = run.id AND vote.subject = ANY(%(subjects)s))"
    " OR EXISTS (SELECT FROM edit WHERE edit.run = run.id AND edit.subject = ANY(%(subjects)s)))"
)


async def _rows(conn: Connection, marks: Marks, begun: Erasure | None) -> Traces:
    """Return which rows are theirs, also after an erasure that changed only some."""
    stand_ins = set()
    if begun is not None:
        names = erasing.tokens(begun.pseudonym, marks.subjects).values()
        stand_ins = {erasing.subject(one) for one in names}
    traces = Traces(marks=marks, begun=begun)
    values = {**traces.values, "subjects": sorted(marks.subjects | stand_ins)}
    found: dict[str, frozenset[str]] = {}
    for name, query in (("runs", _RUNS), ("events", _EVENTS), ("messages", _MESSAGES), ("ended", _ENDED)):
        cursor = await conn.execute(query.encode(), {**values, **{k: sorted(v) for k, v in found.items()}})
        found[name] = frozenset(str(next(iter(row.values()))) for row in await cursor.fetchall())
    hashed = await hashes(conn, marks.subjects)
    return Traces(
        marks=marks,
        begun=begun,
        hashes=tuple(hashed),
        runs=found["runs"],
        events=found["events"],
        messages=found["messages"],
        ended=found["ended"],
    )


async def _phrases(conn: Connection, traces: Traces, harmless: frozenset[str]) -> frozenset[str]:
    """Return what they wrote that may stand elsewhere too: their reasons."""
    cursor = await conn.execute(
        "SELECT value AS said FROM run, jsonb_each_text(slots) AS one (name, value)"
        "  WHERE run.id = ANY(%(runs)s) AND NOT name = ANY(%(harmless)s) UNION"
        " SELECT reason FROM vote WHERE subject = ANY(%(subjects)s) UNION"
        " SELECT reason FROM review WHERE reviewer ->> 'subject' = ANY(%(subjects)s) UNION"
        " SELECT value FROM edit, jsonb_each_text(after) AS one (name, value)"
        "  WHERE subject = ANY(%(subjects)s) AND NOT name = ANY(%(harmless)s)",
        {**traces.values, "harmless": sorted(harmless | {"run", "approval", "step", "group"})},
    )
    said = (row["said"] for row in await cursor.fetchall())
    return frozenset(one for one in said if one and len(one) >= _PHRASE and " " in one.strip())


async def _is_known(conn: Connection, traces: Traces) -> bool:
    """Whether any row or event names them."""
    if traces.runs or traces.events or traces.marks.accounts or traces.marks.names:
        return True
    vault, tenant = vault_of(conn), await head.tenant(conn)
    wanted = [one for subject in traces.marks.subjects for one in vault.handles(tenant, subject)]
    cursor = await conn.execute(
        "SELECT EXISTS (SELECT FROM question WHERE asker = ANY(%(hashes)s))"
        " OR EXISTS (SELECT FROM rating WHERE rater = ANY(%(hashes)s))"
        " OR EXISTS (SELECT FROM audit_subject WHERE handle = ANY(%(handles)s)) AS known",
        {**traces.values, "handles": wanted},
    )
    row = await cursor.fetchone()
    return bool(row and row["known"])
