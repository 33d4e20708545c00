"""Documents, sections and units: what a company has written, in the parts that an answer can quote."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from knowledge.sentences import split

EVERYONE = "everyone"  # of the company
PUBLIC = "public"  # others too: what the company publishes
LONGEST_UNIT = 120  # words
BlockKind = Literal["heading", "paragraph", "item", "row", "code"]
Standing = Literal["policy", "reference"]
UnitKind = Literal["sentence", "item", "row", "code"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """One piece of a file as a converter reads it, in order."""

    kind: BlockKind
    text: str
    level: int = 0  # of a heading, 1 to 6; of a list item, its depth from 1
    lead: str = ""  # what a list item or a table row needs to be understood
    anchor: str = ""  # of a heading, where the file gives it one
    links: tuple[tuple[str, str], ...] = ()  # words and where they lead


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """The least that can be quoted: a sentence, a list item, a table row, lines of code."""

    kind: UnitKind
    text: str
    lead: str = ""
    joined: bool = False  # continues the paragraph of the unit before it


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A heading and what stands directly under it, down to the next heading of any level."""

    path: tuple[str, ...]  # headings from the outermost to this one; empty before the first heading
    level: int
    anchor: str
    units: tuple[Unit, ...]
    links: tuple[tuple[str, str], ...] = ()  # words, and the address of the document that they lead to

    @property
    def heading(self) -> str:
        """This part's own heading, or nothing."""
        return self.path[-1] if self.path else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What front matter says about a document: who may read it, and when it is in force."""

    title: str = ""
    owner: str = ""
    effective: date | None = None
    expires: date | None = None
    review: date | None = None
    audience: frozenset[str] = frozenset({EVERYONE})
    url: str = ""
    version: str = ""
    regions: frozenset[str] = frozenset()  # two-letter country codes; empty: every region
    language: str = ""  # such as "en"; empty: unknown
    standing: Standing = "policy"  # its source's: no document can say it of itself


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """One file, or one line of a JSONL of documents."""

    document: str
    title: str
    terms: Terms
    parts: tuple[Part, ...]
    sha256: str  # of the bytes it was read from
    label: str = ""  # its file name in words, where that says something
    hidden: tuple[tuple[str, int], ...] = ()  # what was removed because no reader would see it: kind, count

    @property
    def words(self) -> int:
        """How many words it holds."""
        return sum(len(unit.text.split()) for part in self.parts for unit in part.units)


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """From a heading to the next of the same or a higher level: what an anchor names.

    `text` holds the subsections too; `body` only what stands before the first of them. `hash` is the
    SHA-256, in hexadecimal, of `text` after `normalised`.
    """

    document: str
    title: str
    path: tuple[str, ...]
    anchor: str
    text: str
    body: str
    hash: str
    url: str
    owner: str
    effective: date | None
    expires: date | None
    review: date | None
    audience: frozenset[str]
    links: tuple[tuple[str, str], ...] = ()


@dataclass(kw_only=True)
class _Open:
    path: tuple[str, ...] = ()
    level: int = 0
    anchor: str = ""
    units: list[Unit] = field(default_factory=list)
    links: dict[tuple[str, str], None] = field(default_factory=dict)


def _spoken(block: Block) -> Iterator[Unit]:
    """Yield the sentences of a paragraph or a list item; an item's short label stays with what follows it."""
    sentences = split(block.text)
    if block.kind == "item" and len(sentences) > 1 and len(sentences[0].split()) <= 4:
        sentences[:2] = [f"{sentences[0]} {sentences[1]}"]
    pieces = [piece for sentence in sentences for piece in bounded(sentence, " ")]
    for place, text in enumerate(pieces):
        if block.kind == "item":
            yield Unit(kind="item", text=text, lead="" if place else block.lead, joined=place > 0)
        else:
            yield Unit(kind="sentence", text=text, joined=place > 0)


