"""What an edition's files were when they were last known to be whole: quick to compare, and kept beside it.

A file whose size, times and place on the disk are the same is taken to be the same; any other is hashed.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

Marks = dict[str, list[Any]]


def path_of(folder: Path) -> Path:
    """Return where an edition's marks are."""
    return folder.with_name(f".whole-{folder.name}.json")


def write(folder: Path) -> None:
    """Keep what an edition's files are now. Where that cannot be kept, they are examined again next time."""
    found = {name: [*_stat(file), _hash(file)] for name, file in _files(folder)}
    with suppress(OSError):
        path_of(folder).write_text(json.dumps(found), encoding="utf-8")


def damage(folder: Path) -> str:
    """Return what is damaged of an edition, or nothing where it is whole.

    Where its marks are missing everything it promises is computed again, which takes seconds.
    """
    known = _known(folder)
    if known is None:
        from knowledge.verify import damages  # noqa: PLC0415 - Chroma takes seconds to import

        found = next(damages(folder), "")
        if not found:
            write(folder)
        return found
    try:
        files = dict(_files(folder))
        for name in sorted(known.keys() | files.keys()):
            if name not in known or name not in files:
                return f"{name} {'is missing' if name in known else 'was not built with it'}"
            *marks, sha256 = known[name]
            if _stat(files[name]) != marks and _hash(files[name]) != sha256:
                return f"{name} has been changed"
    except OSError as error:
        return f"{folder} cannot be read: {error.strerror or error}"
    return ""


def _known(folder: Path) -> Marks | None:
    try:
        found = json.loads(path_of(folder).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    sound = isinstance(found, dict) and all(isinstance(row, list) and len(row) == 5 for row in found.values())
    return found if sound else None


def _files(folder: Path) -> list[tuple[str, Path]]:
    return [(one.relative_to(folder).as_posix(), one) for one in sorted(folder.rglob("*")) if one.is_file()]


def _stat(file: Path) -> list[int]:
    found = file.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _hash(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
