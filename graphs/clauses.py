"""Approvals that wait on a clause which a new edition changed: they count no more, and the runs ask again.

However many wait, the evidence is read once for each clause. One that is approved already is caught when it
is carried out: its digest names the clause.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from graphs import audit
from graphs.kit import Kit
from graphs.ports import ClauseMissing, ClauseUnreadable

BATCH = 100  # approvals in one transaction, which holds the end of the record


@dataclass(frozen=True, kw_only=True, slots=True)
class _Clause:
    document: str
    anchor: str
    hash: str


async def sweep(kit: Kit) -> int:
    """Look whether the clauses of all waiting approvals still read the same; return how many do not."""
    try:
        edition = await kit.evidence.edition()
    except ClauseMissing:  # nothing serves at the moment: nothing is planned or carried out either
        return 0
    void = 0
    for clause in await _waiting(kit, edition):
        try:
            same = await _stands(kit, clause)
        except ClauseUnreadable:  # that it has changed is not known, and nobody is told so
            continue
        if same:
            await _seen(kit, clause, edition)
        else:
            while count := await _void(kit, clause, edition):
                void += count
    return void


async def _waiting(kit: Kit, edition: str) -> list[_Clause]:
    """Return the clauses on which somebody waits and which this edition has not been asked for."""
    async with kit.pool.connection() as conn:
        cursor = await conn.execute(
            "SELECT DISTINCT clause_document AS document, clause_anchor AS anchor, clause_hash AS hash"
            f" FROM approval WHERE {_UNSEEN}",
            {"edition": edition},
        )
        return [_Clause(**row) for row in await cursor.fetchall()]


async def _stands(kit: Kit, clause: _Clause) -> bool:
    try:
        return (await kit.evidence.clause(clause.document, clause.anchor)).hash == clause.hash
    except ClauseUnreadable:
        raise
    except ClauseMissing:
        return False


async def _seen(kit: Kit, clause: _Clause, edition: str) -> None:
    async with kit.pool.connection() as conn:
        await conn.execute(
            f"UPDATE approval SET clause_seen = %(edition)s WHERE {_UNSEEN} AND {_RESTS_ON}",
            _named(clause, edition),
        )


async def _void(kit: Kit, clause: _Clause, edition: str) -> int:
    async with kit.pool.connection() as conn:
        cursor = await conn.execute(
            "UPDATE approval SET status = 'void', void = %(why)s WHERE (tenant, id) IN"
            f" (SELECT tenant, id FROM approval WHERE {_UNSEEN} AND {_RESTS_ON}"
            " LIMIT %(most)s FOR UPDATE SKIP LOCKED) RETURNING id, run, digest",
            {**_named(clause, edition), "most": BATCH, "why": Jsonb({"key": "clause", "facts": {}})},
        )
        rows = await cursor.fetchall()
        for row in rows:
            await kit.queue.advance(conn, row["run"])
            await kit.notifier.card(conn, row["id"])
        for row in rows:
            await audit.append(
                conn,
                "approval.void",
                run=row["run"],
                facts={
                    "approval": row["id"],
                    "digest": row["digest"],
                    "reason": "clause",
                    "edition": edition,
                },
                detail={},
            )
    return len(rows)


def _named(clause: _Clause, edition: str) -> Mapping[str, Any]:
    return {
        "document": clause.document,
        "anchor": clause.anchor,
        "hash": clause.hash,
        "edition": edition,
    }


# two ranges, so that the index on what was seen answers at once when there is nothing to do
_UNSEEN = "status = 'pending' AND (clause_seen < %(edition)s OR clause_seen > %(edition)s)"
_RESTS_ON = "clause_document = %(document)s AND clause_anchor = %(anchor)s AND clause_hash = %(hash)s"
