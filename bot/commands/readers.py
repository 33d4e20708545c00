"""Who may read what, asked of the directory."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bot.commands.options import Failure
from bot.demo import home as demo
from bot.settings import Settings, load

if TYPE_CHECKING:
    from connectors.directory import Directory, Person
    from knowledge.edition import Reader


def reader(home: Path, email: str) -> "Reader":
    """Return what the person with that address may read today. Raises Failure, or a ConnectorError."""
    from bot import serving  # noqa: PLC0415  # takes seconds to import
    from bot.readers import audiences, reader_of  # noqa: PLC0415  # likewise
    from knowledge.edition import open_current  # noqa: PLC0415  # likewise

    names = audiences(open_current(home, serving.of_home(home)).documents)
    found, groups = asyncio.run(_person_and_groups(home, email, names))
    if not found.active:
        raise Failure(f"{email} is not active in the directory, and reads nothing.")
    return reader_of(found, datetime.now(UTC).date(), groups)


async def person(home: Path, email: str) -> "Person":
    """Return the person with that address. Raises Failure, or a ConnectorError."""
    async with directory_of(load(home), email) as directory:
        return await directory.person_by_email(email)


async def _person_and_groups(
    home: Path, email: str, names: Iterable[str]
) -> tuple["Person", Mapping[str, str]]:
    """Return the person, and the groups that are called so; several of one name open nothing."""
    from connectors.errors import Conflict, NotFound  # noqa: PLC0415  # likewise

    groups = {}
    async with directory_of(load(home), email) as directory:
        found = await directory.person_by_email(email)
        for name in names:
            with suppress(NotFound, Conflict):
                groups[name] = (await directory.find_group(name)).id
    return found, groups


@asynccontextmanager
async def directory_of(settings: Settings, what: str) -> "AsyncIterator[Directory]":
    """Open the directory of the settings. Raises Failure, which says that `what` cannot be looked up."""
    from bot import credentials  # noqa: PLC0415  # likewise
    from connectors.directory import open_directory  # noqa: PLC0415
    from connectors.secrets import demo_key  # noqa: PLC0415

    home = settings.home
    if settings.directory is None:
        raise Failure(f"{what} cannot be looked up: {home} has no [directory] in countersign.toml.")
    token = credentials.directory_token(settings, key=demo_key(home) if demo.is_demo(home) else None)
    async with open_directory(settings.directory.url, token, issuer=settings.directory.issuer) as directory:
        yield directory
