"""After an erasure: PostgreSQL keeps the rows as they were until it is made to rewrite the tables."""

from psycopg import errors

from bot.privacy.rows import Owner
from bot.privacy.stores import TABLES
from graphs.stores import Holds

_FULL = "pg_catalog.pg_statistic"  # holds samples of columns' values
_SEGMENT = 17  # times a million bytes: more than one file of the write-ahead log


async def vacuum(conn: Owner) -> bool:
    """Rewrite every table that may hold people, and have PostgreSQL throw away its log of before.

    `conn` is the owner's, in autocommit mode. Says whether the log was rolled over and a checkpoint made.
    """
    await conn.execute("SET lock_timeout = '15s'")
    tables = [table.name for table in TABLES if set(table.columns.values()) - {Holds.NOBODY}]
    for table in (*tables, _FULL):
        try:
            await conn.execute(f"VACUUM (FULL, ANALYZE) {table}".encode())
        except errors.LockNotAvailable:  # somebody holds it all the time: then what is dead goes, in place
            await conn.execute(f"VACUUM (ANALYZE) {table}".encode())
    return await _log_rolled_over(conn)


async def _log_rolled_over(conn: Owner) -> bool:
    """Fill the file of the log that holds what was, and make a checkpoint, after which it is removed."""
    try:
        for _ in range(2):  # the checkpoint before the last one is kept to recover from
            for _ in range(_SEGMENT):
                await conn.execute(
                    "SELECT pg_logical_emit_message(false, 'countersign', repeat('0', 1000000))"
                )
            await conn.execute("CHECKPOINT")
    except errors.InsufficientPrivilege:
        return False
    return True
