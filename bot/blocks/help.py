"""What the bot says about itself: greeting, help, and whom to ask."""

from collections.abc import Sequence

from bot.blocks import parts
from bot.blocks.parts import Message
from bot.render import Markup, join, ours, safe

PROMPTS: Sequence[tuple[str, str]] = (
    ("How much leave do I get?", "How many days of annual leave do I get?"),
    ("What may I expense?", "What can I claim for meals when I travel?"),
    ("Ask for access", "I need billing-db for 3 days to close the quarter"),
    ("What can you do?", "help"),
)

_WHAT = (
    "I answer questions from our written policies, with the sections I quote, and I carry out requests once "
    "the right person has countersigned them."
)
_HOW = (
    "• Ask me here, mention me in a channel, or use `/ask` to get an answer that only you see.\n"
    "• Tell me what you need, or use `/request` for a form.\n"
    "• Nothing is done for you before somebody with the right to do so approves it."
)


def greeting() -> Message:
    """Say hello, once, to somebody who opens the conversation."""
    return _message("Hello! ")


def help_text() -> Message:
    """Say what the bot can do."""
    return _message("")


def small_talk() -> Message:
    """Answer somebody who is being friendly."""
    text = ours("Happy to help. Ask me about a policy, or say `help` to see what else I can do.")
    return said(text)


def usage() -> Message:
    """Say how `/ask` is used."""
    return said(ours("Write your question after the command, as in `/ask How many days of leave do I get?`"))


def hand_over(owners: Sequence[str]) -> Message:
    """Name whom to ask instead of the bot."""
    if not owners:
        return said(ours("I am a bot, and I do not know who could help here. Your manager is a good start."))
    shown = join(*[safe(owner, 150) for owner in owners[:5]], by=", ")
    return said(
        join(ours("I am a bot. These people look after the policies closest to this: "), shown, ours("."))
    )


def taken_away() -> Message:
    """Stand where a message stood that showed somebody who has been erased."""
    return said(ours("This message is gone, because the data of the person whom it was about are erased."))


def said(text: Markup) -> Message:
    """A message of one paragraph."""
    return parts.message(text, [parts.section(text)])


def _message(opening: str) -> Message:
    text = ours(f"{opening}{_WHAT}")
    return parts.message(text, [parts.section(text), parts.section(ours(_HOW))])
