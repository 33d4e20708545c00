"""Events as Slack sent them: stored once, taken once, and given again when nobody took them."""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from bot.database import Pool
from bot.shares import share_of
from bot.understanding import LONGEST
from graphs.audit import vault_of
from graphs.ports import Connection

logger = logging.getLogger(__name__)

PATIENCE = 10  # seconds from the store to the take, before a sweep gives the event again
TRIES = 3
KEPT = 7  # days
HELD = 1_000  # events that one process holds while the database is away or read-only
UNWRITABLE = (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction)


class Events:
    """The stored events."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._held: dict[str, Mapping[str, Any]] = {}

    async def store(self, body: Mapping[str, Any]) -> bool:
        """Keep the event, and say whether it is new. It is there for good when this returns.

        Raises psycopg.Error where it cannot be stored, so that nobody acknowledges it and Slack sends it
        again, for six minutes. Where the database is away or read-only the event is held here beside that.
        """
        try:
            return await self._insert(body, patience=PATIENCE)
        except UNWRITABLE:
            if len(self._held) < HELD:
                self._held[body["event_id"]] = body
            raise

    async def store_held(self) -> None:
        """Store what could not be stored when it came. A sweep gives it to its listener at once."""
        for event_id, body in list(self._held.items()):
            await self._insert(body, patience=0)
            self._held.pop(event_id, None)

    async def _insert(self, body: Mapping[str, Any], *, patience: int) -> bool:
        async with self._pool.connection() as conn:
            cursor = await conn.execute(
                "INSERT INTO event (event_id, body, about, thread, share, next_at)"
                " VALUES (%s, %s, %s, %s, %s, clock_timestamp() + make_interval(secs => %s))"
                " ON CONFLICT DO NOTHING",
                (body["event_id"], Jsonb(_marked(conn, body)), *_places(body), _share(body), patience),
            )
            return cursor.rowcount == 1

    async def take(self, conn: Connection, event_id: str) -> bool:
        """Take the event in the caller's transaction, and say whether nobody else has."""
        cursor = await conn.execute(
            "UPDATE event SET taken_at = clock_timestamp() WHERE event_id = %s AND taken_at IS NULL",
            (event_id,),
        )
        return cursor.rowcount == 1

    async def just_said(self, conn: Connection, event_id: str) -> int:
        """Return how many events of the same person came in the minute before this one, at most 100."""
        cursor = await conn.execute(
            "SELECT count(*) AS said FROM (SELECT 1 FROM event AS other, event AS this"
            " WHERE this.event_id = %s AND other.share = this.share AND other.event_id <> this.event_id"
            " AND other.received_at BETWEEN this.received_at - interval '1 minute' AND this.received_at"
            " LIMIT 100) AS counted",
            (event_id,),
        )
        row = await cursor.fetchone()
        return 0 if row is None else int(row["said"])

    async def body(self, event_id: str) -> dict[str, Any] | None:
        """Return the event as Slack sent it, unless it has been swept away."""
        async with self._pool.connection() as conn:
            cursor = await conn.execute("SELECT body FROM event WHERE event_id = %s", (event_id,))
            row = await cursor.fetchone()
            return None if row is None else _ours(conn, row["body"])

    async def earlier(self, *, channel: str, thread: str, user: str, before: str) -> list[str]:
        """Return what the person said to the bot in the thread before, oldest first, at most five texts."""
        async with self._pool.connection() as conn:
            cursor = await conn.execute(
                "SELECT left(body->'event'->>'text', %s) AS text FROM event"
                " WHERE thread = %s AND body->'event'->>'user' = %s AND body->'event'->>'ts' < %s"
                " ORDER BY body->'event'->>'ts' DESC LIMIT 5",
                (LONGEST, f"{channel} {thread}", user, before),
            )
            rows = await cursor.fetchall()
        return [row["text"] for row in reversed(rows) if row["text"]]

    async def has_newer(self, event_id: str, *, channel: str, ts: str) -> bool:
        """Whether the message was edited or deleted after that event: a later event is about it."""
        async with self._pool.connection() as conn:
            cursor = await conn.execute(
                "SELECT 1 FROM event AS newer, event AS this"
                " WHERE this.event_id = %s AND newer.about = %s AND newer.event_id <> this.event_id"
                " AND newer.received_at >= this.received_at"
                " AND (newer.body->'event' ? 'deleted_ts'"
                "  OR newer.body->'event' ? 'edited'"
                "   AND newer.body->'event'->>'text' IS DISTINCT FROM this.body->'event'->>'text'"
                "  OR newer.body->'event'->'message'->>'text'"
                "   IS DISTINCT FROM newer.body->'event'->'previous_message'->>'text') LIMIT 1",
                (event_id, f"{channel} {ts}"),
            )
            return await cursor.fetchone() is not None

    async def text_before(self, event_id: str, *, channel: str, ts: str) -> str | None:
        """Return what the message said when we were first told of it, if that was before this event."""
        async with self._pool.connection() as conn:
            cursor = await conn.execute(
                "SELECT older.body->'event'->>'text' AS text FROM event AS older, event AS this"
                " WHERE this.event_id = %s AND older.about = %s AND older.event_id <> this.event_id"
                " AND older.received_at <= this.received_at AND older.body->'event' ? 'user'"
                " ORDER BY older.received_at DESC LIMIT 1",
                (event_id, f"{channel} {ts}"),
            )
            row = await cursor.fetchone()
        return None if row is None else row["text"]

    async def untaken(self) -> list[dict[str, Any]]:
        """Return events that no listener took in time, each at most three times.

        One that is put off for longer than it can be was put off by a clock that was wrong: it is given now.
        """
        async with self._pool.connection() as conn:
            cursor = await conn.execute(
                "UPDATE event SET tries = tries + 1, next_at = clock_timestamp() + make_interval(secs => %s)"
                " WHERE taken_at IS NULL AND tries < %s AND (next_at <= clock_timestamp()"
                "  OR next_at > clock_timestamp() + make_interval(secs => %s)) RETURNING body",
                (PATIENCE, TRIES, PATIENCE),
            )
            bodies = [_ours(conn, row["body"]) for row in await cursor.fetchall()]
            return [body for body in bodies if body is not None]

    async def forget(self) -> None:
        """Drop what is older than we keep: events after a week, signatures after ten minutes.

        Whether a request is recent is judged by this machine's clock, so a signature stays while that clock
        might let it in again.
        """
        async with self._pool.connection() as conn:
            await conn.execute(
                "DELETE FROM event WHERE received_at < clock_timestamp() - make_interval(days => %s)", (KEPT,)
            )
            await conn.execute(
                "DELETE FROM signature WHERE seen_at < least(clock_timestamp(), %s) - interval '10 minutes'",
                (datetime.now(UTC),),
            )


