"""Writing an edition: documents to passages, vectors and indexes, in a folder of their own.

When it is done, and whether there is anything to do, is decided in `knowledge.ingest`.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge import cache, learnt, marks, texts, tokens
from knowledge.chunks import Chunk, chunks_of
from knowledge.documents import Document
from knowledge.edition import Edition, groups_of, vectors_hash
from knowledge.embedder import Embedder, Reading
from knowledge.errors import Closed, NothingToIngest, Unreadable
from knowledge.ingest import Found, Progress, ingest
from knowledge.learnt import learn
from knowledge.lexical import Lexical
from knowledge.manifest import (
    CHROMA,
    FILES,
    FORMAT,
    KEYS,
    LEXICAL,
    MANIFEST,
    UNITS,
    VECTORS,
    WORDING,
    hold,
    manifest_id,
)
from knowledge.serving import EDITIONS, Serving, Why, sync
from knowledge.sources.base import Problem, Source
from knowledge.verify import file_hashes


def build(
    home: Path,
    sources: Sequence[Source],
    embedder: Embedder,
    progress: Progress,
    *,
    serving: Serving | None = None,
    by: str = "",
    why: Why = "ingest",
) -> Edition:
    """Do what `ingest` does, and return the edition that serves then, open."""
    done = ingest(home, sources, embedder, progress, serving=serving, by=by, why=why)
    return Edition(home / EDITIONS / done.edition)


def write(home: Path, found: Found, inputs: str, embedder: Embedder, progress: Progress) -> tuple[str, int]:
    """Write an edition of what was found to its place, and do not let it serve yet.

    Return its id, and a descriptor that holds it (see `knowledge.manifest.hold`) until it is closed.
    """
    documents, problems = _documents(found, progress)
    chunks = [(place, chunk) for place, document in enumerate(documents) for chunk in chunks_of(document)]
    spanned = [(chunk.text, chunk.spans) for _, chunk in chunks]
    readings = cache.read(
        home / cache.FILE,
        embedder,
        spanned,
        lambda done, reused: progress.step("embedding", done, len(chunks)),
        progress.note,
    )
    with tempfile.TemporaryDirectory(
        dir=home / EDITIONS, prefix=".building-", ignore_cleanup_errors=True
    ) as work:
        making = Path(work) / "edition"
        making.mkdir()
        kept = _index(making, readings, documents, chunks, progress)
        np.save(making / KEYS, cache.keys(embedder, spanned))
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
        _write_json(making / FILES, file_hashes(making))
        _write_json(making / MANIFEST, manifest)
        target = home / EDITIONS / manifest_id(manifest)
        _settle(making, target)
    return target.name, hold(target)


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")


def _documents(found: Found, progress: Progress) -> tuple[list[Document], list[Problem]]:
    documents: list[Document] = []
    problems = list(found.problems)
    for problem in problems:
        progress.problem(problem)
    for number, entry in enumerate(found.entries, start=1):
        try:
            document = entry.read()
        except Unreadable as error:
            closed = isinstance(error, Closed)
            problems.append(Problem(document=entry.document, reason=str(error), closed=closed))
            progress.problem(problems[-1])
        else:
            documents.append(document)
            if document.hidden:
                progress.removed(document.document, dict(document.hidden))
        progress.step("reading", number, len(found.entries))
    if not documents:
        raise NothingToIngest("No document could be read.")
    return documents, problems


def _index(
    making: Path,
    readings: Sequence[Reading],
    documents: Sequence[Document],
    chunks: Sequence[tuple[int, Chunk]],
    progress: Progress,
) -> NDArray[np.float32]:
    """Write an edition's files but for the manifest; return the vectors as Chroma gives them back."""
    from knowledge import vectors  # noqa: PLC0415 - Chroma takes seconds to import

    texts.write(making, documents, chunks)
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
    parts = [(part.anchor, texts.part_json(part)) for part in document.parts]
    return {
        "file": document.sha256,
        "text": texts.content_hash(document.document, texts.head_json(document), parts),
        "hidden": dict(document.hidden),
    }


def _settle(making: Path, target: Path) -> None:
    """Make an edition's files safe on disk and move them to their place, unless they are there unharmed."""
    for path in making.rglob("*"):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    if target.exists():
        if not marks.damage(target):
            return
        away = target.with_name(f".sweeping-{target.name}")
        shutil.rmtree(away, ignore_errors=True)
        target.rename(away)
        making.rename(target)
        shutil.rmtree(away, ignore_errors=True)
    else:
        making.rename(target)
    sync(target.parent)
    marks.write(target)
