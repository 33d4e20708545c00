"""Markdown to blocks: CommonMark with tables, as GitHub shows it."""

from __future__ import annotations

import re
from functools import cache

from markdown_it import MarkdownIt

from knowledge.sources import html
from knowledge.sources.reading import Reading

_ATTRIBUTES = re.compile(
    r"(?<![ \t])[ \t]*\{:?[ \t]*[#.][^{}\n]*\}[ \t]*$", re.MULTILINE
)  # {: .class } and {#anchor}
_ADMONITION = re.compile(r'^!!!\s+\w+(?:\s+"([^"\n]*)")?[ \t]*\n((?:(?: {4}|\t).*\n?|\n)*)', re.MULTILINE)


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def read(text: str) -> Reading:
    """Return the blocks of a Markdown text that has no front matter any more."""
    text = _ADMONITION.sub(_opened, _ATTRIBUTES.sub("", text))
    reading = html.read(_parser().render(text))
    reading.title = next((b.text for b in reading.blocks if b.kind == "heading" and b.level == 1), "")
    return reading


def _opened(match: re.Match[str]) -> str:
    """Turn an admonition's indented body, which would read as code, into paragraphs."""
    body = re.sub(r"^(?: {4}|\t)", "", match[2], flags=re.MULTILINE)
    return f"**{match[1]}**\n\n{body}\n" if match[1] else f"{body}\n"
