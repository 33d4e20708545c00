"""What stands in Slack where the form of a message is not accepted: plain text, or else one sentence."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from bot import refusals
from bot.blocks import parts
from bot.blocks.parts import Message
from bot.messages import Kind
from bot.render import Markup, join, ours, safe, stored
from bot.render import channel as named

LAST = 2  # the plainest form: one sentence
LONGEST = 2800  # units of one piece of plain text
MOST = 8  # pieces

_DECIDED_ON = {"card", "doubt", "review"}
_TEXTS = {"section", "header", "context", "markdown", "rich_text", "input"}


def pieces(message: Message) -> list[Markup]:
    """Return the message as plain text, in as many pieces as it takes: eight at most."""
    lines = [line for block in message.blocks for line in _lines(block)] or [message.text]
    found, piece = [], ""
    for line in chain.from_iterable(map(_short, lines)):
        if piece and len(piece) + len(line) + 1 > LONGEST:
            found.append(stored(piece))
            piece = ""
        piece = f"{piece}\n{line}" if piece else line
    found.append(stored(piece))
    if len(found) > MOST:
        found = [*found[: MOST - 1], join(found[MOST - 1], ours("\n… The rest does not fit here."))]
    return found


def plain(kind: Kind, piece: Markup, error: str) -> Message:
    """Return plain text in the place of what Slack refuses, which says that it is that and what follows."""
    return Message(text=join(piece, ours("\n"), _remark(kind, error)), blocks=())


def shortest(kind: Kind, error: str) -> Message:
    """Return one sentence in the place of what Slack refuses even as plain text."""
    if kind in _DECIDED_ON:
        return Message(text=_remark(kind, error), blocks=())
    said = join(
        ours("I have something to tell you here that Slack does not accept from me ("),
        safe(error, 60),
        ours("). Whoever runs me has been told, and can look it up for you."),
    )
    return Message(text=said, blocks=())


def moved(message: Message, channel: str, error: str) -> Message:
    """Return the message as it is told to a person in private, because it cannot be told where it belongs."""
    where = ours("where you wrote") if not _is_channel(channel) else join(ours("in "), named(channel))
    known = refusals.cure(error) is not refusals.Cure.OTHER_WORDS  # else it is about another refusal
    why = ours(f": {refusals.why(error)}" if known else "")
    said = join(ours("I cannot post this "), where, why, ours(". So I tell you here."))
    if not message.blocks:
        return Message(text=join(said, ours("\n"), stored(message.text)), blocks=())
    return parts.message(stored(message.text), [parts.context(said), *message.blocks])


def again(message: Message) -> Message:
    """Return a private answer once more, which may have been seen: Slack did not confirm it."""
    said = ours("You may have seen this already: Slack did not confirm that it was shown to you.")
    return parts.message(stored(message.text), [parts.context(said), *message.blocks])


def _remark(kind: Kind, error: str) -> Markup:
    shown = safe(error, 60)
    if kind in _DECIDED_ON:
        return join(
            ours("Slack does not accept this card with its buttons ("),
            shown,
            ours(
                "), so nobody can decide on it here yet. Whoever runs me has been told; as soon as they have "
                "mended it, the card takes this place."
            ),
        )
    return join(ours("(This is plain text, because Slack does not accept its usual form: "), shown, ours(")"))


def _is_channel(channel: str) -> bool:
    return channel[:1] in {"C", "G"} and channel.isalnum()


def _lines(block: dict[str, Any]) -> Iterator[str]:
    """Yield what a reader of the block reads, without its buttons."""
    if block.get("type") not in _TEXTS:
        return
    for name in ("text", "fields", "elements"):
        yield from _texts(block.get(name))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from value.split("\n")
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict) and value.get("type") in {"mrkdwn", "plain_text", "text"}:
        text = str(value.get("text") or "")
        yield from _texts(text if value["type"] == "mrkdwn" else str(safe(text, LONGEST)))


def _short(line: str) -> Iterator[str]:
    """Yield the line in pieces that fit, cut at a space, and never within a link or an escaped character."""
    while len(line) > LONGEST:
        at = line.rfind(" ", LONGEST // 2, LONGEST)
        opened = line.rfind("<", 0, LONGEST if at < 0 else at)
        if opened > line.rfind(">", 0, LONGEST if at < 0 else at) and opened > 0:
            at = opened
        if at < 0:
            at = LONGEST
            at = line.rfind("&", at - 6, at) if "&" in line[at - 6 : at] else at
        yield line[:at].rstrip()
        line = line[at:].lstrip()
    yield line
