"""What is to be posted, as rows: wanted, attempted, there, refused and waiting, or given up."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg.types.json import Jsonb

from bot.database import Pool
from graphs.ports import Connection

Kind = Literal[
    "card", "doubt", "progress", "notice", "reply", "beside", "review", "alarm", "more", "operator"
]

GRACE = 10  # seconds that a delivery has before the sweep starts another
LONGEST = 60  # seconds between two attempts
UNANSWERED = 10  # seconds between two attempts at most, while Slack does not answer at all
MAYBE = "may have been shown"  # why a private answer is not shown again
BEHIND = "waits for an earlier one"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One message that is due."""

    id: str
    seq: int
    kind: Kind
    ref: str
    channel: str | None
    thread: str | None
    to_user: str | None
    payload: Mapping[str, Any] | None
    ts: str | None
    posted_in: str | None
    wanted: int
    attempted_at: datetime | None
    form: int  # 0: as it is drawn; above it, plainer
    refused: str | None  # Slack's word for it, until it is there as it is drawn
    refused_in: str | None
    detour: str | None  # the Slack user who is told in their conversation with the bot instead
    unwanted: bool = False  # nothing of it may be left in Slack


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where in Slack a message is."""

    channel: str
    ts: str


_COLUMNS = (
    "id, seq, kind, ref, channel, thread, to_user, payload, ts, posted_in, wanted, attempted_at,"
    " form, refused, refused_in, detour, unwanted"
)
_HELD_BACK = 600  # seconds after which one that waits is tried although an earlier one waits for the same
_BEFORE: Mapping[str, str] = {  # what has to be there first
    "notice": "ref = %(ref)s AND kind IN ('progress', 'notice') AND seq < %(seq)s",
    "beside": "id = %(ref)s",
    "more": "(id = %(ref)s OR ref = %(ref)s AND kind = 'more') AND seq < %(seq)s",
}


class Messages:
    """The rows of the outbox."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def want(
        self,
        conn: Connection,
        *,
        name: str,
        kind: Kind,
        ref: str,
        channel: str | None = None,
        thread: str | None = None,
        to_user: str | None = None,
        payload: Mapping[str, Any] | None = None,
    ) -> bool:
        """Want the message in the caller's transaction; one that has fixed content only once.

        Says whether something is to be delivered.
        """
        again = "DO NOTHING"
        if payload is None:  # drawn from a record, which has changed
            again = (
                "(tenant, id) DO UPDATE SET wanted = message.wanted + 1, next_at = excluded.next_at,"
                " state = 'due', tries = 0, form = 0"
            )
        cursor = await conn.execute(
            "INSERT INTO message (id, kind, ref, channel, thread, to_user, payload, next_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, clock_timestamp() + make_interval(secs => %s))"
            f" ON CONFLICT {again}".encode(),
            (name, kind, ref, channel, thread, to_user, None if payload is None else Jsonb(payload), GRACE),
        )
        return cursor.rowcount == 1

    def writing(self) -> AbstractAsyncContextManager[Connection]:
        """Open a transaction, for what has to become true at once."""
        return self._pool.connection()

    async def exists(self, name: str) -> bool:
        """Whether the message was wanted before."""
        async with self._pool.connection() as conn:
            cursor = await conn.execute("SELECT 1 FROM message WHERE id = %s", (name,))
            return await cursor.fetchone() is not None

    async def is_first(self, conn: Connection, channel: str) -> bool:
        """Whether nothing was ever to be said there; who asks at the same time waits for the caller."""
        await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('first ' || %s, 0))", (channel,))
        cursor = await conn.execute("SELECT 1 FROM message WHERE channel = %s LIMIT 1", (channel,))
        return await cursor.fetchone() is None

    async def is_ours(self, place: Place) -> bool:
        """Whether the message at that place is one of these."""
        async with self._pool.connection() as conn:
            cursor = await conn.execute(
                "SELECT 1 FROM message WHERE posted_in = %s AND ts = %s LIMIT 1", (place.channel, place.ts)
            )
            return await cursor.fetchone() is not None

    async def due(self, name: str) -> Row | None:
        """Return the message, unless there is nothing left to do about it."""
        async with self._pool.connection() as conn:
            cursor = await conn.execute(
                f"SELECT {_COLUMNS} FROM message WHERE id = %s AND state IN ('due', 'waiting')".encode(),
                (name,),
            )
            row = await cursor.fetchone()
        return None if row is None else Row(**row)

    async def is_behind(self, row: Row) -> bool:
        """Whether what was said earlier about the same run, or what this stands under, is not posted yet."""
        before = _BEFORE.get(row.kind)
        if before is None:
            return False
        async with self._pool.connection() as conn:
            cursor = await conn.execute(
                f"SELECT 1 FROM message WHERE {before} AND state IN ('due', 'waiting') AND ts IS NULL"
                " LIMIT 1".encode(),
                {"ref": row.ref, "seq": row.seq},
            )
            return await cursor.fetchone() is not None

    async def place(self, name: str) -> Place | None:
        """Return where the message is, once it is in Slack."""
        async with self._pool.connection() as conn:
            cursor = await conn.execute("SELECT posted_in, ts FROM message WHERE id = %s", (name,))
            row = await cursor.fetchone()
        if row is None or row["ts"] is None:
            return None
        return Place(channel=row["posted_in"], ts=row["ts"])

    async def is_at(self, name: str, place: Place) -> bool:
        """Whether the message is there. One that is on its way may be anywhere in its channel."""
        async with self._pool.connection() as conn:
            cursor = await conn.execute(
                "SELECT 1 FROM message WHERE id = %s AND posted_in = %s AND coalesce(ts, %s) = %s",
                (name, place.channel, place.ts, place.ts),
            )
            return await cursor.fetchone() is not None

    async def attempted(self, name: str, channel: str) -> None:
        """Record, before a post, that it may have happened from now on, and where it is looked for then."""
        await self._set(name, "attempted_at = clock_timestamp(), posted_in = %s", channel)

    async def not_attempted(self, name: str) -> None:
        """Record that no post happened, because Slack said so or the message is gone."""
        await self._set(name, "attempted_at = NULL, ts = NULL, posted_in = NULL")

    async def landed(self, name: str, place: Place) -> None:
        """Record where the message is."""
        await self._set(name, "ts = %s, posted_in = %s", place.ts, place.channel)

    async def shown(self, row: Row) -> None:
        """Record that this state of the message is shown. It stays due if another is wanted since.

        What is there as it was drawn, where it belongs, is no longer refused; what is there otherwise still
        is, and what is wanted since is tried as it is drawn.
        """
        as_drawn = row.form == 0
        await self._set(
            row.id,
            "sent = %s, tries = 0, error = NULL, next_at = clock_timestamp(),"
            " state = CASE WHEN wanted > %s THEN 'due' ELSE 'done' END,"
            " form = CASE WHEN wanted > %s THEN 0 ELSE form END,"
            " shown_at = CASE WHEN %s THEN coalesce(shown_at, moment()) ELSE shown_at END,"
            " refused = CASE WHEN %s THEN NULL ELSE refused END,"
            " refused_in = CASE WHEN %s THEN NULL ELSE refused_in END,"
            " refused_at = CASE WHEN %s THEN NULL ELSE refused_at END",
            *(row.wanted,) * 3,
            as_drawn,
            *(as_drawn and row.detour is None,) * 2,
            as_drawn,
        )

    async def later(
        self, name: str, *, error: str, seconds: float | None = None, longest: float = LONGEST
    ) -> None:
        """Try again after `seconds`, or a pause that grows with each attempt; after `longest` at most."""
        await self._set(
            name,
            "tries = tries + 1, queued_in = NULL, error = %s,"
            " next_at = clock_timestamp() + make_interval(secs =>"
            " least(coalesce(%s::float8, power(2, least(tries, 10))), %s))",
            error,
            seconds,
            min(longest, LONGEST),
        )

    async def failed(self, name: str, error: str) -> None:
        """Give up on the message."""
        await self._set(name, "state = 'failed', queued_in = NULL, error = %s", error)

    async def _set(self, name: str, assignment: str, *values: object) -> None:
        async with self._pool.connection() as conn:
            await conn.execute(f"UPDATE message SET {assignment} WHERE id = %s".encode(), (*values, name))

    async def claim(self, conn: Connection) -> Sequence[str]:
        """Return, in the caller's transaction, what is due and has nobody at work on it.

        What is put off for longer than it can be was put off by a clock that was wrong: it is due.
        Of those that wait for the same to be mended, the first is tried, and the others seldom.
        """
        cursor = await conn.execute(
            "UPDATE message SET next_at = clock_timestamp() + make_interval(secs => %s)"
            " WHERE (next_at <= clock_timestamp()"
            "  OR next_at > clock_timestamp() + make_interval(secs => %s))"
            " AND (state = 'due' OR state = 'waiting'"
            "  AND (next_at <= clock_timestamp() - make_interval(secs => %s) OR NOT EXISTS"
            "  (SELECT 1 FROM message AS other WHERE other.state = 'waiting' AND other.seq < message.seq"
            "  AND other.refused = message.refused"
            "  AND other.refused_in IS NOT DISTINCT FROM message.refused_in))) RETURNING id, seq",
            (GRACE, LONGEST, _HELD_BACK),
        )
        return [row["id"] for row in sorted(await cursor.fetchall(), key=lambda row: row["seq"])]

    async def reserve(self, channel: str) -> float:
        """Take the channel's turn to be posted to: 0.0, or the seconds until it is free.

        Slack: about one post a second a channel. No channel is held for longer than it was to be: a time
        farther ahead was set by a clock that was wrong.
        """
        async with self._pool.connection() as conn:
            cursor = await conn.execute(
                "INSERT INTO channel_pace (channel, free_at)"
                " VALUES (%s, clock_timestamp() + interval '1 second')"
                " ON CONFLICT (tenant, channel) DO UPDATE SET free_at = excluded.free_at,"
                " lasts = excluded.lasts WHERE channel_pace.free_at <= clock_timestamp()"
                " OR channel_pace.free_at > clock_timestamp() + channel_pace.lasts",
                (channel,),
            )
            if cursor.rowcount == 1:
                return 0.0
            cursor = await conn.execute(
                "SELECT greatest(extract(epoch FROM free_at - clock_timestamp()), 0.01)::float8 AS wait"
                " FROM channel_pace WHERE channel = %s",
                (channel,),
            )
            row = await cursor.fetchone()
        return float(row["wait"]) if row is not None else 0.01

    async def hold(self, channel: str, seconds: float) -> None:
        """Let nobody post to the channel for a while."""
        async with self._pool.connection() as conn:
            await conn.execute(
                "INSERT INTO channel_pace (channel, free_at, lasts)"
                " VALUES (%(channel)s, clock_timestamp() + make_interval(secs => %(seconds)s),"
                "  make_interval(secs => %(seconds)s))"
                " ON CONFLICT (tenant, channel) DO UPDATE"
                " SET free_at = excluded.free_at, lasts = excluded.lasts"
                " WHERE channel_pace.free_at <= excluded.free_at"
                " OR channel_pace.free_at > clock_timestamp() + channel_pace.lasts",
                {"channel": channel, "seconds": seconds},
            )
