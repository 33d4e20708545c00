"""The card of an effect that may have happened or not: what is known of it, and what a person can say."""

from collections.abc import Iterator, Mapping

from bot.blocks import approval as approvals
from bot.blocks import parts
from bot.blocks.parts import Block, Message
from bot.render import Markup, bold, date, exact, join, ours, pieces, safe
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
    summary = f"{state} {safe(approval.title, 300)}, requested by {safe(approval.requester.name, 200)}"
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
    yield from _facts(doubt, users)
    yield from _sent(doubt)
    if doubt.answer is None:
        yield from _asked(doubt)
    elif doubt.by is not None and doubt.at is not None:
        said = join(bold(ours(SAID[doubt.answer])), ours(", says "), approvals.person(doubt.by, users))
        yield parts.section(join(said, ours(", "), date(doubt.at)))
    yield parts.context(safe(f"Request {doubt.approval.run}", 100))


def _facts(doubt: Doubt, users: Mapping[str, str]) -> Iterator[Block]:
    approval = doubt.approval
    shown = [
        _field("Requested by", approvals.person(approval.requester, users)),
        _field("For", approvals.person(approval.beneficiary, users)),
        _field("Begun", date(doubt.intended_at)),
        _field("Stopped", date(doubt.opened_at)),
    ]
    for vote in approval.assents[: approvals.SEVERAL]:
        who = approvals.person(vote.by, users)
        shown.append(_field("Approved by", join(who, ours(", "), date(vote.at))))
    yield parts.fields(shown)


def _sent(doubt: Doubt) -> Iterator[Block]:
    change = f"{doubt.approval.before}\n→ {doubt.approval.after}"
    lines = "\n".join(f"{name} = {value}" for name, value in sorted(doubt.sends.items()))
    text = "\n".join(
        exact(line)
        for line in f"{change}\n{doubt.approval.operation}\n{lines}\nkey = {doubt.key}".splitlines()
    )
    heading = join(bold(ours("What was sent, if it was")), ours("\n"))
    for piece in pieces(text[: approvals.WHOLE], 2800):
        yield parts.section(join(heading, piece))
        heading = ours("")


def _asked(doubt: Doubt) -> Iterator[Block]:
    yield parts.context(
        join(
            ours("Who may say: members of "),
            safe(", ".join(doubt.approval.approvers), 300),
            ours(", except the requester"),
        )
    )
    buttons = [
        parts.button("It happened", action=HAPPENED, value=doubt.id),
        parts.button("It did not: do it", action=DID_NOT, value=doubt.id, style="primary"),
    ]
    if doubt.undoable:
        buttons.append(parts.button("Undo", action=UNDO, value=doubt.id, style="danger"))
    yield parts.actions("doubt", buttons)


def _field(label: str, text: Markup) -> Markup:
    return join(bold(ours(label)), ours("\n"), text)
