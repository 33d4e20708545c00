"""The one renderer of text: nothing that a person, a document or a model wrote becomes markup here.

Text from outside is a `str`. `Markup` is text that is safe to show as Slack's mrkdwn; only this module makes
it, so the type checker finds whoever forgets. Sizes are counted in UTF-16 units, as Slack's clients do.
"""

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NewType
from urllib.parse import quote, urlsplit

Markup = NewType("Markup", str)

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_JOINERS = {"\u200c", "\u200d"}  # part of how some scripts and emoji are written
_ELLIPSIS = "…"


def plain(text: str, limit: int) -> str:
    """Return the text for a plain_text object: without invisible characters, cut at a word within `limit`."""
    return _cut(clean(text), limit, escaped=False)


def safe(text: str, limit: int = 2900) -> Markup:
    """Return the text to be read: escaped, without invisible characters, cut at a word within `limit`."""
    return Markup(_escape(_cut(clean(text), limit, escaped=True)))


def line(text: str, limit: int) -> Markup:
    """Return the text as `safe` does, on one line: a name must not look like two lines of a card."""
    return safe(" ".join(text.split()), limit)


def code(text: str, limit: int = 1200) -> list[Markup]:
    """Return the whole text set as code, in pieces of about `limit`: as it is, and apart from our own words.

    Written out is whatever cannot be seen, or seen to be there: spaces in a row or at an end, and backticks.
    """
    shown = _SPACES.sub(r"\\u0020", text.translate(_CODE))
    return [Markup(f"`{piece}`") for piece in pieces(shown, limit)]


def clean(text: str) -> str:
    """Drop what cannot be seen and could mislead: controls, bidirectional overrides, zero width."""
    return text.translate(_CLEAN)


def exact(text: str) -> str:
    """Return the text with every character that cannot be seen written out, as in `a\\u202eb`."""
    return text.translate(_EXACT)


def size(text: str) -> int:
    """Count the text as Slack does."""
    return len(text) + sum(char > "\uffff" for char in text)


def bold(markup: Markup) -> Markup:
    """Return a label in bold. For our own words: text from outside may hold asterisks."""
    return Markup(f"*{markup}*")


def quoted(text: str, limit: int) -> Markup:
    """Return the text as a block quote."""
    return Markup("\n".join(f">{line}" for line in safe(text, limit).split("\n")))


def mention(user: str) -> Markup:
    """Name a person by Slack user id, which must come from our own records."""
    if not user.isalnum():
        raise ValueError("a mention needs a Slack user id")
    return Markup(f"<@{user}>")


def channel(name: str) -> Markup:
    """Name a channel by its id, which must come from our own records. Slack shows its name."""
    if not name.isalnum():
        raise ValueError("a channel needs a Slack channel id")
    return Markup(f"<#{name}>")


def stored(text: str) -> Markup:
    """Take back text that was written here as markup and kept."""
    return Markup(text)


def link(url: str | None, label: str, limit: int = 300) -> Markup:
    """Return a link for a citation, or the label alone where the address is none that may be opened."""
    text = safe(label, limit)
    target = web_address(url)
    return Markup(f"<{target}|{text.replace('|', '¦')}>") if target is not None else text


def web_address(url: str | None) -> str | None:
    """Return the address, encoded, if it is a plain web address."""
    if url is None or size(url) > 1000:
        return None
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not host or parts.username is not None:
        return None
    return quote(parts.geturl(), safe=":/?#[]@!$&'()*+,;=%~")


def date(at: datetime) -> Markup:
    """Return the moment in each reader's own time zone, or in UTC where a client cannot."""
    moment = at.astimezone(UTC)
    fallback = moment.strftime("%Y-%m-%d %H:%M UTC")
    return Markup(f"<!date^{int(moment.timestamp())}^{{date_short_pretty}} at {{time}}|{fallback}>")


def join(*parts: Markup, by: str = "") -> Markup:
    """Join markup with a separator of our own."""
    return Markup(by.join(parts))


def ours(text: str) -> Markup:
    """Take a sentence that is written in this program, with no value from outside in it."""
    return Markup(text)


def pieces(text: str, limit: int) -> list[Markup]:
    """Return the whole text as markup in as many pieces of at most `limit` as it takes."""
    found, piece, used = [], "", 0
    for char in text:
        width = _width(char, escaped=True)
        if used + width > limit:
            found.append(Markup(piece))
            piece, used = "", 0
        piece, used = piece + _ENTITIES.get(char, char), used + width
    return [*found, Markup(piece)] if piece else found


def _is_visible(char: str) -> bool:
    if char in {"\n", "\t"} or char in _JOINERS:
        return True
    return unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


class _Table(dict[int, str | int]):
    """What `str.translate` makes of each character, found out once."""

    def __init__(self, invisible: Callable[[int], str]) -> None:
        self._invisible = invisible

    def __missing__(self, code: int) -> str | int:
        self[code] = code if _is_visible(chr(code)) else self._invisible(code)
        return self[code]


def _is_blank(code: int) -> bool:
    """Whether a character that is none of the invisible ones looks like nothing, or like a plain space."""
    return (
        code in _BLANK
        or chr(code) in _JOINERS
        or (code != ord(" ") and unicodedata.category(chr(code)) == "Zs")
    )


class _Code(_Table):
    """What becomes of each character of what is set as code."""

    def __missing__(self, code: int) -> str | int:
        self[code] = self._invisible(code) if _is_blank(code) else _EXACT[code]
        return self[code]


_CLEAN = _Table(lambda _: "")
_EXACT = _Table(lambda code: f"\\u{code:04x}")
_EXACT.update({ord("\n"): "\\n", ord("\t"): "\\t"})  # a value must not look like two lines of a card
_BLANK = frozenset(  # fillers and selectors that Unicode counts among letters and marks
    {0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x2800, 0x3164, 0xFFA0}
    | {*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}
)
_CODE = _Code(lambda code: f"\\u{code:04x}")
_CODE[ord("`")] = r"\u0060"
_SPACES = re.compile(r" (?= )|^ | $")


def _escape(text: str) -> str:
    return text.translate({ord(char): entity for char, entity in _ENTITIES.items()})


def _width(char: str, *, escaped: bool) -> int:
    if escaped and char in _ENTITIES:
        return len(_ENTITIES[char])
    return 2 if char > "\uffff" else 1


def _cut(text: str, limit: int, *, escaped: bool) -> str:
    used, last = 0, 0
    for at, char in enumerate(text):
        used += _width(char, escaped=escaped)
        if used > limit:
            break
        if used < limit:  # room for the ellipsis
            last = at + 1
    else:
        return text
    kept = text[:last]
    space = max(kept.rfind(" "), kept.rfind("\n"))
    if space > last - 60 and space > 0:
        kept = kept[:space]
    return kept.rstrip() + _ELLIPSIS
