"""Taking an approver's change of a request: only who could approve it may change it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace

from graphs import approvals, audit, cases, edits, forms, quorum, rights, votes
from graphs.admission import Refused
from graphs.kit import Kit
from graphs.policy import views
from graphs.policy.views import People
from graphs.ports import Connection
from graphs.records import Actor, Answered, Approval, ApprovalStatus, Field, Run, Void
from graphs.rights import Right

Editable = Callable[[str], tuple[Field, ...]]  # of a workflow


async def changeable(
    kit: Kit, card: str, held: Sequence[Right], people: People, editable: Editable
) -> Answered | tuple[tuple[Field, ...], Mapping[str, str]]:
    """Return the fields that whoever has these rights may change, and what is asked for; or why not."""
    found = await _open(kit, card, held, people)
    if isinstance(found, Answered):
        return found
    approval, run = found
    return editable(approval.workflow), run.values


async def edit(
    kit: Kit,
    card: str,
    values: Mapping[str, str],
    held: Sequence[Right],
    people: People,
    *,
    editable: Editable,
) -> tuple[Answered, Mapping[str, str]]:
    """Change what is asked for, and have it planned anew. Returns also what is wrong, by field."""
    found = await _open(kit, card, held, people)
    if isinstance(found, Answered):
        return found, {}
    approval, run = found
    fields = editable(approval.workflow)
    given = {field.name: values[field.name].strip() for field in fields if field.name in values}
    problems = forms.examine([field for field in fields if field.name in given], given)
    before, after = forms.canonical(fields, run.values), forms.canonical(fields, given)
    change = edits.of(fields, before, after, card=card, by=approvals.actor(held[0].by))
    if problems or change is None:
        return Answered.NOT_CHANGED, problems
    if not change.narrows and not await _can_do_without(kit, approval, change.author, people):
        return Answered.TOO_FEW_LEFT, {}
    return await _record(kit, approval, change, change.words(fields)), {}


async def _open(
    kit: Kit, card: str, held: Sequence[Right], people: People
) -> Answered | tuple[Approval, Run]:
    async with kit.pool.connection() as conn:
        approval = await approvals.load(conn, card)
        if approval is None:
            return Answered.NO_SUCH_CARD
        objection = await _objection(kit, conn, approval, held, people)
        if objection is not None:
            return objection
        return approval, (await cases.load(conn, approval.run, kit.titles)).run


async def _objection(
    kit: Kit, conn: Connection, approval: Approval, held: Sequence[Right], people: People
) -> Answered | None:
    now = await kit.clock.now(conn)
    _, ruling = await rights.choose(conn, kit.policy, approval, held, people, at=now)
    if not (ruling.allowed and approval.intact):
        return await votes.refuse(conn, approval, ruling, held[0].by, "edit")
    if approval.status is not ApprovalStatus.PENDING:
        return votes.answer(approval)
    return Answered.NOT_CHANGED if approval.confirmed else None  # nobody writes what one confirms alone


async def _can_do_without(kit: Kit, approval: Approval, author: Actor, people: People) -> bool:
    """Whether enough could approve it if `author` may not."""
    without = replace(approval, authors=(*approval.authors, author))
    try:
        await quorum.require(
            kit.directory,
            kit.policy,
            views.steps(without, people),
            groups=approval.approvers.values(),
            quorum=approval.quorum,
        )
    except Refused:
        return False
    return True


async def _record(kit: Kit, approval: Approval, edit: edits.Edit, words: str) -> Answered:
    key = "narrowed" if edit.narrows else "edited"
    why = Void(key=key, facts={"by": edit.author.name, "changes": words})
    async with kit.pool.connection() as conn:
        if not await approvals.withdraw(conn, approval.id, why):
            return await votes.too_late(kit, conn, approval.id)
        await edits.record(conn, edit, approval.run)
        await kit.queue.advance(conn, approval.run)
        await kit.notifier.card(conn, approval.id)
        await kit.notifier.progress(conn, approval.run)
        await audit.append(
            conn,
            "approval.void",
            run=approval.run,
            facts={"approval": approval.id, "digest": approval.digest, "reason": key},
            detail={
                "by": asdict(edit.author),
                "before": dict(edit.before),
                "after": dict(edit.after),
            },
        )
    return Answered.RECORDED
