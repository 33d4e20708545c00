"""The texts of an edition: one SQLite file, written once and then only read."""

from __future__ import annotations

import itertools
import json
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from knowledge.chunks import Chunk
from knowledge.documents import Document, Part, Terms, Unit
from knowledge.errors import DamagedEdition

_SCHEMA = """
CREATE TABLE document (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, head TEXT NOT NULL);
CREATE TABLE part (
  document INTEGER NOT NULL, place INTEGER NOT NULL, anchor TEXT NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (document, place)
) WITHOUT ROWID;
CREATE TABLE passage (
  id INTEGER PRIMARY KEY, document INTEGER NOT NULL, part INTEGER NOT NULL,
  first INTEGER NOT NULL, last INTEGER NOT NULL
);
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


def write(path: Path, documents: Sequence[Document], chunks: Iterable[tuple[int, Chunk]]) -> None:
    """Write documents, and passages as pairs of a document's place and a chunk of it."""
    with closing(sqlite3.connect(path)) as base:
        base.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=FULL; {_SCHEMA}")
        for number, document in enumerate(documents):
            base.execute(
                "INSERT INTO document VALUES (?,?,?)", (number, document.document, head_json(document))
            )
            base.executemany(
                "INSERT INTO part VALUES (?,?,?,?)",
                ((number, place, part.anchor, part_json(part)) for place, part in enumerate(document.parts)),
            )
        base.executemany(
            "INSERT INTO passage VALUES (?,?,?,?,?)",
            ((n, doc, chunk.part, chunk.first, chunk.last) for n, (doc, chunk) in enumerate(chunks)),
        )
        base.commit()


def head_json(document: Document) -> str:
    """Return what is kept of a document besides its parts, the same for the same content."""
    said = document.terms
    terms = asdict(said) | {"audience": sorted(said.audience), "regions": sorted(said.regions)}
    return _json({"title": document.title, "terms": terms})


def part_json(part: Part) -> str:
    """Return what is kept of a part, the same for the same content."""
    units = [[unit.kind, unit.text, unit.lead, int(unit.joined)] for unit in part.units]
    return _json({"path": part.path, "level": part.level, "units": units})


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, default=_iso)


def _iso(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{value!r} has no place in an edition")


class Texts:
    """An edition's texts, open for reading by any number of threads."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        try:
            self._base = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
            )
            self.heads = tuple(
                self._head(*row) for row in self._all("SELECT name, head FROM document ORDER BY id")
            )
            passages = self._all("SELECT document, last - first FROM passage ORDER BY id")
        except sqlite3.Error as error:
            raise DamagedEdition(f"{path} cannot be read: {error}.") from error
        self.documents = tuple(row[0] for row in passages)
        # Passage n's units are rows starts[n] to starts[n + 1] of the edition's unit vectors.
        self.starts = tuple(itertools.accumulate((row[1] for row in passages), initial=0))

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
        marks = ",".join("?" * len(numbers))
        rows = self._all(
            f"SELECT id, document, part, first, last FROM passage WHERE id IN ({marks})", *numbers
        )  # only question marks go in
        found = {
            row[0]: Span(number=row[0], document=row[1], part=row[2], first=row[3], last=row[4])
            for row in rows
        }
        return [found[number] for number in numbers]

    def parts(self, document: int) -> list[Part]:
        """Return all parts of a document, in order."""
        rows = self._all("SELECT anchor, body FROM part WHERE document=? ORDER BY place", document)
        return [_part(*row) for row in rows]

    def part(self, document: int, place: int) -> Part:
        """Return one part of a document."""
        (row,) = self._all("SELECT anchor, body FROM part WHERE document=? AND place=?", document, place)
        return _part(*row)


def _part(anchor: str, body: str) -> Part:
    data = json.loads(body)
    units = tuple(
        Unit(kind=kind, text=text, lead=lead, joined=bool(joined))
        for kind, text, lead, joined in data["units"]
    )
    return Part(path=tuple(data["path"]), level=data["level"], anchor=anchor, units=units)
