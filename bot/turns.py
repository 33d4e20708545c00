"""Whose turn it is in a channel, which takes about one message a second.

Emergencies come first. Among the rest people take turns: whoever was posted for longest ago is next, so that
one person's many messages hold up nobody else's. A message that waits says so again from time to time; one
that does not is passed over, because whatever keeps it must keep no other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.messages import Messages
from graphs.ports import Connection

LOOK = 50  # seconds after which a message that waits looks for itself whether it is its turn
PASSED = 120  # seconds after which a message that has not looked is passed over

_NEXT = (
    " FROM message LEFT JOIN channel_turn AS turn ON turn.tenant = message.tenant"
    " AND turn.channel = message.queued_in AND turn.share = message.share"
    " WHERE state = 'due' AND queued_until BETWEEN clock_timestamp()"
    f" AND clock_timestamp() + interval '{PASSED} seconds' AND queued_in"
)
# A turn that is still to come was written by a clock that was wrong, and puts nobody behind the others.
_ORDER = "rank DESC, CASE WHEN turn.at <= clock_timestamp() THEN turn.at END NULLS FIRST, seq"


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """What came of asking for a turn. `first`: whose it is; `wait`: seconds until the channel is free."""

    first: str
    wait: float

    @property
    def is_taken(self) -> bool:
        """Whether it may be posted now."""
        return self.wait == 0.0


class Turns:
    """The messages that wait for their channel."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages

    async def take(self, name: str, channel: str, *, share: str, urgent: bool) -> Turn:
        """Take the channel's turn for a message, if it is free and there is nobody before it."""
        async with self._messages.writing() as conn:
            await conn.execute(
                "UPDATE message SET queued_in = %s, rank = %s, share = %s,"
                " queued_until = clock_timestamp() + make_interval(secs => %s) WHERE id = %s",
                (channel, int(urgent), share, PASSED, name),
            )
            first = await self.first(conn, channel) or name
        if first != name:
            return Turn(first=first, wait=1.0)
        wait = await self._messages.reserve(channel)
        if wait == 0.0:
            await self._served(name, channel, share)
        return Turn(first=name, wait=wait)

    async def first(self, conn: Connection, channel: str) -> str | None:
        """Return the message whose turn it is next in a channel."""
        cursor = await conn.execute(f"SELECT id{_NEXT} = %s ORDER BY {_ORDER} LIMIT 1".encode(), (channel,))
        row = await cursor.fetchone()
        return None if row is None else str(row["id"])

    async def firsts(self, conn: Connection) -> Sequence[str]:
        """Return the message whose turn it is next, of every channel in which one waits."""
        query = f"SELECT DISTINCT ON (queued_in) id{_NEXT} IS NOT NULL ORDER BY queued_in, {_ORDER}"
        cursor = await conn.execute(query.encode())
        return [row["id"] for row in await cursor.fetchall()]

    async def wait(self, name: str, seconds: float) -> None:
        """Let a message wait for its turn; it is no attempt."""
        async with self._messages.writing() as conn:
            await conn.execute(
                "UPDATE message SET error = 'waits for its turn',"
                " next_at = clock_timestamp() + make_interval(secs => %s) WHERE id = %s",
                (min(seconds, LOOK), name),
            )

    async def _served(self, name: str, channel: str, share: str) -> None:
        async with self._messages.writing() as conn:
            await conn.execute("UPDATE message SET queued_in = NULL, share = NULL WHERE id = %s", (name,))
            await conn.execute(
                "INSERT INTO channel_turn (channel, share) VALUES (%s, %s)"
                " ON CONFLICT (tenant, channel, share) DO UPDATE SET at = excluded.at",
                (channel, share),
            )
            await conn.execute(
                "DELETE FROM channel_turn WHERE channel = %s AND at < clock_timestamp() - interval '1 hour'",
                (channel,),
            )
