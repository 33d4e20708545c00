"""Plain text to blocks: paragraphs, list items and, in printed pages, numbered headings."""

from __future__ import annotations

import re

from knowledge.documents import Block

_BULLET = re.compile(r"^\s*(?:[•●○▪◦‣\u2013\uf0b7*-]|\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)])\s+(?=\S)")
_NUMBERED = re.compile(r"^(\d{1,2}(?:\.\d{1,2}){0,3})\.?\s+([A-Z][^.!?;]{2,70})$")
_ENDS = re.compile(r"[.!?:;]['\")\]]*$")
_LONG_LINE = 110  # above this mean length nobody wrapped the lines: each is a paragraph


def read(text: str, *, headings: bool = False) -> list[Block]:
    """Return the blocks of a text; with `headings`, lines such as "3.1 Scope" are headings."""
    lines = [line.strip() for line in text.split("\n")]
    filled = [line for line in lines if line]
    wrapped = bool(filled) and sum(map(len, filled)) / len(filled) < _LONG_LINE
    blocks: list[Block] = []
    gathered: list[str] = []
    bullet = False
    intro = ""

    def flush() -> None:
        nonlocal bullet, intro
        joined = " ".join(gathered)
        gathered.clear()
        if joined and bullet:
            blocks.append(Block(kind="item", text=joined, level=1, lead=intro))
        elif joined:
            blocks.append(Block(kind="paragraph", text=joined))
            intro = joined if joined.endswith(":") and len(joined.split()) <= 45 else ""
        bullet = False

    for line in lines:
        title = _NUMBERED.match(line) if headings else None
        if title and (not gathered or _ENDS.search(gathered[-1]) or bullet):
            flush()
            intro = ""
            blocks.append(Block(kind="heading", text=line, level=2 + title[1].count(".")))
        elif not line:
            flush()
        elif _BULLET.match(line):
            flush()
            bullet = True
            gathered.append(_BULLET.sub("", line))
        else:
            if not wrapped:
                flush()
            gathered.append(line)
    flush()
    return blocks
