"""Who decides while somebody is away: the window that arranges it, and what both of them are told."""

from collections.abc import Mapping, Sequence

from bot.blocks import parts
from bot.blocks.parts import Block, Message, View
from bot.render import Markup, bold, date, join, ours, safe
from graphs.records import Actor, Delegation

FORM = "delegation.form"
END = "delegation.end"
PERSON = "person"
DAY = "day"
TITLE = "While you are away"

PROBLEMS: Mapping[str, tuple[str, str]] = {
    "self": (PERSON, "Choose somebody else than yourself."),
    "inactive": (PERSON, "The company directory says that this account is not active."),
    "away": (
        PERSON,
        "This person has said that somebody decides for them, too. Choose somebody who is there.",
    ),
    "refused": (PERSON, "I act only for active members of this workspace who are in the company directory."),
    "past": (DAY, "This day is over."),
    "too_long": (DAY, "At most 60 days at a time."),
}

_WHAT = (
    "Choose who decides for you on approvals, and until when. It begins at once and ends by itself at the "
    "end of that day in your time zone, after 60 days at most. They may decide what you may decide, never on "
    "a request of yours or of their own, and cannot pass it on. Cards say that they decided for you."
)


def form(current: Delegation | None, lent: Sequence[Delegation]) -> View:
    """Draw the window, with who decides for the person now, and for whom they decide."""
    blocks: list[Block] = [parts.section(ours(_WHAT))]
    if current is not None:
        end = parts.button("End it now", action=END, value=current.id, style="danger")
        blocks.append(parts.section(_in_place(current), accessory=end))
    blocks += [parts.context(_in_place(one)) for one in lent[:10]]
    who: Block = {"type": "users_select", "action_id": PERSON}
    until: Block = {"type": "datepicker", "action_id": DAY}
    blocks.append(parts.entry(PERSON, "Who decides for you", who))
    blocks.append(parts.entry(DAY, "Until the end of", until))
    return parts.modal(TITLE, blocks, callback=FORM, submit="Delegate", close="Cancel")


def made(delegation: Delegation) -> View:
    """Say what holds now."""
    ending = ours("\n`/delegate` ends it before that, or names somebody else.")
    return parts.modal(TITLE, [parts.section(join(_in_place(delegation), ending))])


def over(delegation: Delegation | None) -> View:
    """Say that it is over."""
    said = ours("That had ended already.")
    if delegation is not None:
        said = join(safe(delegation.stand_in.name, 200), ours(" no longer decides for you."))
    return parts.modal(TITLE, [parts.section(said)])


def news(delegation: Delegation) -> Message:
    """Tell the one who stands in."""
    text = join(
        ours("You decide for "),
        _name(delegation.holder),
        ours(" on approvals until "),
        date(delegation.ends_at),
        ours(". You may decide what they may decide; the cards say that you did so for them."),
    )
    return parts.message(text, [parts.section(text)])


def no_more(delegation: Delegation) -> Message:
    """Tell the one who stood in that it is over."""
    text = join(ours("You no longer decide for "), _name(delegation.holder), ours("."))
    return parts.message(text, [parts.section(text)])


def _in_place(delegation: Delegation) -> Markup:
    return join(
        _name(delegation.stand_in),
        ours(" decides for "),
        _name(delegation.holder),
        ours(" until "),
        date(delegation.ends_at),
        ours("."),
    )


def _name(actor: Actor) -> Markup:
    return bold(safe(actor.name, 150))
