"""Ingest: sources to the edition that serves. Quick where nothing has changed: hash, compare, end."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from knowledge import marks
from knowledge.errors import BuildFailed, DamagedEdition, NothingToIngest
from knowledge.locks import held
from knowledge.manifest import FORMAT, READING, read_manifest
from knowledge.serving import EDITIONS, CurrentFile, Serving, Why
from knowledge.sources.base import Entry, Problem, Source

if TYPE_CHECKING:
    from knowledge.embedder import Embedder


class Progress(Protocol):
    """Hears how an ingest goes on."""

    def step(self, name: str, done: int, total: int) -> None:
        """`done` of `total` in the step called `name`: reading, embedding or indexing."""

    def problem(self, problem: Problem) -> None:
        """A file was left out."""

    def removed(self, document: str, hidden: Mapping[str, int]) -> None:
        """Something that no reader would see was taken out of a document: how many of each kind."""

    def note(self, text: str) -> None:
        """Something else worth a line."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What the sources hold now."""

    entries: list[Entry]
    problems: list[Problem]
    states: list[dict[str, str]]  # what sources were at, such as a commit


@dataclass(frozen=True, kw_only=True, slots=True)
class Ingested:
    """The edition that serves after an ingest."""

    edition: str
    documents: int
    passages: int
    unchanged: bool  # it served already: the sources hold what it was built from


def ingest(
    home: Path,
    sources: Sequence[Source],
    embedder: Embedder,
    progress: Progress,
    *,
    serving: Serving | None = None,
    by: str = "",
    why: Why = "ingest",
) -> Ingested:
    """Build an edition of exactly these sources and let it serve.

    `serving` says where that is written (default: in the home's file). The edition before it keeps serving
    until the last moment, and for good when anything fails. Where nothing has changed, nothing is built.
    Raises NothingToIngest, or BuildFailed when the home cannot take the files.
    """
    serving = serving or CurrentFile(home)
    editions = home / EDITIONS
    try:
        editions.mkdir(parents=True, exist_ok=True, mode=0o700)
        with alone(editions, progress):
            found = _entries(sources)
            inputs = _inputs(found, embedder)
            served = _served(home, serving)
            if served is not None and served[1]["inputs"] == inputs:
                damage = marks.damage(editions / served[0])
                if not damage:
                    _report(served[1], progress)
                    return _ingested(*served, unchanged=True)
                progress.note(f"Edition {served[0]} was damaged ({damage}). It is built again.")
            serve = partial(serving.activate, by=by, why=why)
            return _built(home, found, inputs, embedder, progress, then=serve)
    except OSError as error:
        raise BuildFailed(_refused(home, error)) from error
    except sqlite3.Error as error:
        raise BuildFailed(f"The edition cannot be written to {home}: {error}.") from error


def _built(
    home: Path,
    found: Found,
    inputs: str,
    embedder: Embedder,
    progress: Progress,
    *,
    then: Callable[[str], None],
) -> Ingested:
    """Write an edition, and hold it against sweeping until it serves."""
    from knowledge import build  # noqa: PLC0415 - what reads, embeds and indexes takes seconds to import

    name, held = build.write(home, found, inputs, embedder, progress)
    try:
        then(name)
    finally:
        os.close(held)
    return _ingested(name, read_manifest(home / EDITIONS / name), unchanged=False)


def _ingested(name: str, manifest: Mapping[str, Any], *, unchanged: bool) -> Ingested:
    documents, passages = len(manifest["documents"]), manifest["passages"]
    return Ingested(edition=name, documents=documents, passages=passages, unchanged=unchanged)


def _refused(home: Path, error: OSError) -> str:
    full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    reason = "the disk is full" if full else error.strerror or str(error)
    return f"The edition cannot be written to {home}: {reason}."


@contextmanager
def alone(editions: Path, progress: Progress) -> Iterator[None]:
    """Hold the home's ingest lock, waiting for whoever has it; then clear away what a killed ingest left."""
    note = "Another ingest is at work in this home; waiting for it to finish."
    with held(editions / ".lock", lambda: progress.note(note)):
        for left in (*editions.glob(".building-*"), *editions.glob(".sweeping-*")):
            shutil.rmtree(left, ignore_errors=True)
        yield


def _entries(sources: Sequence[Source]) -> Found:
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
    return Found(entries=list(entries.values()), problems=problems, states=states)


def _inputs(found: Found, embedder: Embedder) -> str:
    """Return a hash of all that decides what an edition holds."""
    rows = [[entry.document, entry.sha256, entry.basis] for entry in found.entries] + [
        [str(problem)] for problem in found.problems
    ]
    whole = json.dumps([FORMAT, READING, embedder.fingerprint, rows], ensure_ascii=False)
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()


def _served(home: Path, serving: Serving) -> tuple[str, dict[str, Any]] | None:
    """Return the id and the manifest of the edition that serves, unless there is none that can be read."""
    try:
        name = serving.current()
        if name is None:
            return None
        return name, read_manifest(home / EDITIONS / name)
    except DamagedEdition:
        return None


def _report(manifest: Mapping[str, Any], progress: Progress) -> None:
    """Say again what was said when the edition was built."""
    for problem in manifest["problems"]:
        progress.problem(Problem(**problem))
    for document, content in manifest["documents"].items():
        if content["hidden"]:
            progress.removed(document, content["hidden"])
