"""Building an edition from sources, beside the one that serves, and putting it in its place at once."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from knowledge import cache, learnt, texts, tokens
from knowledge.chunks import Chunk, chunks_of
from knowledge.documents import Document
from knowledge.edition import (
    CHROMA,
    FORMAT,
    LEXICAL,
    MANIFEST,
    TEXTS,
    UNITS,
    VECTORS,
    WORDING,
    Edition,
    current_id,
    groups_of,
    manifest_id,
    vectors_hash,
)
from knowledge.embedder import Embedder, Reading
from knowledge.errors import BuildFailed, DamagedEdition, KnowledgeError, NothingToIngest, Unreadable
from knowledge.learnt import learn
from knowledge.lexical import Lexical
from knowledge.sources.base import Entry, Problem, Source

READING = 2  # a new number when the same files would give other sections or passages


class Progress(Protocol):
    """Hears how a build goes on."""

    def step(self, name: str, done: int, total: int) -> None:
        """`done` of `total` in the step called `name`: reading, embedding or indexing."""

    def problem(self, problem: Problem) -> None:
        """A file was left out."""

    def removed(self, document: str, hidden: Mapping[str, int]) -> None:
        """Something that no reader would see was taken out of a document: how many of each kind."""

    def note(self, text: str) -> None:
        """Something else worth a line."""


def build(home: Path, sources: Sequence[Source], embedder: Embedder, progress: Progress) -> Edition:
    """Build an edition of exactly these sources and let it serve; return it open.

    The edition before it keeps serving until the last moment, and for good when anything fails. Where nothing
    has changed, nothing is built. Raises NothingToIngest, or BuildFailed when the home cannot take the files.
    """
    editions = home / "editions"
    try:
        editions.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone(editions, progress):
            found = _entries(sources)
            inputs = _inputs(found, embedder)
            return _unchanged(home, inputs, progress) or _built(home, found, inputs, embedder, progress)
    except OSError as error:
        raise BuildFailed(_refused(home, error)) from error
    except sqlite3.Error as error:
        raise BuildFailed(f"The edition cannot be written to {home}: {error}. {_SAFE}") from error


_SAFE = "What served before still serves."


def _refused(home: Path, error: OSError) -> str:
    full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    reason = "the disk is full" if full else error.strerror or str(error)
    return f"The edition cannot be written to {home}: {reason}. {_SAFE}"


@contextmanager
def _alone(editions: Path, progress: Progress) -> Iterator[None]:
    """Hold the home's ingest lock, waiting for whoever has it; then clear away what a killed ingest left."""
    with (editions / ".lock").open("w") as lock:
        waited = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waited:
                    progress.note("Another ingest is at work in this home; waiting for it to finish.")
                waited = True
                time.sleep(0.2)
        for left in editions.glob(".building-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    entries: list[Entry]
    problems: list[Problem]
    states: list[dict[str, str]]  # what sources were at, such as a commit


def _entries(sources: Sequence[Source]) -> _Found:
    entries: dict[str, Entry] = {}
    problems: list[Problem] = []
    for source in sources:
        before = len(entries) + len(problems)
        for found in source.entries():
            if isinstance(found, Problem):
                problems.append(found)
            elif found.document in entries:
                problems.append(Problem(document=found.document, reason="another document has the same name"))
            else:
                entries[found.document] = found
        if before == len(entries) + len(problems):
            raise NothingToIngest(
                f"{source.name} holds no document: no Markdown, HTML, PDF, DOCX or text file."
            )
    states = [{"name": source.name, "state": source.state} for source in sources if source.state]
    return _Found(entries=list(entries.values()), problems=problems, states=states)


def _inputs(found: _Found, embedder: Embedder) -> str:
    """Return a hash of all that decides what an edition holds."""
    rows = [[entry.document, entry.sha256, entry.basis] for entry in found.entries] + [
        [str(problem)] for problem in found.problems
    ]
    whole = json.dumps([FORMAT, READING, embedder.fingerprint, rows], ensure_ascii=False)
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()


def _unchanged(home: Path, inputs: str, progress: Progress) -> Edition | None:
    try:
        name = current_id(home)
        if name is None:
            return None
        edition = Edition(home / "editions" / name)
    except DamagedEdition:
        return None
    if edition.manifest["inputs"] == inputs:
        for problem in edition.manifest["problems"]:
            progress.problem(Problem(**problem))
        for document, content in edition.manifest["documents"].items():
            if content["hidden"]:
                progress.removed(document, content["hidden"])
        return edition
    edition.close()
    return None


def _built(home: Path, found: _Found, inputs: str, embedder: Embedder, progress: Progress) -> Edition:
    entries, problems = found.entries, list(found.problems)
    for problem in problems:
        progress.problem(problem)
    documents = _documents(entries, problems, progress)
    chunks = [(place, chunk) for place, document in enumerate(documents) for chunk in chunks_of(document)]

    def embedded(done: int, reused: int) -> None:
        progress.step("embedding", done, len(chunks))

    spanned = [(chunk.text, chunk.spans) for _, chunk in chunks]
    readings = cache.read(home / "cache" / "vectors-2.sqlite", embedder, spanned, embedded)
    with tempfile.TemporaryDirectory(
        dir=home / "editions", prefix=".building-", ignore_cleanup_errors=True
    ) as work:
        making = Path(work) / "edition"
        making.mkdir()
        kept = _index(making, readings, documents, chunks, progress)
        manifest = {
            "format": FORMAT,
            "inputs": inputs,
            "embedder": embedder.fingerprint,
            "documents": {document.document: _content(document) for document in documents},
            "passages": len(chunks),
            "vectors": vectors_hash(kept),
            "problems": [asdict(problem) for problem in problems],
            "sources": found.states,
        }
        (making / MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False), encoding="utf-8")
        target = home / "editions" / manifest_id(manifest)
        _settle(making, target)
    edition = Edition(target)
    _activate(home, edition.id)
    return edition


