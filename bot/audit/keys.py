"""The key of the record, made at the first start and kept among the secrets."""

import logging

from bot.credentials import AUDIT_KEY
from bot.database import Database
from bot.keys import Store, own
from bot.settings import SettingsError
from connectors.keys import Keys
from graphs.audit import Vault, keeping, keyed
from graphs.ports import Connection

logger = logging.getLogger(__name__)


async def unlock(database: Database, store: Store) -> Vault:
    """Give the database's connections the key of its record, and return what holds it.

    Raises SettingsError where the secrets do not open, or lack the key that the record was written with.
    """

    async def reopen() -> Vault:
        try:
            return Vault(await own(database.pool, AUDIT_KEY, store))
        except SettingsError as error:
            logger.warning("The secrets cannot be read again: %s", error)
            return database.book.vault

    vault = Vault(await own(database.pool, AUDIT_KEY, store, first=_adopt))
    database.book.open(vault, reopen)
    async with database.pool.connection() as conn:
        if count := await keyed.adopt(conn):
            logger.info("%d events of an earlier release carry an HMAC of the record's key now", count)
    return vault


async def _adopt(conn: Connection, keys: Keys) -> None:
    if count := await keeping.adopt(conn, Vault(keys)):
        logger.info("What stands beside %d events of the record is encrypted now", count)
