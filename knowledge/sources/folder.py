"""A folder of files, or a JSONL of documents, to documents."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from knowledge.documents import Document, Terms, parts_of
from knowledge.errors import NothingToIngest, Unreadable
from knowledge.hidden import visible
from knowledge.sources import docx, front, html, markdown, pdf, plain

MARKDOWN = frozenset({".md", ".markdown", ".mdx"})
PAGES = frozenset({".html", ".htm", ".xhtml"})
TEXTS = frozenset({".txt", ".text", ".rst"})
KINDS = MARKDOWN | PAGES | TEXTS | {".pdf", ".docx"}
_LARGEST = 50 * 2**20  # bytes of one file


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One document that a source holds, not yet read into sections."""

    document: str
    sha256: str
    path: Path
    line: str = ""  # of a JSONL


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Something in a source that was left out, and why."""

    document: str
    reason: str

    def __str__(self) -> str:
        return f"{self.document}: {self.reason}"


def entries(source: Path) -> Iterator[Entry | Problem]:
    """Yield what a source holds, in the order of names, with the hash of each one's bytes.

    Raises NothingToIngest when the source is missing or cannot be read.
    """
    try:
        if source.is_dir():
            yield from _folder(source)
        elif source.is_file():
            yield from _lines(source) if source.suffix == ".jsonl" else iter([_file(source, source.name)])
        else:
            raise NothingToIngest(f"{source} does not exist.")
    except PermissionError as error:
        raise NothingToIngest(f"{source} cannot be read: permission denied.") from error
    except OSError as error:
        raise NothingToIngest(f"{source} cannot be read: {error.strerror or error}.") from error


def _folder(root: Path) -> Iterator[Entry | Problem]:
    os.scandir(root).close()  # an unreadable folder is an error, not an empty one
    inside: list[Path] = []
    problems: list[Problem] = []

    def refused(error: OSError) -> None:
        problems.append(
            Problem(document=_name(Path(error.filename), root), reason=error.strerror or str(error))
        )

    for folder, folders, names in os.walk(root, onerror=refused, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside += [Path(folder) / name for name in names if not name.startswith(".")]
    yield from problems
    real = root.resolve()
    for path in sorted(inside, key=lambda path: _name(path, root)):
        if path.suffix.lower() not in KINDS:
            continue
        if path.is_symlink() and not path.resolve().is_relative_to(real):
            yield Problem(document=_name(path, root), reason="it is a link to a place outside the source")
        else:
            yield _file(path, _name(path, root))


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix().encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _file(path: Path, name: str) -> Entry | Problem:
    try:
        if not path.is_file():
            return Problem(document=name, reason="it is not a file")
        if path.stat().st_size > _LARGEST:
            return Problem(document=name, reason=f"it is larger than {_LARGEST // 2**20} MB")
        with path.open("rb") as file:
            return Entry(document=name, path=path, sha256=hashlib.file_digest(file, "sha256").hexdigest())
    except OSError as error:
        return Problem(document=name, reason=f"it cannot be read ({error.strerror or error})")


def _lines(path: Path) -> Iterator[Entry | Problem]:
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            if not raw.strip():
                continue
            place = f"{path.name}:{number}"
            try:
                line = raw.decode("utf-8")
                row = json.loads(line)
            except ValueError:
                yield Problem(document=place, reason="it is not a line of JSON")
                continue
            if (
                not isinstance(row, dict)
                or not str(row.get("doc_id") or "")
                or not isinstance(row.get("text"), str)
            ):
                yield Problem(document=place, reason="it has no doc_id or no text")
                continue
            yield Entry(
                document=str(row["doc_id"]), path=path, sha256=hashlib.sha256(raw).hexdigest(), line=line
            )


def read(entry: Entry) -> Document:
    """Return an entry's document. Raises Unreadable with the reason when it cannot be one."""
    try:
        terms, reading = _line(entry.line) if entry.line else _parsed(entry.path)
    except OSError as error:
        raise Unreadable(f"it cannot be read ({error.strerror or error})") from error
    parts = parts_of(reading.blocks)
    if not any(part.units for part in parts):
        raise Unreadable("it holds no text")
    label = "" if entry.line else in_words(Path(entry.document).stem)
    return Document(
        document=entry.document,
        title=terms.title or reading.title or label or entry.document,
        terms=terms,
        parts=parts,
        sha256=entry.sha256,
        label=label,
        hidden=reading.hidden,
    )


def _line(line: str) -> tuple[Terms, html.Reading]:
    row: dict[str, object] = json.loads(line)
    text, hidden = visible(str(row["text"]))
    terms = front.terms_of({key: value for key, value in row.items() if key != "text"})
    return terms, html.Reading(blocks=plain.read(text), hidden=hidden)


def _parsed(path: Path) -> tuple[Terms, html.Reading]:
    kind = path.suffix.lower()
    if kind in {".pdf", ".docx"}:
        reading = pdf.read(path) if kind == ".pdf" else docx.read(path)
        return Terms(), _cleaned(reading)
    text, hidden = visible(_text(path))
    terms, body = front.separate(text)
    if kind in MARKDOWN:
        reading = markdown.read(body)
    elif kind in PAGES:
        reading = html.read(body)
    else:
        reading = html.Reading(blocks=plain.read(body))
    reading.hidden += hidden
    return terms, _cleaned(reading)


def _cleaned(reading: html.Reading) -> html.Reading:
    """Take invisible characters out again: entities and document formats bring their own."""
    for place, block in enumerate(reading.blocks):
        text, hidden = visible(block.text)
        if text != block.text:
            reading.hidden += hidden
            reading.blocks[place] = replace(block, text=text, lead=visible(block.lead)[0])
    return reading


def _text(path: Path) -> str:
    raw = path.read_bytes()
    if b"\0" in raw[:8192] and not raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unreadable("it is not text")
    for coding in ("utf-16",) if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else ("utf-8-sig", "cp1252"):
        try:
            return raw.decode(coding)
        except UnicodeDecodeError:
            continue
    raise Unreadable("its characters are in no encoding that is known here")


def in_words(stem: str) -> str:
    """Return a file's name as words: "07-systems_access_policy" is "systems access policy"."""
    words = re.sub(r"[-_.]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", stem)).strip()
    return re.sub(r"^\d+\s+(?=\D)", "", words)
