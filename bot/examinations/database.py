"""What is needed of PostgreSQL: version, encoding, roles, schema, room to write, and a clock that agrees."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import cast

from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow, TupleRow, dict_row

from bot.examinations.patient import Patient, fine, wrong
from bot.serving import has_database
from bot.settings import Settings
from bot.storage import external
from bot.storage.cluster import APPLICATION_ROLE, OWNER_ROLE, DatabaseUnavailable
from bot.storage.embedded import Embedded
from bot.storage.migrations import SCHEMA, Plan, sources
from connectors.base import Finding

APART = 5.0  # seconds by which the clocks of two machines may differ before somebody should look
Connection = AsyncConnection[TupleRow]


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Connection]:
    """Open a connection that only looks: nothing is migrated. Raises DatabaseUnavailable."""
    async with _conninfo(settings) as conninfo, external.connection(conninfo, "") as conn:
        await conn.execute(f"SET search_path = {SCHEMA}".encode())
        await conn.execute("SELECT set_config('countersign.tenant', 'main', false)")
        yield conn


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[AsyncConnection[DictRow]]:
    """Open a connection of the application's role, as the bot has them. Raises DatabaseUnavailable."""
    async with _conninfo(settings) as login:
        conninfo = login if settings.database_url else make_conninfo(login, user=APPLICATION_ROLE)
        await external.require_sessions(conninfo)
        options = f"-c search_path={SCHEMA} -c timezone=UTC -c countersign.tenant=main"
        async with external.connection(external.application(conninfo, options), "") as conn:
            rows = cast("AsyncConnection[DictRow]", conn)
            rows.row_factory = dict_row
            yield rows


@asynccontextmanager
async def _conninfo(settings: Settings) -> AsyncIterator[str]:
    if settings.database_url is not None:
        yield external.parse(settings.database_url, "COUNTERSIGN_DATABASE_URL")
        return
    async with Embedded(settings.home) as owner:
        yield owner


async def examine(patient: Patient) -> Sequence[Finding]:
    """Ask the database as the bot does at its start, and change nothing."""
    settings = patient.settings
    if not has_database(settings):
        return [fine("database", "not yet made: the bot makes an embedded one at its first start")]
    found: list[Finding] = []
    async with connected(settings) as conn:
        found += [_version(conn), _encoding(conn), await _writable(conn), await _clock(conn)]
        found.append(await _roles(conn, settings))
        found.append(await _schema(conn))
    found.append(await _as_the_bot(settings))
    return [*found, *await _owner(settings)]


def _version(conn: Connection) -> Finding:
    major = conn.info.server_version // 10000
    if major < external.OLDEST:
        mend = (
            f"Use PostgreSQL {external.OLDEST} or newer, or the embedded one (no COUNTERSIGN_DATABASE_URL)."
        )
        return wrong("version", f"PostgreSQL {major}", mend)
    return fine("version", f"PostgreSQL {major}")


def _encoding(conn: Connection) -> Finding:
    encoding = conn.info.parameter_status("server_encoding") or "unknown"
    if encoding != "UTF8":
        return wrong("encoding", encoding, "Create the database anew: CREATE DATABASE … ENCODING 'UTF8'.")
    return fine("encoding", encoding)


async def _writable(conn: Connection) -> Finding:
    cursor = await conn.execute(
        "SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only')"
    )
    row = await cursor.fetchone()
    assert row is not None
    if row[0]:
        return wrong("writable", "it is a standby, which takes no changes", "Name the primary in the URL.")
    if row[1] == "on":
        mend = "ALTER DATABASE … RESET default_transaction_read_only, also for the role."
        return wrong("writable", "it is set to read only", mend)
    return fine("writable", "it takes changes")


async def _clock(conn: Connection) -> Finding:
    before = datetime.now(UTC)
    cursor = await conn.execute("SELECT clock_timestamp()")
    row = await cursor.fetchone()
    assert row is not None
    ours = before + (datetime.now(UTC) - before) / 2
    apart = (row[0] - ours).total_seconds()
    said = f"{abs(apart):.1f} s {'ahead of' if apart > 0 else 'behind'} this machine's"
    if abs(apart) > APART:
        return wrong(
            "clock", said, "Set both machines by NTP: approvals and ends go by the database's clock."
        )
    return fine("clock", said)


async def _roles(conn: Connection, settings: Settings) -> Finding:
    cursor = await conn.execute(
        "SELECT r, to_regrole(r) IS NOT NULL AND pg_has_role(r, 'MEMBER') FROM unnest(%s::text[]) AS r",
        ([OWNER_ROLE, APPLICATION_ROLE],),
    )
    rows = {str(row[0]): bool(row[1]) for row in await cursor.fetchall()}
    needed = [APPLICATION_ROLE] if settings.database_owner_url else list(rows)
    missing = [role for role in needed if not rows[role]]
    if settings.database_url is not None and missing and not await _may_make_roles(conn):
        mend = f"Let its administrator run: GRANT {', '.join(missing)} TO {conn.info.user}"
        return wrong("roles", f"{conn.info.user} cannot act as {', '.join(missing)}", mend)
    return fine("roles", f"{conn.info.user} can act as, or make, {' and '.join(needed)}")


async def _may_make_roles(conn: Connection) -> bool:
    cursor = await conn.execute("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
    row = await cursor.fetchone()
    return row is not None and bool(row[0])


async def _schema(conn: Connection) -> Finding:
    cursor = await conn.execute("SELECT to_regnamespace(%s) IS NOT NULL", (SCHEMA,))
    row = await cursor.fetchone()
    if row is None or not row[0]:
        return fine("schema", "not yet made: the bot makes it at its first start")
    try:
        done = await Plan(sources()).is_done(conn)
    except DatabaseUnavailable as error:
        return wrong("schema", str(error), "Start the release that fits this database.")
    said = "it fits this release" if done else "older than this release: the next start brings it up to date"
    return fine("schema", said)


async def _as_the_bot(settings: Settings) -> Finding:
    """Connect as the bot does, through whatever pooler is in between."""
    try:
        async with working(settings) as conn:
            cursor = await conn.execute("SELECT current_user::text AS name")
            row = await cursor.fetchone()
    except DatabaseUnavailable as error:
        if f'role "{APPLICATION_ROLE}" does not exist' in str(error):
            return fine("application role", "not yet made: the bot makes it at its first start")
        mend = (
            f"If it is about a pooler, set pool_mode = session; else GRANT {APPLICATION_ROLE} to the login."
        )
        return wrong("application role", str(error), mend)
    assert row is not None  # a SELECT without FROM has one row
    return fine("application role", f"the bot works as {row['name']}")


async def _owner(settings: Settings) -> Sequence[Finding]:
    if settings.database_url is None or settings.database_owner_url is None:
        return []
    conninfo = external.parse(settings.database_owner_url, "the owner's database URL")
    try:
        async with external.connection(conninfo, ""):
            user = conninfo_to_dict(conninfo).get("user")
            return [fine("owner", f"{user} is let in, to bring the schema up to date")]
    except DatabaseUnavailable as error:
        return [wrong("owner", str(error), "Correct COUNTERSIGN_DATABASE_OWNER_URL.")]
