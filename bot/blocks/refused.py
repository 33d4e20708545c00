"""What is said of messages that Slack refuses: to whoever waits for them, and to whoever runs the bot."""

from collections.abc import Mapping

from bot import refusals
from bot.blocks import parts
from bot.blocks.parts import Message
from bot.messages import Row
from bot.render import Markup, join, ours, safe
from bot.render import channel as named
from bot.undelivered import Trouble

REFUSED = "card_refused"
PLAIN = "card_plain"
POSTED = "card_posted"
NOTICES = frozenset({REFUSED, PLAIN, POSTED})

_KINDS: Mapping[str, str] = {
    "card": "the card of a request that waits for approval",
    "doubt": "the card of an effect that somebody has to look at",
    "review": "the card of an emergency that has to be signed off",
    "alarm": "an alarm about emergency access",
    "beside": "a reminder below a card",
    "progress": "how a request stands",
    "notice": "news of a request",
    "reply": "an answer",
    "more": "the rest of an answer",
    "operator": "a message to you",
}


def notice(key: str, facts: Mapping[str, str]) -> Markup:
    """Say to the requester that the card cannot be seen, or that it is there."""
    if key == POSTED:
        return ours("The card is there now, so the approvers can decide.")
    return standing(
        Trouble(error=facts.get("error", ""), channel=facts.get("channel") or None, plain=key == PLAIN)
    )


def standing(trouble: Trouble) -> Markup:
    """Say to the requester why those who decide cannot see the card, and what happens next."""
    told = ours(" Whoever runs me has been told. I keep trying, and tell you when the card is there.")
    if trouble.plain:
        return join(
            ours("Slack does not accept the card with its buttons"),
            where(trouble.channel),
            ours(", so the approvers can read the request and cannot decide on it yet."),
            ours(" Whoever runs me has been told. I tell you when the card is there."),
        )
    return join(
        ours("The card for the approvers could not be posted"),
        where(trouble.channel),
        ours(f" ({refusals.why(trouble.error)}), so nobody can decide yet."),
        told,
    )


def unseen(trouble: Trouble) -> Markup:
    """Say to the requester why nobody decided in time, in a sentence."""
    if trouble.plain:
        said = ours("the card with its buttons could not be posted")
    else:
        said = ours("the card for the approvers could not be posted")
    why = ours(f" ({refusals.why(trouble.error)})") if trouble.error and not trouble.plain else ours("")
    return join(said, where(trouble.channel), ours(" in time"), why, ours(", so nobody could decide"))


def expired(trouble: Trouble) -> Markup:
    """Say to the requester that the time to decide is over, and that nobody could have."""
    return join(
        ours("Nothing was done, because "),
        unseen(trouble),
        ours(". Whoever runs me has been told. You can ask again with the button above."),
    )


def waits(row: Row, error: str, place: str | None) -> Message:
    """Say to whoever runs the bot that a message waits for them to change something."""
    said = join(
        ours("Slack refuses "),
        ours(_KINDS[row.kind]),
        where(place),
        ours(" ("),
        safe(error, 60),
        ours("). "),
        ours(refusals.mend(error)),
        ours(" It is sent by itself once that is done. `countersign outbox list` shows what waits."),
    )
    return parts.message(said, [parts.section(said)])


def plain(row: Row, error: str) -> Message:
    """Say to whoever runs the bot that a message stands there in another form."""
    said = join(
        ours("Slack does not accept the form of "),
        ours(_KINDS[row.kind]),
        ours(" ("),
        safe(error, 60),
        ours("), so plain text stands in its place. "),
        ours(refusals.mend(error)),
        ours(" `countersign outbox resend` posts it as it should be."),
    )
    return parts.message(said, [parts.section(said)])


def where(channel: str | None) -> Markup:
    """Name a channel by its id, as Slack shows it: its name, to those who may see it."""
    if channel is None or channel[:1] not in {"C", "G"} or not channel.isalnum():
        return ours("")
    return join(ours(" in "), named(channel))
