"""The people of the record: found by their subject, named by a pseudonym, forgotten by deleting their key."""

from collections.abc import Collection, Mapping
from typing import Any

from graphs.audit.vault import Someone, Vault, Wrapped
from graphs.ports import Connection

_ONE = (
    "SELECT jsonb_build_object('handle', handle, 'pseudonym', pseudonym, 'key_id', key_id,"
    " 'sealed', encode(sealed, 'hex')) FROM audit_subject"
)
KNOWN = f"{_ONE} WHERE handle = ANY(%(handles)s)"  # by their handles, each as one value
OWNERS = (  # of what stands beside an `event`, likewise
    f"{_ONE} WHERE pseudonym IN (SELECT unnest(owners) FROM audit_part WHERE audit_part.seq = event.seq)"
)


async def known(conn: Connection, vault: Vault, tenant: str, subjects: Collection[str]) -> dict[str, Someone]:
    """Return the people with these subjects, new ones too. The caller holds the end of the chain."""
    found = await _find(conn, vault, tenant, subjects)
    return found | await welcome(conn, vault, tenant, set(subjects) - found.keys())


async def welcome(
    conn: Connection, vault: Vault, tenant: str, subjects: Collection[str]
) -> dict[str, Someone]:
    """Give everybody of these a pseudonym and a key. The caller holds the end of the chain."""
    found = {}
    for subject in sorted(subjects):
        someone, wrapped = vault.fresh(tenant)
        await conn.execute(
            "INSERT INTO audit_subject (pseudonym, handle, key_id, sealed) VALUES (%s, %s, %s, %s)",
            (wrapped.pseudonym, vault.handles(tenant, subject)[0], wrapped.key_id, wrapped.sealed),
        )
        found[subject] = someone
    return found


async def pseudonym(conn: Connection, vault: Vault, tenant: str, subject: str) -> str | None:
    """Return how the record names a person. None where it does not know them, or no longer."""
    found = await _find(conn, vault, tenant, [subject])
    return found[subject].pseudonym if found else None


async def keys(
    conn: Connection, vault: Vault, tenant: str, pseudonyms: Collection[str]
) -> Mapping[str, Someone]:
    """Return the people with these pseudonyms who have not been forgotten."""
    cursor = await conn.execute(
        "SELECT pseudonym, key_id, encode(sealed, 'hex') AS sealed FROM audit_subject"
        " WHERE pseudonym = ANY(%s)",
        (list(pseudonyms),),
    )
    return {row["pseudonym"]: someone(vault, tenant, row) for row in await cursor.fetchall()}


def handles(vault: Vault, tenant: str, subjects: Collection[str]) -> dict[str, str]:
    """Return under what these people may be found, each with its subject."""
    return {handle: subject for subject in subjects for handle in vault.handles(tenant, subject)}


def someone(vault: Vault, tenant: str, row: Mapping[str, Any]) -> Someone:
    """Return a person with their key. Raises Locked."""
    wrapped = Wrapped(pseudonym=row["pseudonym"], key_id=row["key_id"], sealed=bytes.fromhex(row["sealed"]))
    return vault.unwrap(tenant, wrapped)


async def _find(conn: Connection, vault: Vault, tenant: str, subjects: Collection[str]) -> dict[str, Someone]:
    wanted = handles(vault, tenant, subjects)
    cursor = await conn.execute(f"SELECT found FROM ({KNOWN}) AS known (found)", {"handles": list(wanted)})
    rows = [row["found"] for row in await cursor.fetchall()]
    return {wanted[row["handle"]]: someone(vault, tenant, row) for row in rows}
