"""Keys that this installation makes for itself: made at the first start, kept among the secrets.

The database remembers which keys it was written with. A machine whose secrets hold none of them is told so,
instead of making a key of its own that nobody else could read with.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bot.credentials import CHECKPOINT_KEY
from bot.database import Database, Pool
from bot.settings import SettingsError
from connectors.errors import ConnectorError
from connectors.keys import Keys
from connectors.secrets import Secrets
from graphs.ports import Connection
from graphs.sealed import Seal, SealedSaver

logger = logging.getLogger(__name__)

Store = Callable[[], Secrets]
First = Callable[[Connection, Keys], Awaitable[None]]

_PATIENT = (  # opening the secrets is slow on purpose, and several times slower on a busy machine
    "SET LOCAL idle_in_transaction_session_timeout = '5min'"
)


async def open_seal(database: Database, store: Store) -> Seal:
    """Return what seals checkpoints; those that an earlier release has left in plain are sealed first.

    Raises SettingsError as `own` does.
    """
    async with database.pool.connection() as conn:
        cursor = await conn.execute("SELECT current_setting('countersign.tenant') AS tenant")
        row = await cursor.fetchone()
    assert row is not None
    tenant = str(row["tenant"])

    async def adopt(conn: Connection, keys: Keys) -> None:
        count = await SealedSaver(database.saver_pool, Seal(keys, tenant)).adopt(conn)
        if count:
            logger.info("The checkpoints of %d open runs are sealed now", count)

    return Seal(await own(database.pool, CHECKPOINT_KEY, store, first=adopt), tenant)


async def _nothing(conn: Connection, keys: Keys) -> None:
    """Do nothing; nothing was there before the first key."""


async def own(pool: Pool, name: str, store: Store, *, first: First = _nothing) -> Keys:
    """Return the keys of that name, made now where this database has never seen one.

    `store` opens the secrets afresh. `first` runs in the transaction that takes the first key into use.
    Raises SettingsError when the secrets do not open, or lack the keys that the database was written with.
    """
    kept = await _kept(store, name)
    async with pool.connection() as conn:
        known = await _known(conn, name)
    if kept is not None and kept.newest.id in known:
        return kept
    async with pool.connection() as conn:
        await conn.execute(_PATIENT)
        await conn.execute("SELECT pg_advisory_xact_lock(hashtext('key ' || %s))", (name,))
        known = await _known(conn, name)
        kept = await _kept(store, name)  # another process may have made it meanwhile
        if known and (kept is None or not known & {key.id for key in kept.keys}):
            raise SettingsError(
                f"This database was written with the {name} {', '.join(sorted(known))}, and the secrets here "
                f"do not hold it. Bring it from the machine that does: countersign secrets set {name}"
            )
        if kept is None:
            kept = await asyncio.to_thread(_make, store, name)
        if not known:
            await first(conn, kept)
        await conn.execute(
            "INSERT INTO key_in_use (name, id) VALUES (%s, %s) ON CONFLICT DO NOTHING", (name, kept.newest.id)
        )
    return kept


async def _known(conn: Connection, name: str) -> set[str]:
    cursor = await conn.execute("SELECT id FROM key_in_use WHERE name = %s", (name,))
    return {row["id"] for row in await cursor.fetchall()}


async def _kept(store: Store, name: str) -> Keys | None:
    return await asyncio.to_thread(_read, store, name)


def _read(store: Store, name: str) -> Keys | None:
    try:
        value = store().get(name)
        return None if value is None else Keys.parse(value)
    except ConnectorError as error:
        raise SettingsError(f"The secret {name} cannot be read: {error}.") from error


def _make(store: Store, name: str) -> Keys:
    made = Keys.fresh()
    try:
        store().set(name, made.text())
    except ConnectorError as error:
        raise SettingsError(f"The secret {name} cannot be kept: {error}.") from error
    return made
