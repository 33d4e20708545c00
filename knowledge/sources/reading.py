"""What a converter makes of a file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from knowledge.documents import Block


@dataclass(kw_only=True)
class Reading:
    """What came out of a file.

    `hidden` is what was taken out because no reader would see it, by kind. `declared` is a place where the
    file names its audience in a way that is not understood.
    """

    title: str = ""
    language: str = ""
    version: str = ""
    declared: str = ""
    blocks: list[Block] = field(default_factory=list)
    hidden: Counter[str] = field(default_factory=Counter)
