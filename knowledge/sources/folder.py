"""A folder of files, one file, or a JSONL of documents."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from knowledge.documents import Document, Terms
from knowledge.errors import NothingToIngest, Unreadable
from knowledge.hidden import visible
from knowledge.sources import formats, opening
from knowledge.sources.base import Defaults, Entry, Problem
from knowledge.sources.formats import KINDS


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """A file of a folder as it was listed."""

    name: str  # in the folder
    suffix: str
    sha256: str
    root: Path
    steps: tuple[str, ...]  # from the root to it, none of which may be a link

    def content(self) -> bytes:
        """Return the bytes that were listed. Raises Unreadable where there are others, or none, by now."""
        content = opening.below(self.root, self.steps)
        if _hash(content) != self.sha256:
            raise Unreadable("it was changed or exchanged while it was being read; ingest again")
        return content


class Folder:
    """What lies at a path. With `prefix`, its documents are named `prefix/path`, else by the path in it."""

    state = ""

    def __init__(self, path: Path, *, prefix: str = "", defaults: Defaults | None = None) -> None:
        self._path = path
        self._prefix = f"{prefix}/" if prefix else ""
        self._defaults = defaults or Defaults()
        self._basis = "" if defaults is None else json.dumps(defaults.as_basis())
        self.name = prefix or str(path)

    def entries(self) -> Iterator[Entry | Problem]:
        """Yield what it holds, in the order of names, with the hash of each one's bytes.

        Raises NothingToIngest when it is missing or cannot be read.
        """
        if self._path.suffix == ".jsonl" and self._path.is_file():
            with self._named():
                yield from self._lines()
            return
        for found in self.files():
            yield found if isinstance(found, Problem) else self._entry(found)

    def files(self) -> Iterator[File | Problem]:
        """Yield the files of known kinds, in the order of names. One that cannot be read is a problem.

        Raises NothingToIngest when it is missing or cannot be read at all.
        """
        with self._named():
            if self._path.is_dir():
                yield from self._folder()
            elif self._path.is_file():
                real = self._path.resolve()  # somebody named it, so it may be a link
                yield self._file(real.parent, (real.name,), self._path.name)
            else:
                raise NothingToIngest(f"{self._path} does not exist.")

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except PermissionError as error:
            raise NothingToIngest(f"{self._path} cannot be read: permission denied.") from error
        except OSError as error:
            raise NothingToIngest(f"{self._path} cannot be read: {error.strerror or error}.") from error

    def _folder(self) -> Iterator[File | Problem]:
        root = self._path
        os.scandir(root).close()  # an unreadable folder is an error, not an empty one
        inside: list[tuple[str, ...]] = []
        problems: list[Problem] = []

        def refused(error: OSError) -> None:
            problems.append(self._problem(_name(Path(error.filename), root), error.strerror or str(error)))

        for folder, folders, names in os.walk(root, onerror=refused, followlinks=False):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            steps = Path(folder).relative_to(root).parts
            inside += [
                (*steps, name)
                for name in names
                if not name.startswith(".") and f".{name.rpartition('.')[2].lower()}" in KINDS
            ]
        yield from problems
        for steps in sorted(inside, key=_shown):
            yield self._file(root, steps, _shown(steps))

    def _file(self, root: Path, steps: tuple[str, ...], name: str) -> File | Problem:
        """Return a file that lies below a folder, or why not. A link within it is what it leads to."""
        try:
            if root.joinpath(*steps).is_symlink():
                steps = _led_to(root, steps)
            content = opening.below(root, steps)
        except Unreadable as error:
            return self._problem(name, str(error))
        suffix = Path(steps[-1]).suffix
        return File(name=name, suffix=suffix, sha256=_hash(content), root=root, steps=steps)

    def _entry(self, file: File) -> Entry:
        document = self._prefix + file.name
        return Entry(
            document=document,
            sha256=file.sha256,
            basis=self._basis,
            reader=partial(self._document, file, document),
        )

    def _document(self, file: File, document: str) -> Document:
        return formats.of_content(
            file.content(),
            file.suffix,
            document=document,
            sha256=file.sha256,
            defaults=self._defaults,
            given=Terms(),
        )

    def _lines(self) -> Iterator[Entry | Problem]:
        with self._path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                if raw.strip():
                    yield self._line(raw, f"{self._path.name}:{number}")

    def _line(self, raw: bytes, place: str) -> Entry | Problem:
        try:
            line = raw.decode("utf-8")
            row = json.loads(line)
        except (ValueError, RecursionError):
            return self._problem(place, "it is not a line of JSON")
        if (
            not isinstance(row, dict)
            or not visible(str(row.get("doc_id") or ""))[0].strip()
            or not isinstance(row.get("text"), str)
        ):
            return self._problem(place, "it has no doc_id or no text")
        document, sha256 = self._prefix + visible(str(row["doc_id"]))[0], hashlib.sha256(raw).hexdigest()
        read = partial(formats.of_line, line, document=document, sha256=sha256, defaults=self._defaults)
        return Entry(document=document, sha256=sha256, basis=self._basis, reader=read)

    def _problem(self, name: str, reason: str) -> Problem:
        return Problem(document=self._prefix + name, reason=reason)


def _led_to(root: Path, steps: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names that lead to what a link within a folder means. Raises Unreadable for another."""
    try:
        real = root.joinpath(*steps).resolve(strict=True)
        return real.relative_to(root.resolve(strict=True)).parts
    except RuntimeError as error:  # Python 3.11 says so of a circle
        raise Unreadable("it is a link that leads to itself") from error
    except OSError as error:
        circle = error.errno == errno.ELOOP
        reason = "leads to itself" if circle else f"leads nowhere ({error.strerror or error})"
        raise Unreadable(f"it is a link that {reason}") from error
    except ValueError as error:
        raise Unreadable("it is a link to a place outside the source") from error


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _shown(steps: tuple[str, ...]) -> str:
    return _readable("/".join(steps))


def _name(path: Path, root: Path) -> str:
    return _readable(path.relative_to(root).as_posix())


def _readable(name: str) -> str:
    """Return a file's name as text, whatever bytes it is made of."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
