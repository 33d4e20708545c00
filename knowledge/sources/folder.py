"""A folder of files, one file, or a JSONL of documents."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from knowledge.documents import Terms
from knowledge.errors import NothingToIngest
from knowledge.hidden import visible
from knowledge.sources import formats
from knowledge.sources.base import Defaults, Entry, Problem
from knowledge.sources.formats import KINDS, LARGEST

_SMALL = 2**20  # bytes of a file that is read at once: quicker


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
        path = self._path
        try:
            if path.is_dir():
                yield from self._folder()
            elif path.is_file():
                yield from self._lines() if path.suffix == ".jsonl" else iter([self._file(path, path.name)])
            else:
                raise NothingToIngest(f"{path} does not exist.")
        except PermissionError as error:
            raise NothingToIngest(f"{path} cannot be read: permission denied.") from error
        except OSError as error:
            raise NothingToIngest(f"{path} cannot be read: {error.strerror or error}.") from error

    def _folder(self) -> Iterator[Entry | Problem]:
        root = self._path
        os.scandir(root).close()  # an unreadable folder is an error, not an empty one
        inside: list[tuple[str, str]] = []  # names in the source, paths
        problems: list[Problem] = []

        def refused(error: OSError) -> None:
            problems.append(self._problem(_name(Path(error.filename), root), error.strerror or str(error)))

        for folder, folders, names in os.walk(root, onerror=refused, followlinks=False):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            within = _name(Path(folder), root)
            before = "" if within == "." else f"{within}/"
            inside += [
                (f"{before}{_readable(name)}", f"{folder}{os.sep}{name}")
                for name in names
                if not name.startswith(".") and f".{name.rpartition('.')[2].lower()}" in KINDS
            ]
        yield from problems
        real = root.resolve()
        for name, place in sorted(inside):
            yield self._file(Path(place), name, within=real)

    def _file(self, path: Path, name: str, *, within: Path | None = None) -> Entry | Problem:
        try:
            found = path.lstat()
            if stat.S_ISLNK(found.st_mode):
                if within is not None and not path.resolve().is_relative_to(within):
                    return self._problem(name, "it is a link to a place outside the source")
                found = path.stat()
            if not stat.S_ISREG(found.st_mode):
                return self._problem(name, "it is not a file")
            if found.st_size > LARGEST:
                return self._problem(name, f"it is larger than {LARGEST // 2**20} MB")
            with path.open("rb") as file:
                if found.st_size < _SMALL:
                    sha256 = hashlib.sha256(file.read()).hexdigest()
                else:
                    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            return self._problem(name, f"it cannot be read ({error.strerror or error})")
        document = self._prefix + name
        return Entry(
            document=document,
            sha256=sha256,
            basis=self._basis,
            reader=partial(
                formats.document_of,
                path,
                document=document,
                sha256=sha256,
                defaults=self._defaults,
                given=Terms(),
            ),
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


def _name(path: Path, root: Path) -> str:
    return _readable(path.relative_to(root).as_posix())


def _readable(name: str) -> str:
    """Return a file's name as text, whatever bytes it is made of."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
