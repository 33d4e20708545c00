"""How much each operation may do on its own. People write the levels; the bot can only read them."""

from enum import IntEnum

from graphs.ports import Connection


class Level(IntEnum):
    """From proposing in private to acting within limits. Nothing is carried out below AFTER_APPROVAL."""

    SHADOW = 0
    DRAFT = 1
    AFTER_APPROVAL = 2
    VETO_WINDOW = 3
    WITHIN_LIMITS = 4


async def level(conn: Connection, operation: str) -> Level:
    """Return the operation's level: acting after approval, unless people have written another one."""
    cursor = await conn.execute("SELECT level FROM authority_level WHERE operation = %s", (operation,))
    row = await cursor.fetchone()
    return written(row["level"] if row else None)


def written(level: int | None) -> Level:
    """Return the level that people have written, or have not."""
    return Level.AFTER_APPROVAL if level is None else Level(level)
