"""The people of the record: found by their subject, named by a pseudonym, forgotten by deleting their key."""

from collections.abc import Collection, Mapping
from typing import Any

from graphs.audit.vault import Someone, Vault, Wrapped
from graphs.ports import Connection


async def known(conn: Connection, vault: Vault, tenant: str, subjects: Collection[str]) -> dict[str, Someone]:
    """Return the people with these subjects, new ones too. The caller holds the end of the chain."""
    found = await _find(conn, vault, tenant, subjects)
    for subject in sorted(set(subjects) - found.keys()):
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
        "SELECT pseudonym, key_id, sealed FROM audit_subject WHERE pseudonym = ANY(%s)", (list(pseudonyms),)
    )
    return {row["pseudonym"]: _someone(vault, tenant, row) for row in await cursor.fetchall()}


async def _find(conn: Connection, vault: Vault, tenant: str, subjects: Collection[str]) -> dict[str, Someone]:
    handles = {handle: subject for subject in subjects for handle in vault.handles(tenant, subject)}
    cursor = await conn.execute(
        "SELECT handle, pseudonym, key_id, sealed FROM audit_subject WHERE handle = ANY(%s)", (list(handles),)
    )
    return {handles[row["handle"]]: _someone(vault, tenant, row) for row in await cursor.fetchall()}


def _someone(vault: Vault, tenant: str, row: Mapping[str, Any]) -> Someone:
    wrapped = Wrapped(pseudonym=row["pseudonym"], key_id=row["key_id"], sealed=bytes(row["sealed"]))
    return vault.unwrap(tenant, wrapped)
