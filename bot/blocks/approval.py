"""The approval card: what would be done, for whom, under which clause, and who has decided."""

from collections.abc import Iterator, Mapping

from bot import sentences
from bot.blocks import parts, policy
from bot.blocks.parts import Block, Message, View
from bot.render import Markup, bold, date, exact, join, mention, ours, pieces, quoted, safe, web_address
from bot.render import link as linked
from graphs.records import Actor, Approval, ApprovalStatus, Clause, Verdict, Vote

APPROVE = "approval.approve"
DENY = "approval.deny"
CLAUSE = "approval.clause"
DENIAL = "approval.denial"
REASON = "reason"

WHOLE = 9000  # characters of parameters that a card can show
QUOTE = 700
SEVERAL = 10  # votes that a card shows

TITLES: Mapping[ApprovalStatus, str] = {
    ApprovalStatus.PENDING: "Approval needed",
    ApprovalStatus.APPROVED: "Approved",
    ApprovalStatus.DENIED: "Denied",
    ApprovalStatus.EXPIRED: "Expired",
    ApprovalStatus.VOID: "Replaced",
}


def card(approval: Approval, *, users: Mapping[str, str]) -> Message:
    """Draw the card as the record now stands. `users` maps subjects to their Slack user ids."""
    title = f"{TITLES[approval.status]}: {approval.title}"
    return parts.message(_summary(approval), [parts.header(title), *_body(approval, users)])


def denial(approval: str) -> View:
    """Draw the window that asks for the reason of a denial."""
    element: Block = {
        "type": "plain_text_input",
        "action_id": REASON,
        "multiline": True,
        "min_length": 1,
        "max_length": 1000,
        "focus_on_load": True,
    }
    entry = parts.entry(REASON, "Why is it denied?", element, hint="The requester will read this.")
    return parts.modal(
        "Deny the request", [entry], callback=DENIAL, submit="Deny", close="Cancel", metadata=approval
    )


def _summary(approval: Approval) -> str:
    words = TITLES[approval.status]
    return f"{words}: {safe(approval.title, 300)}, requested by {safe(approval.requester.name, 200)}"


def _body(approval: Approval, users: Mapping[str, str]) -> Iterator[Block]:
    if approval.void is not None:
        why = sentences.void(approval.void.key, approval.void.facts)
        yield parts.section(join(why, ours(" This card counts no more; a newer one asks again.")))
    if approval.replaces and approval.status is ApprovalStatus.PENDING:
        yield from _differences(approval)
    yield from _people(approval, users)
    yield from _parameters(approval)
    yield from _reason(approval)
    yield from _clause(approval)
    yield from _end(approval, users)


def _people(approval: Approval, users: Mapping[str, str]) -> Iterator[Block]:
    shown = [join(bold(ours("Requested by")), ours("\n"), person(approval.requester, users))]
    if approval.beneficiary.subject != approval.requester.subject:
        shown.append(join(bold(ours("For")), ours("\n"), person(approval.beneficiary, users)))
    else:
        shown.append(join(bold(ours("For")), ours("\nthemselves")))
    yield parts.fields(shown)


def _parameters(approval: Approval) -> Iterator[Block]:
    lines = "\n".join(exact(f"{line.label}: {line.value}") for line in approval.lines)
    sends = "\n".join(exact(f"{name} = {value}") for name, value in sorted(approval.sends.items()))
    yield from _whole("What is asked for", lines)
    change = f"{exact(approval.before)}\n→ {exact(approval.after)}"
    yield from _whole("What changes (before → after)", change)
    yield from _whole("Exactly what is sent", f"{approval.operation}\n{sends}")


def _whole(label: str, text: str) -> Iterator[Block]:
    """Yield all of the text, up to what a card can show."""
    heading = join(bold(ours(label)), ours("\n"))
    for piece in pieces(text[:WHOLE], 2800):
        yield parts.section(join(heading, piece))
        heading = ours("")


def fits(approval: Approval) -> bool:
    """Whether the card shows every parameter whole; one that does not cannot be approved on it."""
    lines = sum(len(exact(line.label + line.value)) + 3 for line in approval.lines)
    sends = sum(len(exact(f"{name}{value}")) + 4 for name, value in approval.sends.items())
    change = len(exact(approval.before + approval.after)) + 3
    return max(lines, sends + len(approval.operation), change) <= WHOLE


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
    return linked(clause.url, label) if web_address(clause.url) else safe(label, 300)


def _differences(approval: Approval) -> Iterator[Block]:
    heading = ours("*This card replaces an earlier one.*")
    why = approval.replaced
    said = ours("") if why is None else join(ours(" "), sentences.void(why.key, why.facts))
    yield parts.section(join(heading, said, ours(" It needs a new decision.")))
    for difference in approval.differences[:8]:
        text = f"{difference.name}: {exact(difference.before)} → {exact(difference.after)}"
        yield parts.section(safe(text, 600))


def _end(approval: Approval, users: Mapping[str, str]) -> Iterator[Block]:
    yield from _votes(approval, users)
    if approval.status is ApprovalStatus.EXPIRED:
        text = join(ours("Too few decided before "), date(approval.decide_by), ours(". Nothing was done."))
        yield parts.section(text)
    elif approval.status is ApprovalStatus.PENDING:
        yield from _asked(approval)
    yield parts.context(
        safe(f"Content {approval.digest[:12]} · policy edition {approval.clause.edition}", 300)
    )


def _votes(approval: Approval, users: Mapping[str, str]) -> Iterator[Block]:
    """Say who decided what, and when."""
    shown = [_vote(vote, users) for vote in approval.votes[:SEVERAL]]
    if shown:
        yield parts.section(join(*shown, by="\n"))
    if approval.denial is not None and approval.denial.reason:
        yield parts.section(quoted(approval.denial.reason, 1200))


def _vote(vote: Vote, users: Mapping[str, str]) -> Markup:
    verb = ours("Approved by ") if vote.verdict is Verdict.APPROVE else ours("Denied by ")
    return join(verb, person(vote.by, users), ours(", "), date(vote.at))


def _asked(approval: Approval) -> Iterator[Block]:
    minutes = max(1, approval.execute_within // 60)
    groups = safe(", ".join(approval.approvers), 300)
    yield parts.context(
        join(ours("Who may decide: members of "), groups, ours(", except whoever asked or wrote it")),
        ours(f"Approvals: {len(approval.assents)} of {approval.quorum} needed"),
        join(ours("Decide by "), date(approval.decide_by)),
        ours(f"Carried out within {minutes} min of the approval, or not at all"),
    )
    deny = parts.button("Deny", action=DENY, value=approval.id, style="danger")
    approve = parts.button("Approve", action=APPROVE, value=approval.id, style="primary")
    if fits(approval):
        yield parts.actions("approval", [approve, deny])
        return
    yield parts.section(ours("This request is too long to be shown whole, so it can only be denied."))
    yield parts.actions("approval", [deny])


def person(actor: Actor, users: Mapping[str, str]) -> Markup:
    """Name a person: by Slack user where we know it, else by name and e-mail address."""
    user = users.get(actor.subject)
    if user is not None:
        return mention(user)
    return safe(f"{actor.name} ({actor.email})" if actor.email else actor.name, 300)
