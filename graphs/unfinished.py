"""Plans that ended in the middle: what stands although nobody approved that it stays, and whose that is.

Two events of the record say so, and no row: `plan.unfinished`, and `plan.looked_after`, by somebody who may
say what became of it.
"""

from dataclasses import asdict

from connectors.directory import Person
from graphs import approvals, audit, rights
from graphs.audit import Event
from graphs.kit import Kit
from graphs.policy import views
from graphs.policy.engine import OWN
from graphs.ports import Connection, Notifier
from graphs.recorded import Ledger
from graphs.records import Answered, Approval, PlanStep

OPENED, CLOSED = "plan.unfinished", "plan.looked_after"


def left(approval: Approval, ledger: Ledger) -> list[PlanStep]:
    """Return the steps that stand, or look as if they did not, although they were to be taken back."""
    return [step for step in approval.steps if _is_left(step, ledger)]


def _is_left(step: PlanStep, ledger: Ledger) -> bool:
    done, undo = ledger.effects.get((step.name, "apply")), ledger.effects.get((step.name, "undo"))
    if done is None or done.state != "done":
        return False
    if undo is not None and undo.state == "done":
        return ledger.seen.get(undo.id) == "differs"
    return step.undo != "leave" or ledger.seen.get(done.id) == "differs"


async def stopped(conn: Connection, notifier: Notifier, approval: Approval, ledger: Ledger) -> None:
    """Tell those who approved a plan, beside its card, that it stopped; what is left is theirs. Said once."""
    steps = left(approval, ledger)
    await notifier.beside_card(conn, approval.id, "unfinished" if steps else "stopped")
    if steps and await audit.last(conn, approval.run, (OPENED,), approval=approval.id) is None:
        facts = {"approval": approval.id, "steps": ", ".join(step.name for step in steps)}
        await audit.append(conn, OPENED, run=approval.run, facts=facts, detail={})


async def stand(conn: Connection, approval: Approval) -> tuple[Event | None, Event | None]:
    """Return what opened the case of a plan that ended in the middle, and what closed it."""
    opened = await audit.last(conn, approval.run, (OPENED,), approval=approval.id)
    return opened, await audit.last(conn, approval.run, (CLOSED,), approval=approval.id)


async def waiting(conn: Connection) -> list[Event]:
    """Return what opened the cases that nobody has closed, the oldest first. Raises as `audit.last` does."""
    events = await audit.standing(conn, (OPENED, CLOSED))
    closed = {event.facts["approval"] for event in events if event.kind == CLOSED}
    return [event for event in events if event.kind == OPENED and event.facts["approval"] not in closed]


async def look_after(kit: Kit, card: str, *, by: Person) -> Answered:
    """Take a click that says that what was left of a plan has been looked after. One click alone counts.

    Whoever may say what became of an action that was cut off may say this. `by` is the person as the
    directory has them at this moment. Raises the directory's errors.
    """
    async with kit.pool.connection() as conn:
        approval = await approvals.load(conn, card)
    if approval is None:
        return Answered.NO_SUCH_CARD
    people = await rights.read(kit.directory, {by.subject, *rights.concerned(approval)}, within=rights.CLICK)
    by = people[by.subject] or rights.gone(by)
    actor = approvals.actor(by)
    async with kit.pool.connection() as conn:
        await conn.execute("SELECT FROM approval WHERE id = %s FOR UPDATE", (card,))
        opened, closed = await stand(conn, approval)
        if opened is None:
            return Answered.NO_SUCH_CARD
        ruling = kit.policy.rule("resolve", by, views.approval(approval, people))
        facts = {"approval": card, **ruling.facts}
        if not ruling.allowed:
            detail = {"by": asdict(actor), "verdict": "look after what is left"}
            await audit.append(conn, "approval.refused_click", run=approval.run, facts=facts, detail=detail)
            if ruling.fault:
                return Answered.NOT_CHECKED
            return Answered.OWN_REQUEST if OWN in ruling.policies else Answered.NOT_ALLOWED
        if closed is not None:
            return Answered.ALREADY_DECIDED
        await kit.notifier.card(conn, card)
        await kit.notifier.progress(conn, approval.run)
        await audit.append(conn, CLOSED, run=approval.run, facts=facts, detail={"by": asdict(actor)})
    return Answered.RECORDED
