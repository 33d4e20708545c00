"""The approval card: what would be done, for whom, under which clause, and who has decided."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

from bot import differences
from bot.blocks import parts, plan, policy, progress, reason, request
from bot.blocks.parts import Block, Message, View
from bot.course import Course
from bot.render import Markup, bold, date, exact, join, line, mention, ours, pieces, quoted, size, web_address
from bot.render import link as linked
from graphs.admission import FINISH_WITHIN
from graphs.records import Actor, Approval, ApprovalStatus, Clause, Field, Party, PlanStep, Verdict, Vote

APPROVE = "approval.approve"
DENY = "approval.deny"
CLAUSE = "approval.clause"
DENIAL = "approval.denial"
EDIT = "approval.edit"
CHANGE = "approval.change"

WHOLE = 9000  # characters of parameters that a card can show
QUOTE = 700
AROUND = 4  # words of a changed clause that are shown before what differs
COMPARED = 500  # words, from the first that differs: comparing takes the square of that
DIFFERENCES = 8  # that a card shows
SEVERAL = 10  # votes that a card shows

TITLES: Mapping[ApprovalStatus, str] = {
    ApprovalStatus.PENDING: "Approval needed",
    ApprovalStatus.APPROVED: "Approved",
    ApprovalStatus.DENIED: "Denied",
    ApprovalStatus.EXPIRED: "Expired",
    ApprovalStatus.VOID: "Replaced",
}


_ALONE: Mapping[ApprovalStatus, str] = {
    ApprovalStatus.PENDING: "Please confirm",
    ApprovalStatus.APPROVED: "Confirmed",
}


def card(
    approval: Approval,
    *,
    users: Mapping[str, str],
    editable: bool = False,
    course: Course | None = None,
) -> Message:
    """Draw the card as the record now stands. `users` maps subjects to their Slack user ids.

    `editable`: approvers may change some of what is asked for. `course`: how far its plan has come.
    """
    title = f"{_title(approval)}: {approval.title}"
    states = {} if course is None else course.words
    body = [*_told(approval, course), *_body(approval, users, states), *_end(approval, users, editable)]
    return parts.message(_summary(approval), [parts.header(title), *body])


def change(approval: str, fields: Sequence[Field], values: Mapping[str, str]) -> View:
    """Draw the window in which an approver changes what is asked for."""
    view = request.form("Change the request", fields, values, metadata=approval, callback=CHANGE)
    told = ours(
        "If you only take away, such as days, this is your approval of what is left. After any other change "
        "somebody else has to approve it."
    )
    return {**view, "blocks": [parts.section(told), *view["blocks"]]}


def denial(approval: str) -> View:
    """Draw the window that asks for the reason of a denial."""
    return reason.window(
        "Deny the request",
        "Why is it denied?",
        hint="The requester will read this.",
        submit="Deny",
        callback=DENIAL,
        record=approval,
    )


def _title(approval: Approval) -> str:
    if approval.void is not None and approval.void.key == "withdrawn":
        return "Withdrawn"
    return (_ALONE if approval.confirmed else TITLES).get(approval.status, TITLES[approval.status])


def _summary(approval: Approval) -> str:
    words = _title(approval)
    said = f"{words}: {line(approval.title, 300)}, requested by {line(approval.requester.name, 200)}"
    warned = plan.warnings(approval.steps) if approval.status is ApprovalStatus.PENDING else ""
    return f"{said}. {warned}" if warned else said


def _told(approval: Approval, course: Course | None) -> Iterator[Block]:
    """Say first what an approver must not miss."""
    if approval.void is not None:
        why = differences.void(approval.void.key, approval.void.facts)
        again = (
            "" if approval.void.key == "withdrawn" else " This card counts no more; a newer one asks again."
        )
        yield parts.section(join(why, ours(again)))
    if approval.replaces and approval.status is ApprovalStatus.PENDING:
        yield from _differences(approval)
    if course is not None and course.stopped:
        left = " Please look after what was not taken back." if course.unfinished else ""
        yield parts.section(join(bold(ours("This plan stopped.")), ours(" "), course.stand, ours(left)))
    count = len(approval.steps)
    steps = ours("") if count == 1 else bold(ours(f"{count} steps under one approval, in this order."))
    warned = plan.warnings(approval.steps)
    if steps or warned:
        yield parts.section(join(*filter(None, (steps, bold(warned) if warned else ours(""))), by="\n"))


def _body(approval: Approval, users: Mapping[str, str], states: Mapping[str, Markup]) -> Iterator[Block]:
    yield from _people(approval, users)
    yield from _parameters(approval, states)
    yield from _reason(approval)
    yield from _clause(approval)


def _people(approval: Approval, users: Mapping[str, str]) -> Iterator[Block]:
    shown = [join(bold(ours("Requested by")), ours("\n"), person(approval.requester, users))]
    gets = approval.beneficiary
    if isinstance(gets, Actor) and gets.subject == approval.requester.subject:
        shown.append(join(bold(ours("For")), ours("\nthemselves")))
    elif gets is None:
        shown.append(join(bold(ours("For")), ours("\nnobody in particular")))
    else:
        shown.append(join(bold(ours("For")), ours("\n"), beneficiary(gets, users)))
    yield parts.fields(shown)


def _parameters(approval: Approval, states: Mapping[str, Markup]) -> Iterator[Block]:
    asked = "\n".join(exact(f"{one.label}: {one.value}") for one in approval.lines)
    heading = join(bold(ours("What is asked for")), ours("\n"))
    for piece in pieces(asked[:WHOLE], plan.PIECE):
        yield parts.section(join(heading, piece))
        heading = ours("")
    if len(approval.steps) > 1:
        for text in plan.sections(approval.steps, states, room=WHOLE):
            yield parts.section(text)
        return
    for step in approval.steps:
        yield from _headed("What changes (before → after)", _changed(step))
        yield from _headed("Exactly what is sent", _sent(step))


def _changed(step: PlanStep) -> list[Markup]:
    lasts = [] if step.lasts is None else [ours(f"{plan.ends(step.lasts)}.")]
    return [*plan.change(step), *lasts]


def _sent(step: PlanStep) -> list[Markup]:
    return [plan.operation(step), *plan.sent(step, (step,))]


def _headed(label: str, lines: Sequence[Markup]) -> Iterator[Block]:
    """Yield all of the lines, up to what a card can show."""
    for text in plan.packed([bold(ours(label)), *plan.cut(lines, WHOLE)]):
        yield parts.section(text)


def fits(approval: Approval) -> bool:
    """Whether the card shows every parameter whole; one that does not cannot be approved on it."""
    asked = sum(len(exact(one.label + one.value)) + 3 for one in approval.lines)
    if len(approval.steps) > 1:
        return max(asked, plan.whole(approval.steps)) <= WHOLE
    shown = (lines for step in approval.steps for lines in (_changed(step), _sent(step)))
    return max(asked, *(sum(size(one) + 1 for one in lines) for lines in shown)) < WHOLE


def _reason(approval: Approval) -> Iterator[Block]:
    if approval.reason:
        yield parts.section(join(bold(ours("Their reason")), ours("\n"), quoted(approval.reason, 1200)))


def _clause(approval: Approval) -> Iterator[Block]:
    clause = approval.clause
    source = join(bold(ours("The policy that governs it:")), ours(" "), name(clause))
    show = parts.button("Show all of it", action=CLAUSE, value=approval.id, label="Show the policy section")
    yield parts.section(join(source, ours("\n"), quoted(policy.opening(clause.text), QUOTE)), accessory=show)


def name(clause: Clause) -> Markup:
    """Name the clause, as a link where its document has an address."""
    label = f"{clause.title}, {clause.section}"
    return linked(clause.url, " ".join(label.split())) if web_address(clause.url) else line(label, 300)


def _differences(approval: Approval) -> Iterator[Block]:
    heading = ours("*This card replaces an earlier one.*")
    why = approval.replaced
    said = ours("") if why is None else join(ours(" "), differences.void(why.key, why.facts))
    yield parts.section(join(heading, said, ours(" It needs a new decision.")))
    for difference in approval.differences[:DIFFERENCES]:
        if difference.name == "clause" and approval.clause_before:
            yield from _reworded(approval.clause_before, approval.clause.text)
        else:
            label = differences.difference(difference.name, approval.steps)
            text = f"{label}: {exact(difference.before)} → {exact(difference.after)}"
            yield parts.section(line(text, 600))
    if (more := len(approval.differences) - DIFFERENCES) > 0:
        yield parts.section(ours(f"… and {more} more difference{'' if more == 1 else 's'}."))


def _reworded(before: str, after: str) -> Iterator[Block]:
    """Say in which words the clause differs, those around them left out."""
    old, new = before.split(), after.split()
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False))
    start = sum(1 for _ in alike)
    lead, old, new = new[:start], old[start:][:COMPARED], new[start:][:COMPARED]
    changes = []
    for kind, a, b, c, d in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if kind != "equal":
            around = " ".join([*lead, *new[:c]][-AROUND:])
            said = f"{around} [{' '.join(old[a:b]) or 'nothing'} → {' '.join(new[c:d]) or 'nothing'}]"
            changes.append(join(ours("• "), line(said, 500)))
    heading = bold(ours("The policy section says something else"))
    yield parts.section(join(heading, *changes[:5], by="\n"))


def _end(approval: Approval, users: Mapping[str, str], editable: bool) -> Iterator[Block]:
    yield from _votes(approval, users)
    if approval.status is ApprovalStatus.EXPIRED:
        late = "You did not confirm it before " if approval.confirmed else "Too few decided before "
        text = join(ours(late), date(approval.decide_by), ours(". Nothing was done."))
        yield parts.section(text)
    elif approval.status is ApprovalStatus.PENDING:
        yield from _asked(approval, editable)
    yield parts.context(
        line(f"Content {approval.digest[:12]} · policy edition {approval.clause.edition}", 300)
    )


def _votes(approval: Approval, users: Mapping[str, str]) -> Iterator[Block]:
    """Say who decided what, and when."""
    shown = [voted(vote, users, alone=approval.confirmed) for vote in approval.votes[:SEVERAL]]
    if shown:
        yield parts.section(join(*shown, by="\n"))
    if approval.denial is not None and approval.denial.reason:
        yield parts.section(quoted(approval.denial.reason, 1200))


def voted(vote: Vote, users: Mapping[str, str], *, alone: bool = False) -> Markup:
    """Say what one person said, for whom, and when."""
    said = "Confirmed by " if alone else "Approved by "
    verb = ours(said if vote.verdict is Verdict.APPROVE else "Denied by ")
    held = vote.stands_for
    holder = ours("") if held is None else join(ours(" for "), person(held, users))
    return join(verb, person(vote.by, users), holder, ours(", "), date(vote.at))


def _later(approval: Approval) -> Iterator[Markup]:
    """Say from when on a second group may decide, and which."""
    if approval.escalation is not None:
        groups = line(", ".join(approval.escalation.groups), 300)
        yield join(ours("From "), date(approval.escalation.at), ours(" also members of "), groups)


def _window(approval: Approval) -> Markup:
    """Say by when it is done, or not at all."""
    minutes = max(1, approval.execute_within // 60)
    if len(approval.steps) == 1:
        word = "confirmation" if approval.confirmed else "approval"
        return ours(f"Carried out within {minutes} min of the {word}, or not at all")
    hours = max(approval.execute_within, int(FINISH_WITHIN.total_seconds())) // 3600
    number = next((at for at, step in enumerate(approval.steps, start=1) if step.undo == "pivot"), None)
    unless = "" if number is None else f", unless step {number} is done by then"
    return ours(
        f"Begun within {minutes} min of the approval, or not at all; stopped if it is not finished {hours} h"
        f" after it{unless}"
    )


def _asked(approval: Approval, editable: bool) -> Iterator[Block]:
    by = join(ours("Confirm by " if approval.confirmed else "Decide by "), date(approval.decide_by))
    yield parts.context(*_who(approval), by, _window(approval))
    deny = parts.button("Deny", action=DENY, value=approval.id, style="danger")
    if approval.confirmed:
        deny = progress.withdraw(approval.run)
    label = "Confirm" if approval.confirmed else "Approve"
    approve = parts.button(label, action=APPROVE, value=approval.id, style="primary")
    if fits(approval):
        edit = parts.button("Approve with changes…", action=EDIT, value=approval.id)
        yield parts.actions(
            "approval", [approve, *([edit] if editable and not approval.confirmed else []), deny]
        )
        return
    left = "withdrawn" if approval.confirmed else "denied"
    yield parts.section(ours(f"This request is too long to be shown whole, so it can only be {left}."))
    yield parts.actions("approval", [deny])


def _who(approval: Approval) -> Iterator[Markup]:
    """Say who may decide, and how many have to."""
    if approval.confirmed:
        yield ours("This concerns nobody but whoever asked, so they alone confirm it")
        return
    groups = line(", ".join(approval.approvers), 300)
    yield join(ours("Who may decide: members of "), groups, ours(", except whoever asked or wrote it"))
    yield from _later(approval)
    yield ours(f"Approvals: {len(approval.assents)} of {approval.quorum} needed")


def beneficiary(gets: Actor | Party | None, users: Mapping[str, str]) -> Markup:
    """Name who gets it: a person, somebody outside the company, or nobody."""
    if gets is None:
        return ours("nobody in particular")
    if isinstance(gets, Party):
        return line(f"{gets.name} ({gets.system} {gets.id})", 300)
    return person(gets, users)


def person(actor: Actor, users: Mapping[str, str]) -> Markup:
    """Name a person: by Slack user where we know it, else by name and e-mail address."""
    user = users.get(actor.subject)
    if user is not None:
        return mention(user)
    return line(f"{actor.name} ({actor.email})" if actor.email else actor.name, 300)
