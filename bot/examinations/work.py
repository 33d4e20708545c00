"""What waits for somebody: messages that Slack refuses, requests that rest, effects nobody can tell about."""

from collections import Counter
from collections.abc import Sequence

import psycopg

from bot import connection, refusals
from bot.bots import bots
from bot.examinations.database import working
from bot.examinations.patient import Patient, fine, wrong
from bot.serving import has_database
from bot.undelivered import undelivered
from connectors.base import Finding
from graphs.ports import Connection


async def examine(patient: Patient) -> Sequence[Finding]:
    """Look what does not go on by itself, and say what helps."""
    if not has_database(patient.settings):
        return []
    try:
        async with working(patient.settings) as conn:
            return await waits(conn)
    except psycopg.errors.UndefinedTable:  # a database that no bot of this release has migrated yet
        return []


async def waits(conn: Connection) -> Sequence[Finding]:
    """Return what waits, as the connection's tenant has it."""
    return [*await _messages(conn), *await _sockets(conn), await _resting(conn), await _unknown(conn)]


async def _messages(conn: Connection) -> Sequence[Finding]:
    found = Counter((one.error, one.channel or "") for one in await undelivered(conn))
    if not found:
        return [fine("messages", "Slack has every one")]
    return [
        wrong(
            f"messages{f' to {channel}' if channel else ''}",
            f"{count} not in Slack as they should be: {error}",
            f"{refusals.mend(error)} Then: countersign outbox list",
        )
        for (error, channel), count in found.items()
    ]


async def _sockets(conn: Connection) -> Sequence[Finding]:
    """Return why running bots are not connected to Slack, once for each reason."""
    reasons = sorted({bot.refused for bot in await bots(conn) if bot.refused})
    return [
        wrong("socket", f"a running bot is not connected: {one}", connection.mend(one)) for one in reasons
    ]


async def _resting(conn: Connection) -> Finding:
    cursor = await conn.execute("SELECT count(*) AS count FROM run WHERE status = 'dead'")
    return _counted("requests", await cursor.fetchone(), "rest after too many attempts", "effects dead")


async def _unknown(conn: Connection) -> Finding:
    cursor = await conn.execute("SELECT count(*) AS count FROM doubt WHERE answer IS NULL")
    return _counted("effects", await cursor.fetchone(), "may have happened or not", "effects unknown")


def _counted(name: str, row: dict[str, int] | None, what: str, command: str) -> Finding:
    count = row["count"] if row is not None else 0
    if count:
        return wrong(name, f"{count} {what}", f"Look at them: countersign {command}")
    return fine(name, f"none {what}")
