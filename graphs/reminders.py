"""What is said about an approval that waits, before its time is over: a reminder, then who else may decide.

Each is a time on the approval's row, taken by one compare-and-set in the transaction that has it posted.
"""

from graphs import approvals, audit
from graphs.ports import Connection, Notifier
from graphs.records import Approval


async def due(conn: Connection, notifier: Notifier, card: str) -> None:
    """Say, in the caller's transaction, what has become due about the approval; nothing is said twice.

    Where both have become due, because nothing worked for a while, the escalation says it all.
    """
    if await _take(conn, card, "escalated_at", "escalate_at"):
        await _take(conn, card, "reminded_at", "remind_at")
        approval = await _load(conn, card)
        assert approval.escalation is not None
        await notifier.card(conn, card)
        await notifier.beside_card(conn, card, "escalated")
        facts = {"approval": card, "groups": ", ".join(approval.escalation.groups)}
        await audit.append(conn, "approval.escalated", run=approval.run, facts=facts, detail={})
    elif await _take(conn, card, "reminded_at", "remind_at"):
        approval = await _load(conn, card)
        await notifier.beside_card(conn, card, "reminder")
        await audit.append(conn, "approval.reminded", run=approval.run, facts={"approval": card}, detail={})


async def _take(conn: Connection, card: str, done: str, when: str) -> bool:
    cursor = await conn.execute(
        f"UPDATE approval SET {done} = moment() WHERE id = %s AND status = 'pending' AND {done} IS NULL"
        f" AND {when} <= moment() AND decide_by > moment()".encode(),
        (card,),
    )
    return cursor.rowcount == 1


async def _load(conn: Connection, card: str) -> Approval:
    approval = await approvals.load(conn, card)
    assert approval is not None
    return approval