def bounded(text: str, blank: str) -> list[str]:
    """Cut a text of more than 120 words at `blank`, after a clause where there is one; others stay whole."""
    words = text.split(blank)
    sizes = [len(word.split()) or 1 for word in words]
    if sum(sizes) <= LONGEST_UNIT:
        return [text]
    found: list[str] = []
    start = size = 0
    for place, word in enumerate(words):
        size += sizes[place]
        clause = blank != " " or word.endswith((",", ";", ":", ".", ")"))
        if size >= LONGEST_UNIT or (clause and size >= LONGEST_UNIT * 2 // 3):
            found.append(blank.join(words[start : place + 1]))
            start, size = place + 1, 0
    found.append(blank.join(words[start:]))
    return [piece for piece in found if piece.strip()]


def parts_of(blocks: Iterable[Block]) -> tuple[Part, ...]:
    """Gather blocks under their headings and cut paragraphs into sentences."""
    anchors = Anchors()
    trail: list[tuple[int, str]] = []
    found = [_Open()]
    for block in blocks:
        if block.kind == "heading":
            while trail and trail[-1][0] >= block.level:
                trail.pop()
            trail.append((block.level, block.text))
            path = tuple(text for _, text in trail)
            found.append(_Open(path=path, level=block.level, anchor=anchors.name(block.text, block.anchor)))
        elif block.kind == "code":
            found[-1].units += [Unit(kind="code", text=text) for text in bounded(block.text, "\n")]
        elif block.kind == "row":
            found[-1].units.append(Unit(kind="row", text=block.text, lead=block.lead))
        else:
            found[-1].units += _spoken(block)
        found[-1].links |= dict.fromkeys(block.links)
    return tuple(
        Part(
            path=part.path,
            level=part.level,
            anchor=part.anchor,
            units=tuple(part.units),
            links=tuple(part.links),
        )
        for part in found
        if part.units or part.path
    )


class Anchors:
    """Names for headings as GitHub makes them; a second heading of the same words gets `-1`, and so on."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}

    def name(self, heading: str, given: str = "") -> str:
        """Return the anchor of the next heading."""
        base = given or slug(heading)
        if base not in self._taken:
            self._taken[base] = 0
            return base
        while True:
            self._taken[base] += 1
            candidate = f"{base}-{self._taken[base]}"
            if candidate not in self._taken:
                self._taken[candidate] = 0
                return candidate


def slug(heading: str) -> str:
    """Return GitHub's anchor for a heading: lower case, punctuation dropped, blanks as hyphens."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def rendered(units: Sequence[Unit]) -> str:
    """Return units as plain lines: sentences of a paragraph together, items and rows on their own."""
    return placed(units)[0]


def placed(units: Sequence[Unit]) -> tuple[str, list[tuple[int, int]]]:
    """Return units as plain lines, and where each of them stands in the text."""
    text = header = ""
    places: list[tuple[int, int]] = []
    for unit in units:
        if text:
            text += " " if unit.joined else "\n"
        if unit.kind == "row" and unit.lead and unit.lead != header:
            header = unit.lead
            text += f"{header}\n"
        if unit.kind == "item" and not unit.joined:
            text += "- "
        places.append((len(text), len(text) + len(unit.text)))
        text += unit.text
    return text, places


def section_links(parts: Sequence[Part], place: int) -> tuple[tuple[str, str], ...]:
    """Return the links in the section that part `place` opens, each once."""
    return tuple(dict.fromkeys(link for part in _below(parts, place) for link in part.links))


def _below(parts: Sequence[Part], place: int) -> Iterator[Part]:
    """Yield a part and those under its heading."""
    first = parts[place]
    for number, part in enumerate(parts[place:]):
        if number and (part.level <= first.level or not first.level):
            break
        yield part


def section_text(parts: Sequence[Part], place: int) -> tuple[str, str]:
    """Return the whole text of the section that part `place` opens, and its body before any subsection."""
    first = parts[place]
    lines: list[str] = []
    for part in _below(parts, place):
        if part.path:
            lines.append(f"{'#' * part.level} {part.heading}")
        if part.units:
            lines.append(rendered(part.units))
    return "\n".join(lines), rendered(first.units)


def normalised(text: str) -> str:
    """Return text in the one form that is hashed.

    Unicode NFC; each run of blanks is one space; lines without leading or trailing blanks; no empty lines.
    Markup, line wrapping and hidden characters are gone by then, so they never change a hash; a changed word,
    number, heading or order does.
    """
    lines = (" ".join(line.split()) for line in unicodedata.normalize("NFC", text).splitlines())
    return "\n".join(line for line in lines if line)


def text_hash(text: str) -> str:
    """Return the SHA-256 of the normalised text, in hexadecimal."""
    return hashlib.sha256(normalised(text).encode()).hexdigest()
