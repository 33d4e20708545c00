"""The files of a home: of which kind each is, and which of them name a person."""

import base64
import fnmatch
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bot.privacy.stores import FILES, Erases, Files
from knowledge import keeping
from knowledge.edition import Edition
from knowledge.ingest import Progress
from knowledge.serving import EDITIONS, Serving

_PORTION = 1 << 20
_SKIPPED = {Erases.ROWS, Erases.OUTSIDE, Erases.NOBODY}


@dataclass(frozen=True, kw_only=True, slots=True)
class Mentions:
    """Where documents and other files name a person, and what was removed with them."""

    documents: list[str] = field(default_factory=list)  # of the edition that serves
    files: list[str] = field(default_factory=list)  # that somebody has to change
    editions: list[str] = field(default_factory=list)  # old ones


def kind_of(path: str) -> Files | None:
    """Return the kind of a file, by its path from the home; None for one that nobody has declared."""
    return next((kind for kind in FILES if any(_fits(path, one) for one in kind.patterns)), None)


def _fits(path: str, pattern: str) -> bool:
    if pattern.endswith("/**"):
        return path.startswith(pattern[:-2])
    return fnmatch.fnmatchcase(path, pattern) and path.count("/") == pattern.count("/")


def forms(words: Iterable[str]) -> set[bytes]:
    """Return how words may stand in a file: as they are, in JSON, in base64 and in hexadecimal."""
    found: set[bytes] = set()
    for word in words:
        for text in {word, word.lower(), word.upper()}:
            raw = text.encode()
            found |= {raw, json.dumps(text)[1:-1].encode(), raw.hex().encode()}
            found |= {_inner(raw, shift) for shift in range(3)} if len(raw) > _SHORTEST else set()
    return {one for one in found if one}


_SHORTEST = 8  # bytes of which base64 leaves enough to be told apart


def _inner(raw: bytes, shift: int) -> bytes:
    """Return what of a word's base64 is the same whatever stands before and behind it."""
    coded = base64.b64encode(b"\0" * shift + raw)
    return coded[(0, 2, 3)[shift] : len(coded) - 4]


def names(path: Path, wanted: Iterable[bytes]) -> bool:
    """Whether a file holds one of these, wherever in it."""
    needles = tuple(wanted)
    longest = max(map(len, needles), default=0)
    tail = b""
    try:
        with path.open("rb") as file:
            while portion := file.read(_PORTION):
                whole = tail + portion
                if any(needle in whole for needle in needles):
                    return True
                tail = whole[-longest:]
    except FileNotFoundError:  # the database takes files away meanwhile
        pass
    return False


def every(home: Path) -> Iterator[tuple[Path, str]]:
    """Yield every file of a home, with its path from there."""
    for path in sorted(home.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path, path.relative_to(home).as_posix()


def mentions(home: Path, serving: Serving, words: frozenset[str]) -> Mentions:
    """Return which documents, editions and other files of a home name a person."""
    wanted = forms(words)
    current = serving.current() if (home / EDITIONS).is_dir() else None
    old: set[str] = set()
    told: list[str] = []
    named = False
    for path, place in every(home):
        kind = kind_of(place)
        if (kind is not None and kind.erases in _SKIPPED) or not names(path, wanted):
            continue
        if kind is None or kind.erases is not Erases.EDITIONS:
            told.append(place)
        elif place.startswith(f"{EDITIONS}/"):
            edition = place.split("/")[1]
            named = named or edition == current
            old |= {edition} - {current}
    documents = _documents(home, current, words) if named and current is not None else []
    return Mentions(documents=documents, files=told, editions=sorted(old))


def _documents(home: Path, edition: str, words: frozenset[str]) -> list[str]:
    """Return the documents of an edition that name somebody."""
    opened = Edition(home / EDITIONS / edition)
    try:
        found = []
        for number, head in enumerate(opened.documents):
            said = f"{head}\n{opened.texts.parts(number)}".casefold()
            if any(word.casefold() in said for word in words):
                found.append(head.document)
        return found or [f"edition {edition}"]
    finally:
        opened.close()


def erase(home: Path, serving: Serving, words: frozenset[str], progress: Progress) -> Mentions:
    """Remove the old editions that name a person, and what no edition needs of the cache.

    Returns what is left for somebody to change. Raises KnowledgeError where an edition is not let go of.
    """
    found = mentions(home, serving, words)
    if found.editions:
        keeping.remove(home, serving, found.editions, progress, what="A person who is being erased")
    return found
