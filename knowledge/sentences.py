"""Cutting a paragraph into sentences, so that a number or a condition stays in its own."""

from __future__ import annotations

import re

_END = re.compile(
    r"""(?<![.!?\u2026])[.!?\u2026]++(?:["'\u201d\u2019)\]]++)?(\s++)(?=["'\u201c\u2018(\[*]*+[A-Z0-9À-ÖØ-Þ$€£])"""
)
_SHORT = re.compile(
    r"""(?:\b(?:e\.g|i\.e|etc|vs|cf|mr|mrs|ms|dr|prof|st|no|nos|inc|ltd|corp|co|dept|fig|approx|(?-i:est|min|max)
        |sec|sect|art|para|vol|pp?|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|a\.m|p\.m|u\.s|u\.k|u\.s\.a|ph\.d)
        |(?<!\w)[A-Za-z]|(?<![\w.])\d{1,2})\.$""",
    re.IGNORECASE | re.VERBOSE,
)
_NEAR = 200  # characters around an end that can tell what it is
_CLOSES = re.compile(r"\b(?:etc|a\.m|p\.m|inc|ltd|corp|co|u\.s|u\.k|u\.s\.a)\.$", re.IGNORECASE)


def split(text: str) -> list[str]:
    """Return the sentences of one paragraph, in order; together they are the paragraph."""
    found: list[str] = []
    start = 0
    for match in _END.finditer(text):
        before = text[max(start, match.start(1) - 10 * _NEAR) : match.start(1)]
        if _goes_on(before, text[match.end() : match.end() + _NEAR]):
            continue
        found.append(text[start : match.start(1)].strip())
        start = match.end()
    found.append(text[start:].strip())
    return [sentence for sentence in found if sentence]


def _goes_on(before: str, after: str) -> bool:
    """Tell an abbreviation or a list number from the end of a sentence."""
    if before.count("(") > before.count(")") and ")" in after[:80]:
        return True
    before = before[-_NEAR:]
    if not _SHORT.search(before):
        return False
    # "5 p.m. Employees \u2026" ends there; "5 p.m. EST" and "Inc. 500" do not.
    return not (_CLOSES.search(before) and re.match(r"[A-Z][a-z]+ [a-z]", after))
