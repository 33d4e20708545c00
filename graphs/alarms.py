"""What is said aloud about emergency access, and written to the audit in the same transaction."""

from collections.abc import Mapping

from graphs import audit
from graphs.ports import Connection, Notifier
from graphs.records import Alarm


async def sound(
    conn: Connection, notifier: Notifier, run: str, moment: Alarm, facts: Mapping[str, str]
) -> None:
    """Say, once in a run, that emergency access was asked for, granted or has ended."""
    if await notifier.alarm(conn, run, moment, facts):
        await audit.append(conn, f"emergency.{moment}", run=run, facts={}, detail=dict(facts))
