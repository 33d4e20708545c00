"""A folder of files, one file, or a JSONL of documents."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from knowledge.documents import Terms
from knowledge.errors import NothingToIngest
from knowledge.sources import formats
from knowledge.sources.base import Defaults, Entry, Problem
from knowledge.sources.formats import KINDS, LARGEST


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
        inside: list[Path] = []
        problems: list[Problem] = []

        def refused(error: OSError) -> None:
            problems.append(self._problem(_name(Path(error.filename), root), error.strerror or str(error)))

        for folder, folders, names in os.walk(root, onerror=refused, followlinks=False):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            inside += [Path(folder) / name for name in names if not name.startswith(".")]
        yield from problems
        real = root.resolve()
        for path in sorted(inside, key=lambda path: _name(path, root)):
            if path.suffix.lower() not in KINDS:
                continue
            if path.is_symlink() and not path.resolve().is_relative_to(real):
                yield self._problem(_name(path, root), "it is a link to a place outside the source")
            else:
                yield self._file(path, _name(path, root))

    def _file(self, path: Path, name: str) -> Entry | Problem:
        try:
            if not path.is_file():
                return self._problem(name, "it is not a file")
            if path.stat().st_size > LARGEST:
                return self._problem(name, f"it is larger than {LARGEST // 2**20} MB")
            with path.open("rb") as file:
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
        except ValueError:
            return self._problem(place, "it is not a line of JSON")
        if (
            not isinstance(row, dict)
            or not str(row.get("doc_id") or "")
            or not isinstance(row.get("text"), str)
        ):
            return self._problem(place, "it has no doc_id or no text")
        document, sha256 = self._prefix + str(row["doc_id"]), hashlib.sha256(raw).hexdigest()
        read = partial(formats.of_line, line, document=document, sha256=sha256, defaults=self._defaults)
        return Entry(document=document, sha256=sha256, basis=self._basis, reader=read)

    def _problem(self, name: str, reason: str) -> Problem:
        return Problem(document=self._prefix + name, reason=reason)


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix().encode("utf-8", "surrogateescape").decode("utf-8", "replace")
