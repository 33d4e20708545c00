"""What the workflows that lend a membership plan."""

from datetime import timedelta

from connectors.directory import AddToGroup, Membership
from connectors.errors import NotFound
from graphs.admission import Refused
from graphs.engine.workflow import RunContext
from graphs.plans import Approvers, Deadlines, Plan, step
from graphs.records import Shown
from graphs.sections import ClauseRef


async def membership(
    run: RunContext,
    *,
    group: str,
    lasts: timedelta,
    words: str,
    approvers: Approvers,
    clause: ClauseRef,
    deadlines: Deadlines,
) -> Plan:
    """Return the plan that makes whoever asks a member of a group for a time. Raises Refused."""
    person = await run.requester()
    ids = await run.group_ids(group)
    data = Membership(group=group, group_id=ids[group], person=person.id)
    grant = step("grant", AddToGroup, data, lasts=lasts)
    try:
        change = await run.preview(grant)
    except NotFound as error:
        raise Refused("group_gone", group=group) from error
    if not change.needed:
        raise Refused("already_member", group=group)
    return Plan(
        steps=(grant,),
        approvers=approvers,
        clause=(clause.document, clause.anchor),
        beneficiary=person,
        lines=(
            Shown(label="Person", value=f"{person.name} ({person.email})"),
            Shown(label="Access to", value=group),
            Shown(label="For", value=f"{words}, then it ends by itself"),
        ),
        reason=run.asked["reason"],
        deadlines=deadlines,
        then="granted",
    )
