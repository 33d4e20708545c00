"""What is said when something fails that nobody had foreseen, or when there was too much of something."""

from bot.render import Markup, join, ours, safe
from bot.understanding import LONGEST


def unanswered(reference: str) -> Markup:
    """Say that something went wrong with a message, under which name the operator finds it."""
    return join(
        ours(
            "Something went wrong on my side, so I could not deal with your message. Nothing was done. "
            "Please try again later. Whoever runs me finds what happened in my log under "
        ),
        safe(reference, 100),
        ours("."),
    )


def too_many(most: int) -> str:
    """Say that somebody has asked for as much as can be open at a time."""
    return (
        f"You have {most} requests open, and nobody can have more at a time. Nothing was asked for. "
        "Please wait until one of them is decided or its time is over, then ask again."
    )


def alert(reference: str) -> Markup:
    """Tell those who run the bot that something failed which nobody had foreseen."""
    return join(
        ours(
            "Something failed that I had not foreseen, and whoever waited for it was told. My log has it "
            "under "
        ),
        safe(reference, 100),
        ours("."),
    )


def unfinished(reference: str) -> Markup:
    """Say that something went wrong with a click, a command or a window."""
    return join(
        ours(
            "Something went wrong on my side, so I cannot say that this worked. What I have posted shows "
            "what stands. Please look there, and try again. Whoever runs me finds what happened in my log "
            "under "
        ),
        safe(reference, 100),
        ours("."),
    )


def too_long(length: int) -> Markup:
    """Say of a message how much of it was read, and what to do instead."""
    return ours(
        f"Your message has {length:,} characters. I read the first {LONGEST:,} and not the rest, so I did "
        "nothing with it. Please ask in at most 3,000 characters; for a request you can use `/request`."
    )
