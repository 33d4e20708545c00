"""The home's database as a command needs it: only to read, or with the key of its record."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from bot.demo import home as demo
from bot.settings import Settings
from connectors.secrets import Secrets, demo_key, open_secrets

if TYPE_CHECKING:
    from bot.database import Database
    from graphs.ports import Connection


def secrets_of(settings: Settings) -> Secrets:
    """Open the secrets of the settings' home. Raises NoKeyring."""
    given, home = settings.secrets_key, settings.home
    if given is not None:
        return open_secrets(home=home, key=given.get_secret_value())
    return open_secrets(home=home, key=demo_key(home) if demo.is_demo(home) else None)


@asynccontextmanager
async def opened(settings: Settings) -> "AsyncIterator[Database]":
    """Open the database of the settings' home, and the book of its record, which whoever writes needs.

    Raises DatabaseUnavailable, and SettingsError where the secrets do not open.
    """
    from bot.audit.keys import unlock  # noqa: PLC0415  # --help does not need a database

    async with _database(settings) as database:
        await unlock(database, lambda: secrets_of(settings))
        yield database


@asynccontextmanager
async def reading(settings: Settings) -> "AsyncIterator[Connection]":
    """Open a connection for what needs no secret. Raises DatabaseUnavailable."""
    async with _database(settings) as database, database.pool.connection() as conn:
        yield conn


def _database(settings: Settings) -> "AbstractAsyncContextManager[Database]":
    from bot.database import open_database  # noqa: PLC0415  # --help does not need a database

    return open_database(settings.home, settings.database_url, owner_url=settings.database_owner_url)
