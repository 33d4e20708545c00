"""Files opened so that nobody who writes to a folder can lead us out of it.

Every step of a path is opened from the folder before it, and none may be a link. What is open is what is
asked about and what is read, whatever its name means by then.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from knowledge.errors import Unreadable

LARGEST = 50 * 2**20  # bytes of one file
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Not waiting for whoever writes to a pipe.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_OF_THE_MACHINE = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
_LINKED = {errno.ELOOP, errno.ENOTDIR, errno.EMLINK}


def content(path: Path) -> bytes:
    """Return a file's bytes. Raises Unreadable, for a link too, and OSError where the machine is at fault."""
    with folder(path.parent) as handle, opened(handle, path.name) as file:
        return read(file)


def below(root: Path, steps: Sequence[str]) -> bytes:
    """Return the bytes of the file that these names lead to from a folder. Raises as `content` does."""
    with folder(root) as start:
        handle = os.dup(start)
        try:
            for step in steps[:-1]:
                inner = _open(step, _FOLDER | os.O_NOFOLLOW, handle)
                os.close(handle)
                handle = inner
            with opened(handle, steps[-1]) as file:
                return read(file)
        finally:
            os.close(handle)


@contextmanager
def folder(path: Path) -> Iterator[int]:
    """Open a folder that somebody named, links allowed. Raises Unreadable."""
    handle = _open(str(path), _FOLDER, None)
    try:
        yield handle
    finally:
        os.close(handle)


@contextmanager
def opened(where: int, name: str) -> Iterator[int]:
    """Open a file in an open folder. Raises Unreadable with the reason where it is not one to be read."""
    file = _open(name, _FILE, where)
    try:
        _check(os.fstat(file), os.fstat(where))
        yield file
    finally:
        os.close(file)


def read(file: int) -> bytes:
    """Return what an open file holds. Raises Unreadable when it cannot be read, or grows while it is."""
    pieces: list[bytes] = []
    size = 0
    try:
        while piece := os.read(file, 2**20):
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST:
                raise Unreadable(_TOO_LARGE)
    except OSError as error:
        raise _unreadable(error) from error
    return b"".join(pieces)


_TOO_LARGE = f"it is larger than {LARGEST // 2**20} MB"


def _check(found: os.stat_result, around: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise Unreadable("it is not a file")
    if found.st_size > LARGEST:
        raise Unreadable(_TOO_LARGE)
    # A second name of a file that others may not read gives it to whoever could make that name.
    private = not found.st_mode & (stat.S_IRGRP | stat.S_IROTH)
    if found.st_nlink > 1 and (private or found.st_uid != around.st_uid):
        raise Unreadable("it is another name of a file that is private or somebody else's (a hard link)")


def _open(name: str, flags: int, where: int | None) -> int:
    try:
        return os.open(name, flags, dir_fd=where)
    except (OSError, ValueError) as error:  # a name may hold a NUL
        raise _unreadable(error) from error


def _unreadable(error: OSError | ValueError) -> Exception:
    if not isinstance(error, OSError):
        return Unreadable(f"it cannot be read ({error})")
    if error.errno in _OF_THE_MACHINE:
        return error
    if error.errno in _LINKED:
        return Unreadable("it is a link, or was exchanged for one")
    return Unreadable(f"it cannot be read ({error.strerror or error})")
