"""What Slack has refused: kept, said to those who wait for it, and shown to whoever can mend it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from bot.messages import BEHIND, MAYBE, Row
from graphs.ports import Connection

GROWTH = 1.5  # of the pauses between two attempts
LONGEST = 60  # seconds between two attempts
OFTEN = 6  # attempts without any answer of Slack's, after which whoever runs the bot is shown it


@dataclass(frozen=True, kw_only=True, slots=True)
class Undelivered:
    """A message that is not in Slack as it should be.

    `state`: `waiting` for something to be mended; `plain`, there in a plainer form; `delayed`, Slack does not
    answer; `failed`, given up.
    """

    id: str
    kind: str
    state: Literal["waiting", "plain", "delayed", "failed"]
    error: str
    channel: str | None
    since: datetime
    tries: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """Why the card that a request waits for, or waited for, could not be seen."""

    error: str  # "" where it is not known any more
    channel: str | None
    plain: bool = False  # it is there, without its buttons


_LIST = (
    "SELECT id, kind, CASE WHEN state = 'due' AND form = 0 THEN 'delayed'"
    " WHEN form > 0 AND state <> 'waiting' THEN 'plain' ELSE state END AS state,"
    " coalesce(refused, error, '') AS error, coalesce(refused_in, posted_in, channel) AS channel,"
    " coalesce(refused_at, created_at) AS since, tries FROM message"
    " WHERE state = 'waiting' OR state = 'failed' AND error <> %(maybe)s AND created_at > clock_timestamp()"
    " - interval '30 days' OR form > 0 AND (kind IN ('card', 'doubt', 'review') OR refused_at >"
    " clock_timestamp() - interval '7 days') OR state = 'due' AND tries >= %(often)s AND error <> %(behind)s"
    " ORDER BY seq LIMIT 1000"
)


async def undelivered(conn: Connection) -> Sequence[Undelivered]:
    """Return what is not in Slack as it should be, oldest first, a thousand at most."""
    cursor = await conn.execute(_LIST.encode(), {"often": OFTEN, "maybe": MAYBE, "behind": BEHIND})
    return [Undelivered(**row) for row in await cursor.fetchall()]


async def resend(conn: Connection, names: Sequence[str] | None = None) -> Sequence[str]:
    """Have messages tried again at once; by default all that are not in Slack as they should be.

    They are drawn as the record now stands, also those that are just being delivered. A message that is in
    Slack as it should be is not posted again. Returns the names.
    """
    cursor = await conn.execute(
        "UPDATE message SET state = 'due', form = 0, wanted = wanted + 1, tries = 0,"
        " next_at = clock_timestamp()"
        " WHERE (state IN ('waiting', 'failed', 'due') OR form > 0) AND (to_user IS NULL OR state <> 'done')"
        " AND (%(names)s::text[] IS NULL AND (state <> 'due' OR form > 0 OR tries >= %(often)s)"
        " OR id = ANY(%(names)s))"
        " RETURNING id, seq",
        {"names": None if names is None else list(names), "often": OFTEN},
    )
    return [row["id"] for row in sorted(await cursor.fetchall(), key=lambda row: row["seq"])]


async def wait(conn: Connection, row: Row, error: str, place: str | None) -> None:
    """Keep a message until somebody has mended what Slack refuses it for. It is tried again by itself."""
    await conn.execute(
        "UPDATE message SET state = 'waiting', form = 0, detour = NULL, tries = tries + 1, error = %(error)s,"
        " refused_at = CASE WHEN refused = %(error)s THEN coalesce(refused_at, clock_timestamp())"
        " ELSE clock_timestamp() END, refused = %(error)s, refused_in = %(place)s,"
        " next_at = clock_timestamp() + make_interval("
        " secs => least(power(%(growth)s::float8, least(tries, 20)), %(longest)s))"
        " WHERE id = %(id)s",
        {"error": error, "place": place, "growth": GROWTH, "longest": LONGEST, "id": row.id},
    )


async def plainer(conn: Connection, row: Row, error: str, place: str | None) -> None:
    """Have a plainer form of a message tried at once; the usual one, if it is wanted anew since."""
    await conn.execute(
        "UPDATE message SET form = CASE WHEN wanted > %(wanted)s THEN 0 ELSE %(form)s END,"
        " error = %(error)s, refused = %(error)s, refused_in = %(place)s, refused_at = clock_timestamp(),"
        " next_at = clock_timestamp() WHERE id = %(id)s",
        {"wanted": row.wanted, "form": row.form + 1, "error": error, "place": place, "id": row.id},
    )


async def detour(conn: Connection, row: Row, error: str, place: str | None, user: str) -> None:
    """Have a message told to a person in their conversation with the bot, instead of where it belongs."""
    await conn.execute(
        "UPDATE message SET form = 0, detour = %(user)s, attempted_at = NULL, ts = NULL,"
        " posted_in = NULL, error = %(error)s, refused = %(error)s, refused_in = %(place)s,"
        " refused_at = NULL, next_at = clock_timestamp() WHERE id = %(id)s",
        {"error": error, "place": place, "user": user, "id": row.id},
    )


async def repost(conn: Connection, row: Row, error: str) -> None:
    """Have the card posted again under which this message stands: it was deleted. Once for each message."""
    await conn.execute(
        "UPDATE message SET state = 'due', form = 0, wanted = wanted + 1, attempted_at = NULL, ts = NULL,"
        " posted_in = NULL, next_at = clock_timestamp() WHERE id = %s",
        (row.ref,),
    )
    await conn.execute(
        "UPDATE message SET tries = tries + 1, error = %(error)s, refused = %(error)s,"
        " next_at = clock_timestamp() + interval '2 seconds' WHERE id = %(id)s",
        {"error": error, "id": row.id},
    )


async def open_again(conn: Connection, place: str) -> None:
    """Have tried at once what waits to be accepted there: Slack has just accepted something."""
    await conn.execute(
        "UPDATE message SET next_at = clock_timestamp() - interval '1 hour'"
        " WHERE state = 'waiting' AND (refused_in = %s OR refused_in IS NULL)",
        (place,),
    )


async def is_known(conn: Connection, row: Row, error: str, place: str | None) -> bool:
    """Whether somebody has been told about the same cause already and it lasts, or was so today."""
    cursor = await conn.execute(
        "SELECT 1 FROM message WHERE refused = %(error)s AND refused_in IS NOT DISTINCT FROM %(place)s::text"
        " AND refused_at IS NOT NULL AND (state = 'waiting'"
        " OR refused_at > clock_timestamp() - interval '1 day')"
        " AND (id = %(id)s OR kind <> 'operator') LIMIT 1",
        {"error": error, "place": place, "id": row.id},
    )
    return await cursor.fetchone() is not None


_RUN: Mapping[str, str] = {  # that waits for somebody to decide on the card
    "card": "SELECT run FROM approval WHERE id = %s AND status = 'pending' AND decide_by > moment()",
    "doubt": "SELECT effect.run FROM doubt JOIN effect ON (effect.tenant, effect.id) = (doubt.tenant, effect)"
    " WHERE doubt.id = %s AND answer IS NULL",
}


async def run_of(conn: Connection, row: Row) -> str | None:
    """Return the run that waits for somebody to decide on this card."""
    if row.kind not in _RUN:
        return None
    cursor = await conn.execute(_RUN[row.kind].encode(), (row.ref,))
    found = await cursor.fetchone()
    return None if found is None else str(found["run"])


async def person_of(conn: Connection, row: Row) -> str | None:
    """Return the Slack user for whom a message is, where it is for one person."""
    if row.to_user is not None:
        return row.to_user
    if row.kind in {"reply", "more"}:
        named = (row.payload or {}).get("for")
        return str(named) if named else None
    if row.kind in {"progress", "notice"}:
        cursor = await conn.execute("SELECT origin ->> 'user' AS person FROM run WHERE id = %s", (row.ref,))
        found = await cursor.fetchone()
        return None if found is None else found["person"]
    return None


async def trouble(conn: Connection, run: str) -> Trouble | None:
    """Return what keeps those who decide about this run from seeing its card, if anything does."""
    cursor = await conn.execute(
        "SELECT refused, refused_in, ts FROM message WHERE refused IS NOT NULL AND (state = 'waiting'"
        " AND ts IS NULL OR form > 0) AND (kind = 'card' AND ref IN (SELECT id FROM approval"
        " WHERE run = %(run)s"
        " AND status = 'pending') OR kind = 'doubt' AND ref IN (SELECT doubt.id FROM doubt JOIN effect"
        " ON (effect.tenant, effect.id) = (doubt.tenant, effect) WHERE effect.run = %(run)s"
        " AND answer IS NULL)) LIMIT 1",
        {"run": run},
    )
    return _trouble(await cursor.fetchone())


async def unseen(conn: Connection, run: str) -> Trouble | None:
    """Return why nobody could see the card of a run before its time to decide was over, if that is so."""
    cursor = await conn.execute(
        "SELECT coalesce(refused, '') AS refused, refused_in, message.ts FROM approval JOIN message"
        " ON (message.tenant, message.id) = (approval.tenant, 'card:' || approval.id)"
        " WHERE run = %s AND approval.status = 'expired' AND (shown_at IS NULL OR shown_at > decide_by)"
        " AND round = (SELECT max(round) FROM approval AS last WHERE last.run = approval.run)",
        (run,),
    )
    return _trouble(await cursor.fetchone())


def _trouble(row: Mapping[str, Any] | None) -> Trouble | None:
    if row is None:
        return None
    plain = row["ts"] is not None and bool(row["refused"])  # something stands there, and not the card
    return Trouble(error=row["refused"], channel=row["refused_in"], plain=plain)
