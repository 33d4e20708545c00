"""The card of an emergency that is over: what was done, who let it happen, and what somebody found."""

from collections.abc import Iterator, Mapping

from bot.blocks import approval, parts, plan, reason
from bot.blocks.parts import Block, Message, View
from bot.render import bold, date, exact, join, line, ours, pieces, quoted
from graphs.records import Finding, Review

IN_ORDER = "review.in_order"
NOT_IN_ORDER = "review.not_in_order"
OBJECTION = "review.objection"

_FOUND: Mapping[Finding | None, str] = {
    None: "Review needed",
    Finding.IN_ORDER: "Reviewed, in order",
    Finding.NOT_IN_ORDER: "Reviewed, not in order",
}


def card(review: Review, *, users: Mapping[str, str]) -> Message:
    """Draw the card as the record now stands. `users` maps subjects to their Slack user ids."""
    title = f"{_FOUND[review.finding]}: {review.approval.title}"
    summary = f"{line(title, 300)}, asked for by {line(review.approval.requester.name, 200)}"
    return parts.message(summary, [parts.header(title), *_body(review, users)])


def objection(review: str) -> View:
    """Draw the window that asks what is not in order."""
    return reason.window(
        "Not in order",
        "What is not in order?",
        hint="It is posted where the alarms are.",
        submit="Sign",
        callback=OBJECTION,
        record=review,
    )


def _body(review: Review, users: Mapping[str, str]) -> Iterator[Block]:
    asked = review.approval
    yield parts.fields(
        [join(bold(ours("Asked for by")), ours("\n"), approval.person(asked.requester, users))]
    )
    heading = join(bold(ours("What was done")), ours("\n"))
    lines = "\n".join(exact(f"{one.label}: {one.value}") for one in asked.lines)
    for piece in pieces(lines[: approval.WHOLE], 2800):
        yield parts.section(join(heading, piece))
        heading = ours("")
    if len(asked.steps) > 1:
        for text in plan.sections(asked.steps, {}, room=approval.WHOLE):
            yield parts.section(text)
    if asked.reason:
        yield parts.section(join(bold(ours("Their reason")), ours("\n"), quoted(asked.reason, 1200)))
    for vote in asked.assents:
        yield parts.section(approval.voted(vote, users))
    yield parts.section(join(ours("The policy that governs it: "), approval.name(asked.clause)))
    if review.by is not None and review.at is not None:
        signed = (ours("Signed off by "), approval.person(review.by, users), ours(", "), date(review.at))
        yield parts.section(join(*signed))
        if review.reason:
            yield parts.section(quoted(review.reason, 1200))
        return
    yield parts.context(
        join(
            ours("Who may sign this off: members of "),
            line(review.reviewers, 150),
            ours(" who had no part in it"),
        ),
        join(ours("Waits since "), date(review.created_at)),
    )
    yield parts.actions(
        "review",
        [
            parts.button("In order", action=IN_ORDER, value=review.id, style="primary"),
            parts.button("Not in order", action=NOT_IN_ORDER, value=review.id, style="danger"),
        ],
    )
