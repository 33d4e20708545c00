"""The end of the chain, of which there is one for each tenant: whoever writes to it holds it until commit."""

from graphs.ports import Connection

HOLD = (
    "current_setting('countersign.tenant') AS tenant,"
    " pg_advisory_xact_lock(hashtext('audit ' || current_setting('countersign.tenant'))) AS held"
)


async def hold(conn: Connection) -> str:
    """Keep everybody else from writing to the record until this transaction ends. Returns the tenant."""
    cursor = await conn.execute(f"SELECT {HOLD}")
    row = await cursor.fetchone()
    assert row is not None
    return str(row["tenant"])


async def tenant(conn: Connection) -> str:
    """Return whose record this connection reads and writes."""
    cursor = await conn.execute("SELECT current_setting('countersign.tenant') AS tenant")
    row = await cursor.fetchone()
    assert row is not None
    return str(row["tenant"])
