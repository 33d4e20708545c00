"""Text that a reader would not see, and that must therefore not speak to one."""

from __future__ import annotations

import re
import unicodedata

# Format characters (zero-width, bidirectional, tags), private use, and controls that are not white space.
_KEPT = "\n\t"

# What is reported of a document, by kind.
INVISIBLE = "invisible character"
COMMENT = "comment"
ELEMENT = "hidden element"
RUN = "hidden or white text"


def visible(text: str) -> tuple[str, int]:
    """Return text without invisible characters, and how many there were. Line ends become newlines."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x0b", "\n").replace("\x0c", "\n")
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text, 0
    kept = [
        mark for mark in text if mark in _KEPT or unicodedata.category(mark) not in {"Cf", "Cc", "Co", "Cs"}
    ]
    cleaned = "".join(kept)
    soft = text.count("\u00ad") + text.count("\ufeff")  # soft hyphens and byte order marks are nobody's trick
    return cleaned, max(0, len(text) - len(cleaned) - soft)


_HIDING = re.compile(
    r"""display\s*:\s*none | visibility\s*:\s*(?:hidden|collapse) | font-size\s*:\s*0(?![.\d]*[1-9])
        | opacity\s*:\s*0(?![.\d]*[1-9]) | (?:text-indent|left|top)\s*:\s*-\d{3,}""",
    re.IGNORECASE | re.VERBOSE,
)
_COLOUR = re.compile(r"(?:^|;)\s*(color|background(?:-color)?)\s*:\s*([^;]+)", re.IGNORECASE)
_WHITE = {"white", "#fff", "#ffffff", "rgb(255,255,255)", "transparent", "#fefefe", "rgba(0,0,0,0)"}


def hides(style: str) -> bool:
    """Tell whether an inline style makes its element unseen: not shown, sized nothing, or white on white."""
    if _HIDING.search(style):
        return True
    colours = {name.lower(): re.sub(r"\s", "", value.lower()) for name, value in _COLOUR.findall(style)}
    ink = colours.get("color")
    paper = colours.get("background-color", colours.get("background"))
    if ink is None:
        return False
    return ink == paper or (ink in _WHITE and (paper is None or paper in _WHITE))
