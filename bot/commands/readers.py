"""Who may read what, asked of the directory."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bot.commands.options import Failure
from bot.demo import home as demo
from bot.settings import load

if TYPE_CHECKING:
    from connectors.directory import Person
    from knowledge.edition import Reader


def reader(home: Path, email: str) -> "Reader":
    """Return what the person with that address may read today. Raises Failure, or a ConnectorError."""
    from bot.readers import reader_of  # noqa: PLC0415  # takes seconds to import

    found = asyncio.run(person(home, email))
    if not found.active:
        raise Failure(f"{email} is not active in the directory, and reads nothing.")
    return reader_of(found, datetime.now(UTC).date())


async def person(home: Path, email: str) -> "Person":
    """Return the person with that address. Raises Failure, or a ConnectorError."""
    from bot import credentials  # noqa: PLC0415  # likewise
    from connectors.directory import open_directory  # noqa: PLC0415
    from connectors.secrets import demo_key  # noqa: PLC0415

    settings = load(home)
    if settings.directory is None:
        raise Failure(f"{email} cannot be looked up: {home} has no [directory] in countersign.toml.")
    token = credentials.directory_token(settings, key=demo_key(home) if demo.is_demo(home) else None)
    async with open_directory(settings.directory.url, token, issuer=settings.directory.issuer) as directory:
        return await directory.person_by_email(email)
