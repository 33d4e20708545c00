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
RUN = "hidden run"
PAPER_COLOURED = "text in the paper's colour"
TINY = "tiny text"
OFF_PAGE = "text off the page"
INKLESS = "text without ink"
BEHIND = "text behind a picture"  # kept: a scanned page is searched by it
UNSEEN_TITLE = "title that no page shows"
ADDRESS = "address that its source does not allow"
OWNER = "owner that its source does not allow"


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
        | opacity\s*:\s*0(?![.\d]*[1-9]) | (?:text-indent|left|top)\s*:\s*-\d{3,}
        | clip\s*:\s*rect\(\s*[01](?:px)?[\s,]+[01](?:px)?[\s,] | clip-path\s*:\s*inset\(\s*(?:50|100)%
        | transform\s*:[^;]{0,200}?scale\(\s*0\s*[,)]""",
    re.IGNORECASE | re.VERBOSE,
)
_CUT = re.compile(r"overflow\s*:\s*hidden", re.IGNORECASE)
_NOTHING = re.compile(r"(?:^|;)\s*(?:max-)?(?:height|width)\s*:\s*[01](?:px)?\s*(?:;|$)", re.IGNORECASE)
_SIZE = re.compile(r"font-size\s*:\s*([\d.]+)(px|pt|em|rem|%)", re.IGNORECASE)
_SMALLEST = {"px": 3.0, "pt": 2.0, "em": 0.2, "rem": 0.2, "%": 20.0}
_COLOUR = re.compile(r"(?:^|;)\s*(color|background(?:-color)?)\s*:\s*([^;]+)", re.IGNORECASE)
_WHITE = {"white", "#fff", "#ffffff", "rgb(255,255,255)", "#fefefe", "rgb(254,254,254)", "hsl(0,0%,100%)"}
_CLEAR = {"transparent", "rgba(0,0,0,0)", "#0000", "#00000000", "inherit", "initial", "none", ""}


def hides(style: str) -> bool:
    """Tell whether a style makes its element unseen, whatever its colours: not shown, or sized nothing."""
    if _HIDING.search(style) or (_CUT.search(style) and _NOTHING.search(style)):
        return True
    size = _SIZE.search(style)
    return bool(size) and float(size[1].strip(".") or 0) < _SMALLEST[size[2].lower()] if size else False


def colours(style: str) -> tuple[str, str]:
    """Return the colours of text and background that a style sets, each empty where it sets none."""
    found = {
        name.lower(): re.sub(r"\s|!important", "", value.lower()) for name, value in _COLOUR.findall(style)
    }
    paper = found.get("background-color", found.get("background", ""))
    return _named(found.get("color", "")), "" if paper in _CLEAR else _named(paper)


def blends(ink: str, paper: str) -> bool:
    """Tell whether text of one colour is not seen on a background of another; an empty one is white."""
    return ink in {"transparent", "rgba(0,0,0,0)"} or (bool(ink) and ink == (paper or "white"))


def _named(colour: str) -> str:
    return "white" if colour in _WHITE else colour
