"""What is said in the thread of a card while it waits, and in the channel for alarms."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.blocks import approval as approvals
from bot.blocks import parts
from bot.blocks.parts import Message
from bot.render import Markup, bold, date, exact, join, line, mention, ours, quoted
from graphs.records import Alarm, Approval, Beside, Emergency, Review, Run

MOST = 10  # people who are mentioned


_STOPPED: Mapping[str, tuple[str, str]] = {
    "stopped": ("This plan stopped: ", ""),
    "unfinished": (
        "This plan stopped, and not everything is taken back: ",
        " Please look after what is left, and then press “Looked after” on the card above.",
    ),
    "held": (
        "This cannot be finished at the moment, and I have stopped trying: ",
        " Whoever operates me can have it tried again.",
    ),
}


def stopped(
    approval: Approval, news: Beside, users: Sequence[str], *, stand: Markup | None, why: Markup | None
) -> Message:
    """Tell those who approved a plan that it ended in the middle or is held up, and what stands of it."""
    begins, ends = _STOPPED[news]
    because = ours("") if why is None else join(ours(" Why: "), why, ours("."))
    what = join(ours(begins), bold(line(approval.title, 150)), _for(approval), ours("."), because)
    told = ours("") if stand is None else join(ours(" "), stand)
    return _to(users, join(what, told, ours(ends)))


def waits(approval: Approval, news: Beside, users: Sequence[str]) -> Message:
    """Say that an approval still waits, for what and until when; and from the escalation on, for whom.

    Or that what it allowed for a time has not ended, or that its plan stopped, which those who approved it
    should know.
    """
    if news == "not_ended":
        return _to(users, _stands(approval))
    if news in _STOPPED:
        return stopped(approval, news, users, stand=None, why=None)
    begins = ours("This still waits for a decision: ")
    if news == "escalated" and approval.escalation is not None:
        groups = line(", ".join(approval.escalation.groups), 150)
        begins = join(
            ours("Nobody has decided yet, so from now on members of "), groups, ours(" may decide too: ")
        )
    what = join(
        bold(line(approval.title, 150)),
        _for(approval),
        ours(" ("),
        changes(approval),
        ours("). Decide by "),
        date(approval.decide_by),
        ours("; after that nothing is done."),
    )
    return _to(users, join(begins, what))


def _stands(approval: Approval) -> Markup:
    return join(
        bold(line(approval.title, 150)),
        ours(" of "),
        line((approval.beneficiary or approval.requester).name, 200),
        ours(" ("),
        changes(approval),
        ours(
            ") should have ended, and I cannot confirm that it has. Please have somebody who looks after the"
            " company directory check it, and take it away there if it still stands."
        ),
    )


def _for(approval: Approval) -> Markup:
    """Say for whom it is or, where it is for nobody, who asked."""
    if approval.beneficiary is None:
        return join(ours(", requested by "), line(approval.requester.name, 200))
    return join(ours(" for "), line(approval.beneficiary.name, 200))


def changes(approval: Approval) -> Markup:
    """Say in a few words what an approval changes: of several steps how many they are, and the first one."""
    count = len(approval.steps)
    if count == 1:
        return line(exact(approval.changes), 300)
    return join(ours(f"{count} steps, the first: "), line(exact(_first(approval)), 200))


def _first(approval: Approval) -> str:
    return next(step.after or step.operation for step in approval.steps)


def review_waits(review: Review, users: Sequence[str]) -> Message:
    """Say that a review is still to be signed off."""
    asked = review.approval
    what = join(
        ours("This review still waits to be signed off: "),
        bold(line(asked.title, 150)),
        ours(" of "),
        line(asked.requester.name, 200),
        ours(" ("),
        changes(asked),
        ours("), since "),
        date(review.created_at),
        ours("."),
    )
    return _to(users, what)


def alarm(run: Run, key: Alarm, facts: Mapping[str, str], users: Mapping[str, str]) -> Message:
    """Say aloud what happens with emergency access, or with access that was not going to end."""
    if key == "overdue":
        return _not_ended(run, *_OVERDUE, facts, users)
    if key == "late":
        return _not_ended(run, *_LATE, facts, users)
    who = approvals.person(run.requester, users)
    group = bold(line(run.values.get("group", "?"), 150))
    lines = [join(bold(ours("Emergency access")), ours("\n"), _news(key, who, group, facts))]
    if facts.get("reason"):
        lines.append(quoted(facts["reason"], 1200))
    summary = join(ours("Emergency access: "), line(run.requester.name, 200), ours(", "), group)
    blocks = [parts.section(line) for line in lines]
    return parts.message(summary, [*blocks, parts.context(line(f"Request {run.id}", 100))])


def foreign(events: str) -> Message:
    """Tell those who run the bot that somebody else has written into the record."""
    text = join(
        bold(ours("Somebody wrote into the record without its key")),
        ours("\nForeign events: "),
        line(events or "a checkpoint", 300),
        ours(
            ". They count nowhere, and nothing was done because of them. Somebody has the database's"
            " password, or a bot works with an audit_key that this machine lacks. Look with `countersign"
            " audit verify`, and change the password."
        ),
    )
    return parts.message(text, [parts.section(text)])


def _not_ended(
    run: Run, title: str, what: str, facts: Mapping[str, str], users: Mapping[str, str]
) -> Message:
    who, group = approvals.person(run.requester, users), bold(line(facts.get("group") or "?", 150))
    said = join(
        bold(ours(title)),
        ours("\nThe access of "),
        who,
        ours(" to "),
        group,
        ours(" was due to end "),
        date(datetime.fromisoformat(facts["at"])),
        ours(what),
    )
    summary = join(ours(f"{title}: "), group)
    return parts.message(summary, [parts.section(said), parts.context(line(f"Request {run.id}", 100))])


_OVERDUE = (
    "Access was not going to end",
    ", and what was to end it was gone from the database or changed there. The bot ends it now. Tell"
    " whoever runs the bot: somebody may have the database's password.",
)
_LATE = (
    "Access has not ended",
    ", and for an hour the bot could not end it, or cannot tell that it has. It goes on trying. Tell whoever"
    " runs the bot: its log says why, and somebody may have to take the access away by hand.",
)


def _news(key: Emergency, who: Markup, group: Markup, facts: Mapping[str, str]) -> Markup:
    match key:
        case "asked":
            minutes = line(facts.get("minutes", "?"), 20)
            return join(who, ours(" asks for "), group, ours(" for "), minutes, ours(" minutes."))
        case "granted":
            until = date(datetime.fromisoformat(facts["until"]))
            by = line(facts.get("by", "?"), 400)
            return join(
                who, ours(" has "), group, ours(" until "), until, ours(". Approved by "), by, ours(".")
            )
        case "ended":
            at = date(datetime.fromisoformat(facts["at"]))
            return join(ours("The access of "), who, ours(" to "), group, ours(" has ended, "), at, ours("."))
        case "not_ended":
            return join(
                ours("The access of "),
                who,
                ours(" to "),
                group,
                ours(
                    " should have ended, and I cannot confirm that it has. Somebody has to look in the"
                    " company directory at once, and take it away there if it still stands."
                ),
            )
        case "not_in_order":
            by = line(facts.get("by", "?"), 200)
            return join(
                by, ours(" found that the access of "), who, ours(" to "), group, ours(" was not in order.")
            )


def _to(users: Sequence[str], said: Markup) -> Message:
    shown = join(*(mention(user) for user in users[:MOST]), said, by=" ")
    return parts.message(said, [parts.section(shown)])
