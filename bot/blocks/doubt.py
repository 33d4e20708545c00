"""The card of an effect that may have happened or not: what is known of it, and what a person can say."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from bot.blocks import approval as approvals
from bot.blocks import parts, plan
from bot.blocks.parts import Block, Message
from bot.render import Markup, bold, code, date, join, line, ours
from graphs.records import Doubt, Resolution

HAPPENED = "doubt.happened"
DID_NOT = "doubt.did_not"
UNDO = "doubt.undo"

ACTIONS: Mapping[str, Resolution] = {
    HAPPENED: Resolution.HAPPENED,
    DID_NOT: Resolution.DID_NOT,
    UNDO: Resolution.UNDO,
}
SAID: Mapping[Resolution, str] = {
    Resolution.HAPPENED: "It happened",
    Resolution.DID_NOT: "It did not happen, and is to be done",
    Resolution.UNDO: "It is to be taken back",
}


def card(doubt: Doubt, *, users: Mapping[str, str]) -> Message:
    """Draw the card as the record now stands. `users` maps subjects to their Slack user ids."""
    approval = doubt.approval
    state = "Did this happen?" if doubt.answer is None else "Answered"
    summary = f"{state} {line(approval.title, 300)}, requested by {line(approval.requester.name, 200)}"
    return parts.message(summary, [parts.header(f"{state} {approval.title}"), *_body(doubt, users)])


def _body(doubt: Doubt, users: Mapping[str, str]) -> Iterator[Block]:
    what = "take back" if doubt.act == "undo" else "carry out"
    yield parts.section(
        ours(
            f"I was interrupted while I was about to {what} the following, and nobody answered. "
            "It may have happened or not, and doing it twice might do harm, so I have stopped. "
            "Please look in the system itself, and then say which it is."
        )
    )
    if len(doubt.approval.steps) > 1:
        yield parts.section(_of_several(doubt))
    yield from _facts(doubt, users)
    yield from _sent(doubt)
    if doubt.answer is None:
        yield from _asked(doubt)
    elif doubt.by is not None and doubt.at is not None:
        said = join(bold(ours(SAID[doubt.answer])), ours(", says "), approvals.person(doubt.by, users))
        yield parts.section(join(said, ours(", "), date(doubt.at)))
    yield parts.context(line(f"Request {doubt.approval.run}", 100))


def _facts(doubt: Doubt, users: Mapping[str, str]) -> Iterator[Block]:
    approval = doubt.approval
    shown = [
        _field("Requested by", approvals.person(approval.requester, users)),
        _field("For", approvals.beneficiary(approval.beneficiary, users)),
        _field("Begun", date(doubt.intended_at)),
        _field("Stopped", date(doubt.opened_at)),
    ]
    for vote in approval.assents[: approvals.SEVERAL]:
        who = approvals.person(vote.by, users)
        verb = "Confirmed by" if approval.confirmed else "Approved by"
        shown.append(_field(verb, join(who, ours(", "), date(vote.at))))
    yield parts.fields(shown)


def _number(doubt: Doubt) -> int:
    """Return which step of its plan it is about, counted from 1; 0 where it is of none."""
    return next((at for at, step in enumerate(doubt.approval.steps, start=1) if step.name == doubt.step), 0)


def _of_several(doubt: Doubt) -> Markup:
    """Say which step of a plan it is, and what follows from each answer."""
    number, count = _number(doubt), len(doubt.approval.steps)
    here = bold(ours(f"This is step {number} of {count}."))
    if doubt.act == "undo":
        return join(here, ours(" The plan stopped, and what had been done is being taken back."))
    on = "the run ends as approved" if number == count else f"step {number + 1} is next"
    said = f" If it happened, {on}. If it did not, step {number} is done now, and {on} after it."
    if doubt.undoable:
        earlier = [
            at
            for at, step in enumerate(doubt.approval.steps, start=1)
            if at < number and step.undo != "leave"
        ]
        also = ""
        if earlier:
            many = f"steps {plan.counted(earlier)}" if len(earlier) > 1 else f"step {earlier[0]}"
            also = f", and so is {many}" if len(earlier) == 1 else f", and so are {many}"
        said += f" “Undo” ends the plan: step {number} is taken back{also}, as far as that can be done."
    return join(here, ours(said))


def _sent(doubt: Doubt) -> Iterator[Block]:
    steps = doubt.approval.steps
    step = doubt.approval.step(doubt.step)
    assert step is not None  # or it had never been sent
    resolved = replace(step, sends=doubt.sends)
    text = [
        *(plan.change(step) if step.after else ()),
        plan.operation(step),
        *plan.sent(resolved, steps),
        join(ours("key = "), *code(doubt.key)),
    ]
    for piece in plan.packed([bold(ours("What was sent, if it was")), *plan.cut(text, approvals.WHOLE)]):
        yield parts.section(piece)


def _asked(doubt: Doubt) -> Iterator[Block]:
    groups = line(", ".join(doubt.approval.approvers), 300)
    others = join(ours("Who may say: members of "), groups, ours(", except the requester"))
    yield parts.context(ours("Who may say: whoever asked") if doubt.approval.confirmed else others)
    buttons = [
        parts.button("It happened", action=HAPPENED, value=doubt.id),
        parts.button("It did not: do it", action=DID_NOT, value=doubt.id, style="primary"),
    ]
    if doubt.undoable:
        buttons.append(parts.button("Undo", action=UNDO, value=doubt.id, style="danger"))
    yield parts.actions("doubt", buttons)


def _field(label: str, text: Markup) -> Markup:
    return join(bold(ours(label)), ours("\n"), text)
