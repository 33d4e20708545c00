"""Editions: immutable indexes of what the company has written. Open one, read its sections.

A home holds them in `editions/<id>/`. Which one serves is in `knowledge.serving`, how they are built in
`knowledge.build`.
"""

from __future__ import annotations

import hashlib
import os
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from knowledge import learnt
from knowledge.documents import (
    EVERYONE,
    PUBLIC,
    Document,
    Part,
    Section,
    Standing,
    Terms,
    section_links,
    section_text,
    text_hash,
)
from knowledge.errors import DamagedEdition, NoEdition
from knowledge.lexical import Lexical, Seen
from knowledge.manifest import CHROMA, LEXICAL, MANIFEST, UNITS, VECTORS, WORDING, hold, read_manifest
from knowledge.rows import Rows
from knowledge.serving import EDITIONS, CurrentFile, Serving
from knowledge.texts import Head, Span, Texts
from knowledge.tokens import Tokens
from knowledge.wording import Wording

Vectors = NDArray[np.float32]
_READERS = 64  # kinds of reader whose passages are remembered
_VIEWS = 16  # and whose words are


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Whom an answer is for: the audiences they belong to, where they work, and the day on which they ask.

    `regions` None means that nobody knows: then no document is left out for its regions. `standing` names the
    only documents that are heard, and None means all. `inside` is false of guests and other companies: for
    them is what is public, and not what is for everyone.
    """

    today: date
    audiences: frozenset[str] = frozenset({EVERYONE})
    regions: frozenset[str] | None = None
    standing: Standing | None = None
    inside: bool = True

    def may_read(self, head: Head) -> bool:
        """Tell whether a document is for this reader and in force today."""
        terms = head.terms
        return (
            self.is_among(*group_of(terms))
            and (terms.effective is None or terms.effective <= self.today)
            and (terms.expires is None or terms.expires >= self.today)
        )

    @property
    def _heard(self) -> frozenset[str]:
        return self.audiences | {EVERYONE, PUBLIC} if self.inside else frozenset({PUBLIC})

    def is_among(self, audience: frozenset[str], regions: frozenset[str], standing: Standing) -> bool:
        """Tell whether documents of that audience, regions and standing are for this reader."""
        return (
            bool(audience & self._heard)
            and (self.regions is None or not regions or bool(regions & self.regions))
            and self.standing in {None, standing}
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """What an edition's words are to a reader: learnt from the documents that are for them, and no other."""

    lexical: Seen
    wording: Wording