def _places(body: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return the message that an event is about, and its thread, each with its channel."""
    event = body.get("event")
    if not isinstance(event, Mapping) or not isinstance(event.get("channel"), str):
        return None, None
    message = _message(event)
    ts = message.get("ts")
    if not isinstance(ts, str):
        return None, None
    return f"{event['channel']} {ts}", f"{event['channel']} {message.get('thread_ts') or ts}"


def _share(body: Mapping[str, Any]) -> str | None:
    """Return the share of whoever the event is from."""
    event = body.get("event")
    user = _message(event).get("user") if isinstance(event, Mapping) else None
    return share_of(user) if isinstance(user, str) else None


def _message(event: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = event.get("message") or event.get("previous_message")
    return inner if isinstance(inner, Mapping) else event


_MARK = "countersign"  # beside what Slack sent: the proof that it came through us


def _marked(conn: Connection, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event with an HMAC: whoever can only write rows says nothing in anybody's name."""
    return {**body, _MARK: vault_of(conn).mac("slack event", _canonical(body))}


def _ours(conn: Connection, body: dict[str, Any]) -> dict[str, Any] | None:
    """Return the event as Slack sent it; None where it did not come through us, or was changed since."""
    said = {name: value for name, value in body.items() if name != _MARK}
    if vault_of(conn).is_ours("slack event", _canonical(said), str(body.get(_MARK))):
        return said
    logger.error(
        "The stored event %s did not come from Slack, or was changed since. It is passed over. Somebody who"
        " has the database's password has written it.",
        said.get("event_id"),
    )
    return None


def _canonical(value: object) -> str:
    """Return plain JSON in one form, in which the database's numbers are those that were stored."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return value
