"""HTML to blocks. Markdown comes this way too, so that one place decides what a reader sees."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Sequence

from bs4 import BeautifulSoup, Comment, Tag
from bs4.element import NavigableString, PreformattedString
from soupsieve import SelectorSyntaxError

from knowledge.documents import Block
from knowledge.errors import Unreadable
from knowledge.hidden import COMMENT, ELEMENT, blends, colours, hides
from knowledge.sources.declared import in_page, in_text
from knowledge.sources.reading import Reading

_UNREAD_TAGS = """
script style template noscript head nav svg iframe object embed canvas audio video form del s strike
"""
_BLOCK_TAGS = """
address article aside blockquote body center dd details dialog div dl dt fieldset figcaption figure footer
header hgroup hr html li main menu ol p pre section summary table tbody td tfoot th thead tr ul
"""
_UNREAD = frozenset(_UNREAD_TAGS.split())
_BLOCKS = frozenset(_BLOCK_TAGS.split())
_HEADING = re.compile(r"h([1-6])$")
_LONGEST_LEAD = 45  # words
_BRACE = re.compile(r"[{}]")
_TELLING = re.compile(
    r"display|visibility|opacity|color|background|font-size|indent|clip|overflow|left|top|scale"
)
_RULES = 300  # of a page's style sheets that are looked at
_SELECTOR = 1000  # characters of one
_STYLING = 15  # seconds of computing for them


def read(html: str, *, whole: bool = False) -> Reading:
    """Return a page's blocks in reading order, without what its reader would not see.

    With `whole` its text is searched for a misplaced audience too; that of Markdown has been.
    """
    soup = BeautifulSoup(html, "lxml")
    reading = Reading(title=_squeezed(soup.title.get_text()) if soup.title else "")
    reading.declared = in_page(soup) or (in_text(_said(soup), code=False) if whole else "")
    reading.hidden = _strip(soup)
    reading.language = _language(soup)
    walker = _Walker(reading.blocks)
    for child in _content(soup).children:
        walker.walk(child)
    walker.flush()
    return reading


def _said(soup: BeautifulSoup) -> str:
    """Return a page's text without examples of code."""
    strings = soup.find_all(string=lambda text: not isinstance(text, PreformattedString))
    unsaid = {"pre", "code", "samp", "script", "style", "template", "title"}
    return "\n".join(str(one) for one in strings if one.parent is None or one.parent.name not in unsaid)


def _content(soup: BeautifulSoup) -> Tag:
    """Return what a page is about: its main part where it names one, else all of it."""
    main = soup.find_all(lambda tag: tag.name == "main" or tag.get("role") == "main")
    if len(main) == 1 and main[0].get_text(strip=True):
        return main[0]
    return soup.body or soup


def _language(soup: BeautifulSoup) -> str:
    said = soup.html.get("lang") if soup.html else None
    return said.strip().lower() if isinstance(said, str) and re.fullmatch(r"\s*[\w-]{2,20}\s*", said) else ""


def _strip(soup: BeautifulSoup) -> Counter[str]:
    """Remove comments and elements that are not shown; return how many of them held words."""
    count: Counter[str] = Counter()
    for node in soup.find_all(string=lambda text: isinstance(text, PreformattedString)):
        if isinstance(node, Comment) and node.strip():
            count[COMMENT] += 1
        node.extract()
    _spread(soup)
    for element in soup.find_all(_is_unseen):
        if not element.decomposed:
            if element.get_text(strip=True):
                count[ELEMENT] += 1
            element.decompose()
    return count


def _spread(soup: BeautifulSoup) -> None:
    """Put what a page's own style sheets say about hiding and colours onto the elements that they mean.

    A later rule wins over an earlier one, and an element's own style over both; conditions such as printing
    are left out. Raises Unreadable where that takes too long: what they hide must not be read.
    """
    styles: dict[int, tuple[Tag, list[str]]] = {}
    rules = _rules("\n".join(sheet.get_text() for sheet in soup.find_all("style")))
    telling = [rule for rule in rules if _TELLING.search(rule[1])][:_RULES]
    until = time.process_time() + _STYLING
    for selector, style in telling:
        if time.process_time() > until:
            raise Unreadable(f"its style sheets take more than {_STYLING} s of computing")
        try:
            meant = soup.select(selector)
        except (SelectorSyntaxError, NotImplementedError, ValueError):
            continue
        for element in meant:
            styles.setdefault(id(element), (element, []))[1].append(style)
    for element, found in styles.values():
        element["style"] = _merged([*found, _style(element)])


def _rules(text: str) -> list[tuple[str, str]]:
    """Return the selectors and declarations of a style sheet that hold without a condition.

    It is read once from left to right, whatever it holds.
    """
    text = _uncommented(text)
    found: list[tuple[str, str]] = []
    depth = start = 0
    heads: list[str] = []  # what stands before each open brace
    for brace in _BRACE.finditer(text):
        said, start = text[start : brace.start()], brace.end()
        if brace[0] == "{":
            depth += 1
            heads.append(said.rpartition(";")[2].strip())
        elif depth:
            depth -= 1
            head = heads.pop()
            if not depth and head and "@" not in head and len(head) <= _SELECTOR:
                found.append((head, said))
    return found