class Edition:
    """One edition, open for reading by any number of threads. Nobody sweeps it while it is open."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        handle = hold(folder)
        self._opened = os.fstat(handle)
        self._held = weakref.finalize(self, os.close, handle)
        self.manifest = read_manifest(folder)
        self.id: str = folder.name
        self.texts = Texts(folder)
        self._readable: dict[Reader, NDArray[np.int64]] = {}
        self._views: dict[tuple[int, ...], View] = {}

    @property
    def documents(self) -> tuple[Head, ...]:
        """Every document, without its text, whoever may read it."""
        return self.texts.heads

    @property
    def passages(self) -> int:
        """How many passages can be found."""
        return len(self.texts.documents)

    @cached_property
    def _groups(self) -> list[Group]:
        return groups_of(self.documents)[0]

    @cached_property
    def _lexical(self) -> Lexical:
        try:
            return Lexical.open(self.folder / LEXICAL)
        except (OSError, ValueError) as error:
            raise DamagedEdition(f"{self.folder / LEXICAL} cannot be read. Ingest again.") from error

    @cached_property
    def _learnt(self) -> list[learnt.Learnt]:
        try:
            return learnt.read(self.folder / WORDING)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DamagedEdition(f"{self.folder / WORDING} cannot be read. Ingest again.") from error

    def view(self, reader: Reader) -> View:
        """Return the edition's words as far as this reader's audiences reach."""
        seen = tuple(number for number, group in enumerate(self._groups) if reader.is_among(*group))
        known = self._views.get(seen)
        if known is None:
            wording = Wording.of([self._learnt[number] for number in seen])
            known = View(lexical=self._lexical.seen(seen), wording=wording)
            if len(self._views) >= _VIEWS:
                self._views.clear()
            self._views[seen] = known
        return known

    @cached_property
    def matrix(self) -> Vectors:
        """The vectors, row n for passage n: read from Chroma once, when the edition was built.

        They are checked against the manifest; a copy that is missing or wrong is read from Chroma again.
        """
        expected = self.manifest["vectors"]
        try:
            kept: Vectors = np.load(self.folder / VECTORS, mmap_mode="r")
            if vectors_hash(kept) == expected:
                return kept
        except (OSError, ValueError):
            pass
        from knowledge import vectors  # noqa: PLC0415 - Chroma takes seconds to import

        found = vectors.read(self.folder / CHROMA)
        if vectors_hash(found) != expected:
            raise DamagedEdition(
                f"The vectors of edition {self.id} are not those it was built with; ingest again."
            )
        return found

    @cached_property
    def units(self) -> Rows:
        """The vectors of all passages' units, in order."""
        path = self.folder / UNITS
        return Rows(path, count=self.texts.starts[-1], width=self.matrix.shape[1], dtype=np.float16)

    @cached_property
    def tokens(self) -> Tokens:
        """The short vectors of all passages' tokens."""
        found = Tokens(self.folder)
        if found.slots != self.texts.starts[-1] + self.passages:
            raise DamagedEdition(f"{self.folder} holds other token vectors than it was built with.")
        return found

    @cached_property
    def owners(self) -> NDArray[np.int32]:
        """The document of each passage, as a place in `documents`."""
        return self.texts.documents

    def readable(self, reader: Reader) -> NDArray[np.int64]:
        """Return the passages that a reader may read today: all else is gone before anything is ranked."""
        known = self._readable.get(reader)
        if known is None:
            allowed = np.array([reader.may_read(head) for head in self.documents], dtype=bool)
            known = np.flatnonzero(allowed[self.owners])
            if len(self._readable) >= _READERS:
                self._readable.clear()
            self._readable[reader] = known
        return known

    def section(self, document: str, anchor: str) -> Section | None:
        """Return the section that an anchor names, or None when there is none of that name.

        An empty anchor names what stands before the first heading. Who may read it is for the caller to ask
        (`Reader.may_read` of the document, or `Section.audience`).
        """
        place = next(
            (number for number, head in enumerate(self.documents) if head.document == document), None
        )
        if place is None:
            return None
        parts = self.texts.parts(place)
        for number, part in enumerate(parts):
            if part.anchor == anchor:
                return _section(self.documents[place], parts, number)
        return None

    def part(self, span: Span) -> Part:
        """Return the part of a document that a passage stands in."""
        return self.texts.part(span.document, span.part)

    def stands(self) -> bool:
        """Tell whether its id still means these files: a damaged edition is exchanged for a whole one."""
        try:
            return os.path.samestat(self._opened, (self.folder / MANIFEST).stat())
        except OSError:
            return False

    def close(self) -> None:
        """Let go of the files."""
        self.texts.close()
        for used in {"units", "tokens"} & self.__dict__.keys():
            self.__dict__[used].close()
        self._held()


def open_current(home: Path, serving: Serving | None = None) -> Edition:
    """Open the edition that serves, as `serving` says (default: the home's file).

    Raises NoEdition before the first ingest, ServesElsewhere and DamagedEdition.
    """
    serving = serving or CurrentFile(home)
    while True:
        name = serving.current()
        if name is None:
            raise NoEdition("There is nothing to answer from yet. Run: countersign ingest SOURCE")
        try:
            return Edition(home / EDITIONS / name)
        except DamagedEdition:
            if serving.current() == name:
                raise
            # it was exchanged, and swept, between the two


def current_id(home: Path) -> str | None:
    """Return the id of the edition that the home's file says serves, or None."""
    return CurrentFile(home).current()


Group = tuple[frozenset[str], frozenset[str], Standing]  # audience, regions


def group_of(terms: Terms) -> Group:
    """Return what decides, apart from the day, who reads a document."""
    return terms.audience, terms.regions, terms.standing


def groups_of(documents: Sequence[Head | Document]) -> tuple[list[Group], list[int]]:
    """Return the groups of documents that the same readers may read, and the group of each document."""
    groups: dict[Group, int] = {}
    numbers = [groups.setdefault(group_of(document.terms), len(groups)) for document in documents]
    return list(groups), numbers


def vectors_hash(matrix: Vectors) -> str:
    """Return the SHA-256 of vectors, row by row."""
    return hashlib.sha256(np.ascontiguousarray(matrix, dtype="<f4").data).hexdigest()


def _section(head: Head, parts: list[Part], place: int) -> Section:
    text, body = section_text(parts, place)
    terms = head.terms
    return Section(
        document=head.document,
        title=head.title,
        path=parts[place].path,
        anchor=parts[place].anchor,
        text=text,
        body=body,
        hash=text_hash(text),
        url=linked(terms.url, parts[place].anchor),
        owner=terms.owner,
        effective=terms.effective,
        expires=terms.expires,
        review=terms.review,
        audience=terms.audience,
        links=section_links(parts, place),
    )


def linked(url: str, anchor: str) -> str:
    """Return the address that opens a section, or nothing where the document has none."""
    return f"{url.partition('#')[0]}#{anchor}" if url and anchor else url
