"""Whether an edition's files are what they were built as: everything that it promises, computed again."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from knowledge import marks
from knowledge.edition import Edition, vectors_hash
from knowledge.errors import KnowledgeError
from knowledge.lexical import Lexical
from knowledge.manifest import CHROMA, FILES, LEXICAL, MANIFEST, UNITS, VECTORS


def file_hashes(folder: Path) -> dict[str, dict[str, Any]]:
    """Return size and SHA-256 of every file of an edition, without its manifest and Chroma's own files.

    Chroma writes to its files whenever they are opened; what it holds is hashed in the manifest instead.
    """
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(f"{CHROMA}/") and name not in {MANIFEST, FILES}:
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            found[name] = {"size": path.stat().st_size, "sha256": sha256}
    return found


def changed_files(folder: Path) -> list[str]:
    """Return a line for each file that is missing, changed or too many."""
    try:
        expected: dict[str, dict[str, Any]] = json.loads((folder / FILES).read_text(encoding="utf-8"))
        found = file_hashes(folder)
        missing = sorted(expected.keys() - found.keys())
    except (OSError, ValueError, AttributeError) as error:
        return [f"{FILES} cannot be read: {error}"]
    lines = [f"{name} is missing" for name in missing]
    lines += [f"{name} was not built with it" for name in sorted(found.keys() - expected.keys())]
    changed = [name for name in expected.keys() & found.keys() if expected[name] != found[name]]
    return lines + [f"{name} has been changed" for name in sorted(changed)]


def damages(folder: Path) -> Iterator[str]:
    """Yield one line for each promise of an edition that its files do not keep.

    What is found here is what the next ingest goes by.
    """
    found = False
    for line in _damages(folder):
        found = True
        marks.path_of(folder).unlink(missing_ok=True)
        yield line
    if not found:
        marks.write(folder)  # Chroma has written to its files


def _damages(folder: Path) -> Iterator[str]:
    try:
        edition = Edition(folder)
    except KnowledgeError as error:
        yield str(error)
        yield from changed_files(folder)
        return
    try:
        yield from changed_files(folder)
        for look in (_texts, _places, _vectors, _chroma, _lexical):
            try:
                yield from look(edition)
            except (KnowledgeError, OSError, ValueError, KeyError, TypeError, sqlite3.Error) as error:
                yield str(error)
    finally:
        edition.close()


def _texts(edition: Edition) -> Iterator[str]:
    promised = dict(edition.manifest["documents"])
    for place, head in enumerate(edition.documents):
        content = promised.pop(head.document, None)
        if content is None:
            yield f"{head.document}: is in the texts, and not in the manifest"
        elif edition.texts.hash(place) != content["text"]:
            yield f"{head.document}: its text is not the one that was read from its file"
    for name in promised:
        yield f"{name}: is in the manifest, and not in the texts"


def _places(edition: Edition) -> Iterator[str]:
    if edition.passages != edition.manifest["passages"]:
        yield f"there are {edition.passages} passages in place of {edition.manifest['passages']}"
    units = np.load(edition.folder / UNITS, mmap_mode="r")
    if len(units) != edition.texts.starts[-1]:
        yield f"{UNITS} has {len(units)} rows in place of {edition.texts.starts[-1]}"
    held = {
        (document, place): len(part.units)
        for document in range(len(edition.documents))
        for place, part in enumerate(edition.texts.parts(document))
    }
    for span in edition.texts.spans(range(edition.passages)):
        if not 0 <= span.first < span.last <= held.get((span.document, span.part), 0):
            yield f"passage {span.number} stands where there is no text"


def _vectors(edition: Edition) -> Iterator[str]:
    kept = np.load(edition.folder / VECTORS, mmap_mode="r")
    if vectors_hash(kept) != edition.manifest["vectors"]:
        yield f"{VECTORS} does not hold the vectors that the manifest names"
    if len(kept) != edition.manifest["passages"]:
        yield f"{VECTORS} has {len(kept)} rows in place of {edition.manifest['passages']}"


def _chroma(edition: Edition) -> Iterator[str]:
    from knowledge import vectors  # noqa: PLC0415 - Chroma takes seconds to import

    if vectors_hash(vectors.read(edition.folder / CHROMA)) != edition.manifest["vectors"]:
        yield "Chroma does not hold the vectors that the manifest names"


def _lexical(edition: Edition) -> Iterator[str]:
    indexed = len(Lexical.open(edition.folder / LEXICAL).seen().scores([]))
    if indexed != edition.manifest["passages"]:
        yield f"{LEXICAL} was made of {indexed} passages in place of {edition.manifest['passages']}"
