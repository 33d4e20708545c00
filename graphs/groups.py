"""The groups that the configuration names. Each name stands for one group of the directory, by its id.

A name is resolved once, and the record keeps which group it stands for: whatever is called that later, or is
called otherwise, changes nothing. `id:` and the directory's id names a group without resolving anything.
"""

import logging
import time
from collections.abc import Callable, Iterable

import psycopg
from psycopg_pool import AsyncConnectionPool

from connectors.directory import Directory
from connectors.errors import Conflict, ConnectorError, NotFound, Unavailable
from graphs import audit
from graphs.audit import head
from graphs.pools import reading
from graphs.ports import Connection

log = logging.getLogger(__name__)

BY_ID = "id:"
_KIND = "group.resolved"
_FRESH = 60.0  # seconds; an operator who resolves a name anew is heard by then


class GroupUnclear(Exception):
    """A name of the configuration stands for no group, or might stand for several. `key` says which."""

    def __init__(self, key: str, name: str) -> None:
        super().__init__(f"It is not clear which group {name} is: {_SAYS[key]}.")
        self.key = key
        self.name = name


_SAYS = {
    "no_such_group": "the directory has no group of that name",
    "group_ambiguous": "the directory has several groups of that name; write id: and the id of the right one",
}


class Groups:
    """Knows the groups by the names that the configuration has for them."""

    def __init__(
        self,
        pool: AsyncConnectionPool[Connection],
        directory: Directory,
        *,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._directory = directory
        self._timer = timer
        self._known: dict[str, tuple[str, float]] = {}
        self._unclear: dict[str, float] = {}  # of which the log has heard, and when each is looked up again

    async def ids(self, names: Iterable[str]) -> dict[str, str]:
        """Return the group of each name. What is resolved for the first time is written to the record.

        Raises GroupUnclear, the directory's errors, and audit.Locked or audit.ChainBroken where the record
        cannot be read.
        """
        return {name: await self._id(name) for name in dict.fromkeys(names)}  # as the record has it now

    async def clear(self, names: Iterable[str]) -> dict[str, str]:
        """Return the group of each name that stands for one. A name that stands for none opens nothing.

        What is left out is logged, once. Either is remembered for a minute. A directory that is away
        is asked for one name, not for each: so many failures would have it left alone when it is back.
        """
        found = {}
        away: Unavailable | None = None
        for name in dict.fromkeys(names):
            if self._timer() < self._unclear.get(name, 0.0):
                continue
            try:
                found[name] = self._remembered(name) or await self._id(name, away)
            except (GroupUnclear, ConnectorError, audit.Locked, audit.ChainBroken, psycopg.Error) as error:
                away = error if isinstance(error, Unavailable) else away
                if name not in self._unclear:
                    log.warning("The group %s opens nothing: %s", name, error)
                again = self._timer() + _FRESH if isinstance(error, GroupUnclear) else 0.0
                self._unclear[name] = again
            else:
                self._unclear.pop(name, None)
        return found

    async def resolve(self, name: str, *, by: str) -> str:
        """Resolve a name anew, whatever it stood for, and return the group's id. Raises as `ids` does."""
        return await self._write(name, await self._look(name), by=by)

    async def _id(self, name: str, away: Unavailable | None = None) -> str:
        """Return the id that a name stands for. Raises `away` instead of asking the directory."""
        if name.startswith(BY_ID):
            return name.removeprefix(BY_ID)
        async with reading(self._pool) as conn:
            said = await recorded(conn, name)
        if said:
            return self._keep(name, said)
        if away is not None:
            raise away
        return await self._write(name, await self._look(name), by="")

    def _remembered(self, name: str) -> str:
        known, until = self._known.get(name, ("", 0.0))
        return known if self._timer() < until else ""

    async def _look(self, name: str) -> str:
        try:
            return (await self._directory.find_group(name)).id
        except NotFound as error:
            raise GroupUnclear("no_such_group", name) from error
        except Conflict as error:
            raise GroupUnclear("group_ambiguous", name) from error

    async def _write(self, name: str, group: str, *, by: str) -> str:
        """Write to the record what a name stands for; of two that do it at once, the first is right."""
        async with self._pool.connection() as conn:
            await head.hold(conn)
            said = None if by else await recorded(conn, name)
            if said is None:
                detail = {"by": {"name": by}} if by else {}
                await audit.append(conn, _KIND, run=None, facts={"name": name, "group": group}, detail=detail)
        return self._keep(name, said or group)

    def _keep(self, name: str, group: str) -> str:
        self._known[name] = (group, self._timer() + _FRESH)
        return group


async def recorded(conn: Connection, name: str) -> str | None:
    """Return the id of the group that a name stands for, or None where it has not been resolved."""
    said = await audit.standing(conn, (_KIND,), name=name)
    return str(said[-1].facts["group"]) if said else None


async def every(conn: Connection) -> dict[str, str]:
    """Return all names that have been resolved, each with the id of its group."""
    said = await audit.standing(conn, (_KIND,))
    return {str(event.facts["name"]): str(event.facts["group"]) for event in said}