def _uncommented(text: str) -> str:
    """Return a style sheet without comments; one that never ends goes to the end."""
    kept: list[str] = []
    for place, piece in enumerate(text.split("/*")):
        kept.append(piece if not place else piece.partition("*/")[2])
    return "".join(kept)


def _merged(styles: Sequence[str]) -> str:
    said: dict[str, str] = {}
    for style in styles:
        for declaration in style.split(";"):
            name, colon, value = declaration.partition(":")
            if colon:
                said[name.strip().lower()] = value.strip()
    return "; ".join(f"{name}: {value}" for name, value in said.items())


def _is_unseen(element: Tag) -> bool:
    if element.has_attr("hidden") or element.get("aria-hidden") == "true":
        return True
    style = _style(element)
    if hides(style):
        return True
    ink = colours(style)[0] or _attribute(element, "color")
    return bool(ink) and blends(ink, _paper(element))


def _paper(element: Tag) -> str:
    """Return the nearest background colour behind an element, or nothing."""
    for one in (element, *element.parents):
        found = colours(_style(one))[1] or _attribute(one, "bgcolor")
        if found:
            return found
    return ""


def _style(element: Tag) -> str:
    style = element.get("style")
    return style if isinstance(style, str) else ""


def _attribute(element: Tag, name: str) -> str:
    value = element.get(name)
    return colours(f"color:{value}")[0] if isinstance(value, str) else ""


def _links(*tags: Tag) -> tuple[tuple[str, str], ...]:
    """Return the words and targets of those tags that are links."""
    pairs = [(_squeezed(tag.get_text()), tag.get("href")) for tag in tags if tag.name == "a"]
    return tuple((words, href) for words, href in pairs if words and isinstance(href, str) and href)


def _squeezed(text: str) -> str:
    return " ".join(text.split())


class _Walker:
    """Walks a page once, gathering inline text until a block ends."""

    def __init__(self, blocks: list[Block]) -> None:
        self._blocks = blocks
        self._text: list[str] = []
        self._items: list[str] = []  # the open list items' own texts, outermost first
        self._links: list[tuple[str, str]] = []
        self._intro = ""  # a paragraph that ends in a colon, just before a list or a table

    def flush(self) -> None:
        """End the block whose text is being gathered."""
        text = _squeezed("".join(self._text))
        self._text.clear()
        links, self._links = tuple(self._links), []
        if not text:
            return
        if self._items:
            self._item(text, links)
        else:
            self._blocks.append(Block(kind="paragraph", text=text, links=links))
            self._intro = text if text.endswith(":") else ""

    def _item(self, text: str, links: tuple[tuple[str, str], ...]) -> None:
        if not self._items[-1]:
            outer = next((own for own in reversed(self._items[:-1]) if own), self._intro)
            self._items[-1] = text
        else:  # a second paragraph of the same item
            outer = self._items[-1]
        lead = outer if len(outer.split()) <= _LONGEST_LEAD else ""
        self._blocks.append(Block(kind="item", text=text, level=len(self._items), lead=lead, links=links))

    def walk(self, node: object) -> None:
        """Take in one node and all that it holds."""
        if isinstance(node, NavigableString):
            self._text.append(str(node))
        elif isinstance(node, Tag) and node.name not in _UNREAD:
            self._tag(node)

    def _tag(self, tag: Tag) -> None:
        heading = _HEADING.match(tag.name)
        if heading:
            self._heading(tag, int(heading[1]))
        elif tag.name in {"br", "wbr"}:
            self._text.append(" ")
        elif tag.name == "table":
            self.flush()
            self._table(tag)
        elif tag.name == "pre":
            self.flush()
            self._blocks.append(Block(kind="code", text=tag.get_text().strip("\n")))
        elif tag.name in {"li", "dd"}:
            self._nested(tag)
        elif tag.name in _BLOCKS:
            self.flush()
            self._inside(tag)
            self.flush()
            if tag.name in {"ul", "ol", "dl"} and not self._items:
                self._intro = ""
        else:
            self._links += _links(tag)
            self._inside(tag)

    def _inside(self, tag: Tag) -> None:
        for child in tag.children:
            self.walk(child)

    def _heading(self, tag: Tag, level: int) -> None:
        self.flush()
        text = _squeezed(tag.get_text())
        anchor = tag.get("id")
        if text:
            self._intro = ""
            self._blocks.append(
                Block(
                    kind="heading", text=text, level=level, anchor=anchor if isinstance(anchor, str) else ""
                )
            )

    def _nested(self, tag: Tag) -> None:
        self.flush()
        self._items.append("")
        self._inside(tag)
        self.flush()
        self._items.pop()

    def _table(self, table: Tag) -> None:
        header: list[str] = []
        for number, row in enumerate(table.find_all("tr")):
            cells = row.find_all(["td", "th"], recursive=False)
            texts = [_squeezed(cell.get_text(" ")) for cell in cells]
            heads = all(cell.name == "th" for cell in cells)
            if number == 0 and heads and len(table.find_all("tr")) > 1:
                header = texts
            elif any(texts):
                lead = " | ".join(header) if any(header) else ""
                self._blocks.append(
                    Block(kind="row", text=" | ".join(texts), lead=lead, links=_links(*row.find_all("a")))
                )
        self._intro = ""
