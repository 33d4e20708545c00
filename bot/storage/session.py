"""What a session with the database is set to: by statement, once connected, and never by startup options.

A pooler such as PgBouncer refuses startup options, or drops them without a word. A connection string may name
some all the same (`options`): ours do, and so may your URL. Whoever connects through here has them applied.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Any, Self

import psycopg
from psycopg import AsyncConnection, Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import Row, TupleRow
from psycopg_pool import AsyncConnectionPool

CONNECT_TIMEOUT = 10  # seconds
RECONNECT = 2.0  # seconds between two attempts of a pool, at most, for as long as the database is away

_OPTION = re.compile(r"(?:-c\s*|--)([\w.-]+)=((?:\\.|[^\s\\])*)")  # a backslash escapes, as in PostgreSQL
_ROLE = "role"


def split(conninfo: str) -> tuple[str, Mapping[str, str]]:
    """Take the settings out of a connection string: return how to connect, and what to set then.

    An option that is no setting stays where it is.
    """
    parts = conninfo_to_dict(conninfo)
    options = str(parts.pop("options", None) or "")
    settings = {
        name.replace("-", "_"): re.sub(r"\\(.)", r"\1", value) for name, value in _OPTION.findall(options)
    }
    if left := _OPTION.sub("", options).strip():
        parts["options"] = left
    return make_conninfo("", **parts), settings


class SessionConnection(AsyncConnection[Row]):
    """A connection whose session is set as its connection string says, whatever is between."""

    @classmethod
    async def connect(cls, conninfo: str = "", *, autocommit: bool = False, **kwargs: Any) -> Self:
        """Connect. Raises psycopg.OperationalError, also where the session may not be set like that."""
        plain, settings = split(make_conninfo(conninfo))
        conn = await super().connect(plain, autocommit=True, **kwargs)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):  # a pooler accepts first, and finds a server then
                if settings:
                    await conn.execute(*_setting(settings))
            await conn.set_autocommit(autocommit)
        except TimeoutError:
            await conn.close()
            raise psycopg.OperationalError(
                "the pooler before the database has no free connection to it; raise its default_pool_size"
            ) from None
        except psycopg.Error as error:
            await conn.close()
            raise psycopg.OperationalError(str(error)) from error
        except BaseException:
            await conn.close()
            raise
        return conn


async def try_again(pool: AsyncConnectionPool[Any]) -> None:
    """Go on reconnecting: what a pool does that has tried for `RECONNECT`.

    By itself it doubles its pauses, up to minutes, and is back that much later than the database.
    """
    await pool.check()


def connect(conninfo: str) -> Connection[TupleRow]:
    """Connect likewise, in autocommit mode, where nothing is asynchronous. Raises psycopg.Error."""
    plain, settings = split(conninfo)
    conn = psycopg.connect(plain, autocommit=True)
    try:
        if settings:
            conn.execute(*_setting(settings))
    except BaseException:
        conn.close()
        raise
    return conn


def _setting(settings: Mapping[str, str]) -> tuple[bytes, list[str]]:
    """Return one statement for all settings. The role comes last: what is set before may need the login's."""
    names = sorted(settings, key=lambda name: (name == _ROLE, name))
    query = "SELECT " + ", ".join("set_config(%s, %s, false)" for _ in names)
    return query.encode(), [word for name in names for word in (name, settings[name])]
