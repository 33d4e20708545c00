"""A PostgreSQL of your own, by URL: its roles and its schema, and errors that say what to ask for.

A password never enters an error: what the library says about a malformed URL is not repeated, because it may
quote a piece of one.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from bot.storage.cluster import APPLICATION_ROLE, OWNER_ROLE, DatabaseUnavailable
from bot.storage.migrations import SCHEMA, alone
from bot.storage.session import CONNECT_TIMEOUT, SessionConnection, split

OLDEST = 15

_BY_HAND = f"""\
    CREATE ROLE {OWNER_ROLE} NOLOGIN;
    CREATE ROLE {APPLICATION_ROLE} NOLOGIN;
    GRANT {OWNER_ROLE}, {APPLICATION_ROLE} TO {{login}};
    CREATE SCHEMA {SCHEMA} AUTHORIZATION {OWNER_ROLE};"""


def parse(url: str, name: str) -> str:
    """Check a connection URL (or conninfo string); return it as conninfo with a time limit for connecting.

    Raises DatabaseUnavailable, naming the setting.
    """
    unclear = DatabaseUnavailable(
        f"{name} is not a connection URL. It looks like postgresql://USER:PASSWORD@HOST:PORT/DATABASE; "
        "in a password, write the characters @ : / ? # % as %40 %3A %2F %3F %23 %25."
    )
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise unclear from None
    places = [str(parts.get(key) or "") for key in ("host", "port", "dbname")]
    if any("@" in place for place in places) or not re.fullmatch(r"[\d,]*", places[1]):
        raise unclear
    return make_conninfo("", **{"connect_timeout": CONNECT_TIMEOUT, **parts})


def application(conninfo: str, options: str) -> str:
    """How the application connects: as its own role, whatever the login role is."""
    parts = conninfo_to_dict(conninfo)
    if parts.get("user") != APPLICATION_ROLE:
        options = f"{options} -c role={APPLICATION_ROLE}"
    return make_conninfo(conninfo, options=f"{parts.get('options') or ''} {options}".strip())


@asynccontextmanager
async def connection(conninfo: str, options: str) -> AsyncIterator[AsyncConnection[TupleRow]]:
    """A connection in autocommit mode. Raises DatabaseUnavailable when it cannot be had."""
    parts = conninfo_to_dict(conninfo)
    full = make_conninfo(conninfo, options=f"{parts.get('options') or ''} {options}".strip())
    try:
        conn = await SessionConnection[TupleRow].connect(full, autocommit=True)
    except psycopg.OperationalError as error:
        said = " ".join(str(error).split())
        if password := parts.get("password"):
            said = said.replace(str(password), "***")
        raise DatabaseUnavailable(
            f"The database does not let us in: {said}. Is it running, and is the URL right?"
        ) from None
    async with conn:
        yield conn


async def require_sessions(conninfo: str) -> None:
    """Refuse a pooler that gives each transaction or statement another session. Sets nothing, in any session.

    A connection that talks to PostgreSQL itself is told its session's process id at once; a pooler tells one
    of its own. Raises DatabaseUnavailable.
    """
    plain, _ = split(conninfo)
    async with connection(plain, "") as first:
        if await _process(first) == first.info.backend_pid:
            return
        async with connection(plain, "") as second:
            seen = [(conn, await _process(conn)) for conn in (first, second, first, first, second, second)]
    ours, theirs = ({process for conn, process in seen if conn is one} for one in (first, second))
    if len(ours) > 1 or len(theirs) > 1 or ours & theirs:
        raise DatabaseUnavailable(
            "The pooler before the database shares sessions between transactions, as PgBouncer does with"
            " pool_mode = transaction or statement. Countersign needs sessions of its own: it waits for"
            " notifications, holds locks, and sets its role and its tenant. Set pool_mode = session for its"
            " database, or connect to PostgreSQL itself."
        )


async def _process(conn: AsyncConnection[TupleRow]) -> int:
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            row = await (await conn.execute("SELECT pg_backend_pid()")).fetchone()
    except (TimeoutError, psycopg.OperationalError) as error:
        raise DatabaseUnavailable(
            "The pooler before the database has no connection to it for us. Is the database running, and is"
            " the pooler's default_pool_size 30 or more for each process of Countersign?"
        ) from error
    assert row is not None  # a SELECT without FROM has one row
    return int(row[0])


async def prepare(conn: AsyncConnection[TupleRow], application_login: str) -> None:
    """Make the roles and the schema where they are missing, and act as the owner from here on.

    Raises DatabaseUnavailable, with the statements to run, when the login role may not.
    """
    _check_server(conn)
    login = conn.info.user
    try:
        if await _is_bare(conn):
            async with alone(conn):
                await _make_roles(conn, {login, application_login})
                await conn.execute(
                    f"CREATE SCHEMA IF NOT EXISTS {SCHEMA} AUTHORIZATION {OWNER_ROLE}".encode()
                )
        await conn.execute(f"SET ROLE {OWNER_ROLE}".encode())
    except psycopg.errors.InsufficientPrivilege as error:
        by_hand = _BY_HAND.format(login=login)
        if application_login != login:
            by_hand += f"\n    GRANT {APPLICATION_ROLE} TO {application_login};"
        raise DatabaseUnavailable(
            f"The database lacks the roles or the schema that Countersign needs, and {login} may not make "
            f"them ({error.diag.message_primary}). Let its administrator run, in this database:\n{by_hand}"
        ) from error


def _check_server(conn: AsyncConnection[TupleRow]) -> None:
    if (major := conn.info.server_version // 10000) < OLDEST:
        raise DatabaseUnavailable(
            f"The database runs PostgreSQL {major}; Countersign needs {OLDEST} or newer."
        )
    if (encoding := conn.info.parameter_status("server_encoding")) != "UTF8":
        raise DatabaseUnavailable(
            f"The database stores text as {encoding}; Countersign needs one that was created with UTF8."
        )


async def _is_bare(conn: AsyncConnection[TupleRow]) -> bool:
    cursor = await conn.execute(
        "SELECT to_regnamespace(%s) IS NULL OR to_regrole(%s) IS NULL OR to_regrole(%s) IS NULL",
        (SCHEMA, OWNER_ROLE, APPLICATION_ROLE),
    )
    row = await cursor.fetchone()
    return row is None or bool(row[0])


async def _make_roles(conn: AsyncConnection[TupleRow], logins: set[str]) -> None:
    for role in (OWNER_ROLE, APPLICATION_ROLE):
        cursor = await conn.execute("SELECT to_regrole(%s) IS NULL", (role,))
        row = await cursor.fetchone()
        if row is not None and not row[0]:
            continue
        await conn.execute(f"CREATE ROLE {role} NOLOGIN".encode())
        for login in logins if role == APPLICATION_ROLE else {conn.info.user}:
            grant = sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(login))
            await conn.execute(grant)
