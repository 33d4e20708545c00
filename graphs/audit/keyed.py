"""Which events of the record are ours: each carries an HMAC by a key that the database does not hold.

An event without one that holds is *foreign*: somebody else wrote it, with the database's password or more. It
counts nowhere, and it takes nobody's place: our own events are chained to each other around it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from graphs.audit import head
from graphs.audit.events import GENESIS
from graphs.audit.vault import Vault, book_of, vault_of
from graphs.ports import Connection

MAC = (  # of an `event`, as a column of a query over it
    "coalesce(event.mac, (SELECT adopted.mac FROM audit_adopted AS adopted"
    " WHERE (adopted.tenant, adopted.seq) = (event.tenant, event.seq))) AS mac"
)
_PURPOSE = "event"
_PORTION = 1_000  # events

Row = Mapping[str, Any]  # with tenant, seq, hash and mac


def mac(vault: Vault, tenant: str, seq: int, digest: str) -> str:
    """Return the HMAC of an event, at its place in one record."""
    return vault.mac(_PURPOSE, f"{tenant}\0{seq}\0{digest}")


def is_whole(body: str, digest: str) -> bool:
    """Whether the body of an event has its hash."""
    return hashlib.sha256(body.encode()).hexdigest() == digest


async def own(conn: Connection, rows: Sequence[Row]) -> list[bool]:
    """Say of each event whether we wrote it. That its body has its hash is for whoever reads the body."""
    book = book_of(conn)
    await book.learn({row["mac"].partition(":")[0] for row in rows if row["mac"]})
    vault = book.vault
    return [
        vault.is_ours(_PURPOSE, f"{row['tenant']}\0{row['seq']}\0{row['hash']}", row["mac"]) for row in rows
    ]


async def adopt(conn: Connection) -> int:
    """Give HMACs to the events that an earlier release wrote without, once. Returns how many those are.

    Only what was there when the database was brought up to date is taken over, as far as it is one chain, and
    only before this record has an event of ours: nobody can add "old" events later.
    """
    tenant = await head.hold(conn)
    through = await _before_keys(conn)
    if not through or await _is_begun(conn):
        return 0
    last, count = (0, GENESIS), 0
    while last[0] < through:
        cursor = await conn.execute(
            "SELECT seq, hash, body FROM audit_event WHERE seq > %s AND seq <= %s ORDER BY seq LIMIT %s",
            (last[0], through, _PORTION),
        )
        rows = await cursor.fetchall()
        chained = _chained(rows, last)
        async with conn.cursor() as inserting:
            await inserting.executemany(
                "INSERT INTO audit_adopted (seq, mac) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                [(row["seq"], mac(vault_of(conn), tenant, row["seq"], row["hash"])) for row in chained],
            )
        count += len(chained)
        if not rows or len(chained) < len(rows):  # what follows a break is nobody's
            break
        last = chained[-1]["seq"], chained[-1]["hash"]
    return count


async def _before_keys(conn: Connection) -> int:
    """Return the last event that was written before events had HMACs: only the owner's role can say so."""
    cursor = await conn.execute(
        "SELECT greatest((SELECT max(through) FROM audit_before_keys),"
        " (SELECT max(seq) FROM audit_detail)) AS through"
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row["through"] or 0)


async def _is_begun(conn: Connection) -> bool:
    """Whether an event of ours is there, or old ones have been taken over."""
    after = 0
    while True:
        cursor = await conn.execute(
            f"SELECT tenant, seq, hash, {MAC} FROM audit_event AS event WHERE seq > %s ORDER BY seq LIMIT %s",
            (after, _PORTION),
        )
        rows = await cursor.fetchall()
        if not rows:
            return False
        if any(await own(conn, rows)):
            return True
        after = rows[-1]["seq"]


def _chained(rows: Sequence[Row], last: tuple[int, str]) -> list[Row]:
    """Return the events from the first on that follow each other as they were written."""
    found = []
    for row in rows:
        if not _follows(row, last):
            break
        last = row["seq"], row["hash"]
        found.append(row)
    return found


def _follows(row: Row, last: tuple[int, str]) -> bool:
    try:
        said = json.loads(row["body"])
        place = said["seq"], said["previous"]
    except (ValueError, KeyError, TypeError):
        return False
    whole = is_whole(row["body"], row["hash"])
    return whole and row["seq"] == last[0] + 1 and place == (row["seq"], last[1])