def _documents(entries: Sequence[Entry], problems: list[Problem], progress: Progress) -> list[Document]:
    documents: list[Document] = []
    for number, entry in enumerate(entries, start=1):
        try:
            document = entry.read()
        except Unreadable as error:
            problems.append(Problem(document=entry.document, reason=str(error)))
            progress.problem(problems[-1])
        else:
            documents.append(document)
            if document.hidden:
                progress.removed(document.document, dict(document.hidden))
        progress.step("reading", number, len(entries))
    if not documents:
        raise NothingToIngest("No document could be read.")
    return documents


def _index(
    making: Path,
    readings: Sequence[Reading],
    documents: Sequence[Document],
    chunks: Sequence[tuple[int, Chunk]],
    progress: Progress,
) -> NDArray[np.float32]:
    """Write an edition's files but for the manifest; return the vectors as Chroma gives them back."""
    from knowledge import vectors  # noqa: PLC0415 - Chroma takes seconds to import

    texts.write(making / TEXTS, documents, chunks)
    said = [chunk.text for _, chunk in chunks]
    groups, numbers = groups_of(documents)
    group = [numbers[place] for place, _ in chunks]
    Lexical.build(said, group).save(making / LEXICAL)
    learnt.save(
        making / WORDING,
        [
            learn(text for text, one in zip(said, group, strict=True) if one == number)
            for number in range(len(groups))
        ],
    )
    metadata = [
        {"document": documents[place].document, "anchor": documents[place].parts[chunk.part].anchor}
        for place, chunk in chunks
    ]
    np.save(making / UNITS, np.concatenate([reading.spans for reading in readings]).astype(np.float16))
    tokens.write(making, [(reading.tokens, reading.counts) for reading in readings])
    matrix = np.stack([reading.whole for reading in readings])
    vectors.write(
        making / CHROMA, matrix, metadata, lambda done: progress.step("indexing", done, len(chunks))
    )
    kept = vectors.read(making / CHROMA)
    np.save(making / VECTORS, kept)
    return kept


def _content(document: Document) -> dict[str, Any]:
    """Return the hashes of a document's bytes and of what was understood of them."""
    whole = "\n".join([texts.head_json(document), *(texts.part_json(part) for part in document.parts)])
    return {
        "file": document.sha256,
        "text": hashlib.sha256(whole.encode()).hexdigest(),
        "hidden": dict(document.hidden),
    }


def _settle(making: Path, target: Path) -> None:
    """Make an edition's files safe on disk and move them to their place, unless they are there already."""
    for path in making.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    if target.exists():
        try:
            Edition(target).close()
        except KnowledgeError:
            shutil.rmtree(target)
        else:
            return
    making.rename(target)
    _sync(target.parent)


def _activate(home: Path, name: str) -> None:
    """Let an edition serve: readers see the old one or the new one, never neither."""
    editions = home / "editions"
    new = editions / ".current-new"
    with new.open("w", encoding="ascii") as file:
        file.write(f"{name}\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(editions / "current")
    _sync(editions)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
