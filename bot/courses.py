"""Where the plans of runs stand, read for the messages that say so."""

from bot.course import Course, states
from graphs import approvals, audit, recorded, unfinished
from graphs.ports import Connection
from graphs.records import Actor, Approval, ApprovalStatus, Run, RunStatus


async def of_run(conn: Connection, run: Run) -> Course | None:
    """Return how far the run's last plan has come; None where it has one step, or nothing of it has begun."""
    card = await approvals.latest(conn, run.id)
    approval = None if card is None else await approvals.load(conn, card)
    return None if approval is None else await _of(conn, approval, run.status)


async def of_card(conn: Connection, approval: Approval) -> Course | None:
    """Return how far a plan has come, as `of_run` does."""
    if len(approval.steps) == 1 or approval.status is not ApprovalStatus.APPROVED:
        return None
    cursor = await conn.execute("SELECT status FROM run WHERE id = %s", (approval.run,))
    row = await cursor.fetchone()
    return None if row is None else await _of(conn, approval, RunStatus(row["status"]))


async def card_of(conn: Connection, run: str) -> str | None:
    """Return the approved card of a run that says how far each step of its plan has come, if there is one."""
    cursor = await conn.execute(
        "SELECT id FROM approval WHERE run = %s AND status = 'approved'"
        " AND jsonb_path_exists(action, '$.steps[1]') ORDER BY round DESC LIMIT 1",
        (run,),
    )
    row = await cursor.fetchone()
    return None if row is None else str(row["id"])


async def _of(conn: Connection, approval: Approval, status: RunStatus) -> Course | None:
    if len(approval.steps) == 1 or approval.status is not ApprovalStatus.APPROVED:
        return None
    try:
        ledger = await recorded.ledger(conn, approval.id)
    except (audit.ChainBroken, audit.Locked):
        return None  # the run says that its record is not as it was written
    if not ledger.effects:
        return None
    known = states(approval, ledger)
    if status not in {RunStatus.REFUSED, RunStatus.FAILED}:
        return Course(approval=approval, states=known)
    stop = await audit.last(conn, approval.run, ("plan.stopped",), approval=approval.id)
    opened, closed = await unfinished.stand(conn, approval)
    who = None if closed is None else (closed.detail or {}).get("by")
    return Course(
        approval=approval,
        states=known,
        stopped=True,
        at="" if stop is None else str(stop.facts["step"]),
        owned=opened is not None and closed is None,
        looked_after=(Actor(**who), closed.at) if closed is not None and who else None,
    )
