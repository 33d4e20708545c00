"""Who may read a document, said in a way or in a place that is not front matter.

Nobody who writes `audiance:`, or a fence of four dashes, means everyone. What looks like a declaration of an
audience and is not understood closes its document; a text that merely speaks of an audience does not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from bs4 import BeautifulSoup, Comment

AUDIENCE = "audience"
_ERRORS = 2  # letters that may be wrong, missing, added or swapped
# Words of other languages, and other names for the same thing, that a front matter's key may be.
_WORDS = """
reader readers readership readableby visibleto visibility restrictedto allowedreaders allowedgroups
accessgroups zielgruppe leserkreis doelgroep doelpubliek publikum publiek publico pubblico publiccible
destinatarios destinatari malgrupp odbiorcy
"""
_MEANT = frozenset(_WORDS.split())
_OTHERS = frozenset({"ambience", "audition"})  # real words that are as near as a typing error
# Letters of other alphabets that look the same.
_ALIKE = str.maketrans("аеорсіԁѕуυνιεαοոս", "aeopcidsyuvieaonu")
_META = ("name", "property", "itemprop", "http-equiv")
_WORD_ENDS = re.compile(r"(?<=[a-z])(?=[A-Z])|[^0-9A-Za-z]+")

_LONGEST = 300  # characters of a line that are looked at
_KEY = r"[^\W\d_][\w.-]*(?:[ ][\w.-]+){0,2}"
_LINE = re.compile(
    rf"(?P<before>[\W_]{{0,24}}?)(?P<key>{_KEY})(?P<after>[\"'`*_\s>)\]?!]{{0,6}})[:=]+>?(?P<value>.*)"
)
_INSIDE = re.compile(r"[{,]\s*[\"']?(?P<key>[^\W\d_][\w.-]*)[\"']?\s*[:=]")
_TAG = re.compile(
    r"(?<!`)<\s*(?:meta\b[^>]{0,200}?\b(?:name|property|itemprop)\s*=\s*[\"']?)?(?P<key>[A-Za-z][\w:.-]*)"
)
_AFTER_FENCE = re.compile(r"(?:^|\s)[\"']?(?P<key>[^\W\d_][\w.-]*)[\"']?\s*[:=]")
_FENCE = re.compile(r"\s{0,3}(?P<marks>`{3,}|~{3,})")
_RULER = re.compile(r"\s*(?:[^\w\s]|_){2,}\s*\w*\s*$")  # ---, ----, +++, ;;;, ***, <!--, --- yaml
_ITEM = re.compile(r"\s*(?:[-*+\u2022]\s|\s{2,}\S|[\[\]{}()\"'#])")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s")
_LIST = re.compile(r"\[[^\]]*\](?!\()|\[[^\]]*$|\{|\(\s*[\"']")
_QUOTED = re.compile(r"[\"'][^\"']{0,80}[\"'][\s,;}\])>*/-]*$")
_NAMES = re.compile(r"[\w.@/&+-]+(?:\s*[,;|]\s*[\w.@/&+-]+)*[\s,;}\])>*/-]*$")
_JOINED = re.compile(r"\w[-_@]\w")


@lru_cache(maxsize=4096)
def near(key: str) -> bool:
    """Tell whether a key is the word audience, whole or as a part, give or take two letters."""
    plain = unicodedata.normalize("NFKD", key).translate(_ALIKE)
    plain = "".join(mark for mark in plain if not unicodedata.combining(mark))
    words = [word.casefold().translate(_ALIKE) for word in _WORD_ENDS.split(plain) if word]
    whole = "".join(words)
    return "audien" in whole or "audian" in whole or any(_misspelt(word) for word in (*words, whole))


def _misspelt(word: str) -> bool:
    if abs(len(word) - len(AUDIENCE)) > _ERRORS or word in _OTHERS:
        return False
    return _distance(word, AUDIENCE) <= _ERRORS


def _distance(one: str, other: str) -> int:
    """Return how many letters are missing, added, wrong or swapped between two words (Damerau)."""
    far = len(one) + len(other)
    rows: list[list[int]] = [[far] * (len(other) + 2), [far, *range(len(other) + 1)]]
    seen: dict[str, int] = {}  # where a letter stood last in the first word
    for down, letter in enumerate(one, start=1):
        row, same = [far, down], 0
        for right, match in enumerate(other, start=1):
            above = seen.get(match, 0)
            swapped = rows[above][same] + (down - above - 1) + 1 + (right - same - 1)
            changed = rows[down][right] + (letter != match)
            row.append(min(swapped, changed, row[-1] + 1, rows[down][right + 1] + 1))
            if letter == match:
                same = right
        rows.append(row)
        seen[letter] = down
    return rows[-1][-1]


def in_keys(pairs: Iterable[tuple[str, object]]) -> str:
    """Return the key of a mapping that means an audience and is not `audience`, or nothing.

    `audience` itself may stand at the top, once.
    """
    seen = False
    for key, value in pairs:
        name = str(key).strip().casefold()
        if name == AUDIENCE and not seen:
            seen = True
        elif near(str(key)) or re.sub(r"[\W_]", "", name) in _MEANT:
            return str(key)
        found = _below(value)
        if found:
            return found
    return ""


def _below(value: object) -> str:
    """Return the first key of what stands below another that means an audience."""
    waiting, seen = [value], set[int]()
    while waiting:
        one = waiting.pop()
        if not isinstance(one, dict | list | tuple | set) or id(one) in seen:  # YAML may refer to itself
            continue
        seen.add(id(one))
        if isinstance(one, dict):
            for key, inner in one.items():
                if near(str(key)):
                    return str(key)
                waiting.append(inner)
        else:
            waiting += one
    return ""


@dataclass(kw_only=True, slots=True)
class _State:
    """Where in a text we are."""

    top: bool = True  # nothing but what could be a document's first lines has been seen
    head: bool = True  # nor any prose; headings may have been
    block: bool = False  # in the lines right below a ruler
    fence: str = ""  # the marks that opened the code that we are in


def in_page(soup: BeautifulSoup) -> str:
    """Return where the parts of a page that no reader sees declare an audience, or nothing."""
    for comment in soup.find_all(string=lambda text: isinstance(text, Comment)):
        if in_text(comment.strip(), code=False):
            return "a comment"
    for tag in soup.find_all(True):
        if near(tag.name):
            return f"<{tag.name}>"
        if tag.name == "meta" and any(near(str(tag.get(one) or "")) for one in _META):
            return "<meta>"
        if tag.name == "script" and "ld+json" in str(tag.get("type") or "") and _quoted(tag.get_text()):
            return "<script>"
        said = next((name for name in tag.attrs if name.startswith("data-") and near(name[5:])), "")
        if said:
            return said
    return ""


def _quoted(text: str) -> bool:
    return any(near(key) for key in re.findall(r"\"([\w:@.-]{1,60})\"\s*:", text))


def in_properties(pairs: Iterable[tuple[str, object]]) -> str:
    """Return the property of a file that names an audience, or whose text does, or nothing."""
    for name, value in pairs:
        if near(name) or re.sub(r"[\W_]", "", name.casefold()) in _MEANT or in_text(str(value), code=False):
            return f"its property {name}"
    return ""


def in_text(text: str, *, code: bool = True) -> str:
    """Return a line of a text that declares an audience, shortened, or nothing.

    A declaration is a key and a value as a program would read them, at the top, below a ruler, or alone on a
    line. With `code`, what stands in fences or indented below prose is an example, as in Markdown.
    """
    state = _State()
    lines = text.split("\n")
    for number, whole in enumerate(lines):
        line = unicodedata.normalize("NFKC", whole[:_LONGEST])
        if not line.strip():
            state.block = False
            continue
        if code and _in_code(line, state):
            continue
        key = _declared(line, _following(lines, number), state)
        if key:
            return f"line {number + 1}: {key}"
        _passed(line, state)
    return ""


def _in_code(line: str, state: _State) -> bool:
    """Tell whether a line is part of an example; a fence before any prose holds none."""
    fence = _FENCE.match(line)
    if fence and not state.head:
        if not state.fence:
            state.fence = fence["marks"]
        elif fence["marks"].startswith(state.fence):
            state.fence = ""
        return True
    return bool(state.fence) or (not state.head and line.startswith(("    ", "\t")))


def _following(lines: list[str], number: int) -> str:
    return next((line for line in lines[number + 1 : number + 3] if line.strip()), "")


def _declared(line: str, following: str, state: _State) -> str:
    """Return the key by which a line declares an audience, or nothing."""
    match = _LINE.match(line)
    if match and near(match["key"]) and "`" not in match["before"]:
        marked = bool(re.search(r"[*\-#>|\u2022_~]", match["before"]))
        value = match["value"].strip(" \t*_")
        if (state.top or state.block) and not marked and _is_short(value):
            return match["key"]
        small = match["key"][0].islower() and " " not in match["key"] and not marked
        if _is_machines(value or _item(following), weak=small or state.top):
            return match["key"]
    if re.match(r"\s*(?:[-+=]{2,}\s+\S|\{)", line):  # on one line with its ruler, or a record
        found = _AFTER_FENCE.finditer(line) if line.lstrip()[0] != "{" else _INSIDE.finditer(line)
        return _first(found)
    inside = _first(_INSIDE.finditer(line)) if state.head and "{" in line else ""
    return inside or _first(_TAG.finditer(line)) or _in_row(line, state)


def _first(matches: Iterator[re.Match[str]]) -> str:
    return next((match["key"] for match in matches if near(match["key"])), "")


def _in_row(line: str, state: _State) -> str:
    """Return the label of a table's row of two cells that names groups, before any prose."""
    cells = [cell.strip(" *_") for cell in line.strip().strip("|").split("|")] if state.head else []
    if len(cells) == 2 and near(cells[0]) and _is_machines(cells[1], weak=False):
        return cells[0]
    return ""


def _item(line: str) -> str:
    """Return what a line of a list holds, or nothing."""
    match = re.match(r"\s*[-*+]\s+(.*)", line)
    return match[1].strip() if match else ""


def _is_machines(value: str, *, weak: bool) -> bool:
    """Tell whether a value is written for a program: a list, a string in quotes, names without blanks."""
    if _LIST.match(value) or _QUOTED.match(value):
        return True
    return bool(_NAMES.match(value)) and (weak or bool(_JOINED.search(value)))


def _passed(line: str, state: _State) -> None:
    """Note what a line was."""
    if _RULER.match(line) or _FENCE.match(line):
        state.block = True
        return
    match = _LINE.match(line)
    if _HEADING.match(line):
        state.top = state.block = False
    elif not (match and _is_key(match)) and not _ITEM.match(line) and line.lstrip()[0] != "<":
        state.top = state.head = state.block = False


def _is_key(match: re.Match[str]) -> bool:
    """Tell whether a line with a colon could be a key and its value, and not a sentence."""
    value = match["value"].strip()
    return _is_short(value) and bool(value or " " not in match["key"])


def _is_short(value: str) -> bool:
    return len(value.split()) <= 10 and not value.endswith((".", ":", "?", "!"))
