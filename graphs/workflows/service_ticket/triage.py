"""How what people write about a trouble is sorted: by what it is about, and by how much it is in the way."""

import re
from collections.abc import Iterable, Mapping

from pydantic import Field as Limit

from graphs.sdk import Section

LONGEST = 80  # characters of a title
TROUBLES = (
    "down", "broken", "broke", "not working", "not work", "doesn't work", "does not work", "do not work",
    "don't work", "won't work", "won't start", "does not start", "doesn't start", "won't charge",
    "does not charge", "won't turn on", "does not turn on", "won't connect", "does not connect",
    "doesn't connect", "cannot connect", "can't connect", "keeps dropping", "keeps crashing", "crashes",
    "crashed", "frozen", "freezes", "hangs", "stuck", "very slow", "too slow", "so slow", "locked out",
    "cannot log in", "can't log in", "cannot sign in", "can't sign in", "cannot print", "can't print",
    "cannot open", "can't open", "cannot work", "can't work", "full", "flickers", "black", "cracked",
    "leaks", "leaking", "jammed", "paper jam", "error", "prints everything twice", "asks for my password",
    "nothing loads", "no sound", "no signal", "open a ticket", "file a ticket", "raise a ticket", "log it",
)  # fmt: skip


class Category(Section):
    """A kind of trouble: `words` are the things that it is about, `keyword` is what tickets of it carry."""

    words: tuple[str, ...] = Limit(min_length=1)
    keyword: str = ""


CATEGORIES: Mapping[str, Category] = {
    "hardware": Category(
        words=("laptop", "screen", "monitor", "keyboard", "mouse", "printer", "dock", "phone", "headset"),
        keyword="hardware",
    ),
    "software": Category(
        words=("vpn", "wifi", "wi-fi", "network", "outlook", "mailbox", "teams", "browser", "login"),
        keyword="software",
    ),
    "building": Category(
        words=("heating", "light", "door", "lift", "toilet", "air conditioning", "desk", "window"),
        keyword="building",
    ),
}
PRIORITIES: Mapping[str, tuple[str, ...]] = {
    "critical": ("everybody", "everyone", "nobody can", "whole office", "all of us", "production"),
    "urgent": ("cannot work", "can't work", "urgent", "asap", "blocked", "deadline", "immediately"),
    "bug": (),
}


def first(words: Iterable[str], said: str) -> str:
    """Return the first of these words that somebody said, in the singular or the plural; "" for none."""
    folded = said.casefold()
    return next((one for one in words if re.search(rf"(?<!\w){re.escape(one)}(?:s|es)?(?!\w)", folded)), "")


def title(said: str) -> str:
    """Return the first sentence, as short as a title."""
    begin = " ".join(re.split(r"(?<=[.!?])\s|\n", said.strip(), maxsplit=1)[0].split())
    plain = "".join(letter for letter in begin if letter.isprintable())
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 1].rstrip()}…"
