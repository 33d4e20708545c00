"""The texts of an edition: one SQLite file, and where passages stand in it. Written once, then only read."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge.chunks import Chunk
from knowledge.documents import Document, Part, Terms, Unit
from knowledge.errors import DamagedEdition
from knowledge.manifest import PASSAGES, TEXTS

Places = NDArray[np.int32]
_PARTS = 2000  # parts of documents that are kept as they were last read

_SCHEMA = """
CREATE TABLE document (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, head TEXT NOT NULL);
CREATE TABLE part (
  document INTEGER NOT NULL, place INTEGER NOT NULL, anchor TEXT NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (document, place)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """A document without its text."""

    document: str
    title: str
    terms: Terms


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """Where a passage stands: units `first` to `last` (exclusive) of part `part` of document `document`."""

    number: int
    document: int
    part: int
    first: int
    last: int


def write(folder: Path, documents: Sequence[Document], chunks: Iterable[tuple[int, Chunk]]) -> None:
    """Write documents, and passages as pairs of a document's place and a chunk of it."""
    with closing(sqlite3.connect(folder / TEXTS)) as base:
        base.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=FULL; {_SCHEMA}")
        for number, document in enumerate(documents):
            base.execute(
                "INSERT INTO document VALUES (?,?,?)", (number, document.document, head_json(document))
            )
            base.executemany(
                "INSERT INTO part VALUES (?,?,?,?)",
                ((number, place, part.anchor, part_json(part)) for place, part in enumerate(document.parts)),
            )
        base.commit()
    places = [(document, chunk.part, chunk.first, chunk.last) for document, chunk in chunks]
    np.save(folder / PASSAGES, np.array(places, dtype=np.int32).reshape(-1, 4))


def head_json(document: Document) -> str:
    """Return what is kept of a document besides its parts, the same for the same content."""
    said = document.terms
    terms = asdict(said) | {"audience": sorted(said.audience), "regions": sorted(said.regions)}
    return _json({"title": document.title, "terms": terms})


def part_json(part: Part) -> str:
    """Return what is kept of a part, the same for the same content."""
    units = [[unit.kind, unit.text, unit.lead, int(unit.joined)] for unit in part.units]
    links = {"links": part.links} if part.links else {}
    return _json({"path": part.path, "level": part.level, "units": units, **links})


def content_hash(name: str, head: str, parts: Iterable[tuple[str, str]]) -> str:
    """Return the SHA-256 of a document: its name, its head, and its parts as anchor and body."""
    return hashlib.sha256(_json([name, head, list(parts)]).encode()).hexdigest()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, default=_iso)


def _iso(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{value!r} has no place in an edition")


class Texts:
    """An edition's texts, open for reading by any number of threads."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._parts: dict[tuple[int, int], Part] = {}
        path = folder / TEXTS
        try:
            self._base = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
            )
            self.heads = tuple(
                self._head(*row) for row in self._all("SELECT name, head FROM document ORDER BY id")
            )
        except (sqlite3.Error, ValueError, KeyError, TypeError) as error:
            raise DamagedEdition(f"{path} cannot be read. Ingest again.") from error
        try:
            self._places: Places = np.load(folder / PASSAGES)
        except (OSError, ValueError) as error:
            raise DamagedEdition(f"{folder / PASSAGES} cannot be read. Ingest again.") from error
        self.documents: Places = np.ascontiguousarray(self._places[:, 0])
        # Passage n's units are rows starts[n] to starts[n + 1] of the edition's unit vectors.
        self.starts = np.zeros(len(self._places) + 1, dtype=np.int64)
        np.cumsum(self._places[:, 3] - self._places[:, 2], out=self.starts[1:])

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._base.close()

    def _all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._base.execute(query, values).fetchall()

    @staticmethod
    def _head(name: str, head: str) -> Head:
        data = json.loads(head)
        terms = data["terms"]
        dates = {
            key: date.fromisoformat(terms[key]) if terms[key] else None
            for key in ("effective", "expires", "review")
        }
        sets = {key: frozenset(terms[key]) for key in ("audience", "regions")}
        whole = Terms(**(terms | dates | sets))
        return Head(document=name, title=data["title"], terms=whole)

    def spans(self, numbers: Sequence[int]) -> list[Span]:
        """Return where passages stand, in the order asked for."""
        return [
            Span(number=int(number), document=document, part=part, first=first, last=last)
            for number, (document, part, first, last) in zip(
                numbers, self._places[list(numbers)].tolist(), strict=True
            )
        ]

    def hash(self, document: int) -> str:
        """Return the hash of a document as it is kept."""
        ((name, head),) = self._all("SELECT name, head FROM document WHERE id=?", document)
        rows = self._all("SELECT anchor, body FROM part WHERE document=? ORDER BY place", document)
        return content_hash(name, head, [(anchor, body) for anchor, body in rows])

    def parts(self, document: int) -> list[Part]:
        """Return all parts of a document, in order."""
        rows = self._all("SELECT anchor, body FROM part WHERE document=? ORDER BY place", document)
        return [_part(*row) for row in rows]

    def part(self, document: int, place: int) -> Part:
        """Return one part of a document."""
        known = self._parts.get((document, place))
        if known is None:
            (row,) = self._all("SELECT anchor, body FROM part WHERE document=? AND place=?", document, place)
            known = _part(*row)
            if len(self._parts) >= _PARTS:
                self._parts.clear()
            self._parts[document, place] = known
        return known


def _part(anchor: str, body: str) -> Part:
    data = json.loads(body)
    units = tuple(
        Unit(kind=kind, text=text, lead=lead, joined=bool(joined))
        for kind, text, lead, joined in data["units"]
    )
    links = tuple((words, address) for words, address in data.get("links", ()))
    return Part(path=tuple(data["path"]), level=data["level"], anchor=anchor, units=units, links=links)
