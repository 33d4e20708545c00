"""How much each operation may do on its own. People write the levels; the bot can only read them."""

from collections.abc import Collection, Sequence
from enum import IntEnum

from graphs.ports import Connection


class Level(IntEnum):
    """From proposing in private to acting within limits. Nothing is carried out below AFTER_APPROVAL."""

    SHADOW = 0
    DRAFT = 1
    AFTER_APPROVAL = 2
    VETO_WINDOW = 3
    WITHIN_LIMITS = 4


async def level(conn: Connection, operations: Collection[str]) -> Level:
    """Return the level of a plan: each of its operations acts after approval, unless people say otherwise."""
    wanted = sorted(set(operations))
    cursor = await conn.execute("SELECT level FROM authority_level WHERE operation = ANY(%s)", (wanted,))
    return lowest([row["level"] for row in await cursor.fetchall()], of=len(wanted))


def lowest(written: Sequence[int], *, of: int) -> Level:
    """Return the level of a plan of so many operations: the lowest of what people have written of each."""
    unwritten = [Level.AFTER_APPROVAL] if len(written) < of else []
    return min([*(Level(one) for one in written), *unwritten])
