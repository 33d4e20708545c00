"""Old editions: found by id, kept for audit, swept by retention, removed when a document must be erased."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from knowledge import marks
from knowledge.errors import DamagedEdition, EditionInUse, NoSuchEdition, StillServes
from knowledge.ingest import Progress, alone
from knowledge.manifest import KEYS, MANIFEST, read_manifest, take
from knowledge.serving import EDITIONS, Activation, Serving

_LETTING_GO = 15.0  # seconds in which a running bot lets go of an edition that serves no more


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """How many editions are kept beside the one that serves, and for how long after they last served."""

    editions: int = 20
    days: int = 365


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """An edition on disk, as far as its files tell. `manifest` is empty where it cannot be read."""

    id: str
    folder: Path
    built: datetime
    size: int  # bytes
    manifest: Mapping[str, Any]
    problem: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Erased:
    """What went with an erased document."""

    editions: Sequence[str]
    readings: int  # of the cache of embeddings


def ids(home: Path) -> list[str]:
    """Return the ids of all editions of a home, those of another release too."""
    editions = home / EDITIONS
    if not editions.is_dir():
        return []
    return sorted(path.name for path in editions.iterdir() if path.is_dir() and path.name.isalnum())


def resolved(home: Path, given: str) -> str:
    """Return the one edition whose id begins as given. Raises NoSuchEdition."""
    found = [one for one in ids(home) if given and one.startswith(given)]
    if given in found or len(found) == 1:
        return given if given in found else found[0]
    if found:
        raise NoSuchEdition(f"More than one edition begins with {given}: {', '.join(found)}.")
    raise NoSuchEdition(f"There is no edition {given}. `countersign editions list` names those there are.")


def kept(home: Path, name: str) -> Kept:
    """Return what an edition's files tell without opening it."""
    folder = home / EDITIONS / name
    manifest, problem = _manifest(folder)
    dated = folder / MANIFEST
    return Kept(
        id=name,
        folder=folder,
        built=datetime.fromtimestamp((dated if dated.exists() else folder).stat().st_mtime, UTC),
        size=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        manifest=manifest,
        problem=problem,
    )


def _manifest(folder: Path) -> tuple[Mapping[str, Any], str]:
    try:
        return read_manifest(folder), ""
    except DamagedEdition as error:
        return {}, str(error)


def sweep(home: Path, serving: Serving, retention: Retention, *, now: datetime) -> list[str]:
    """Remove the editions that are past retention; return their ids.

    The one that serves and the one before it stay, and so does any that a process holds open. Embeddings that
    no edition needs any more go with them, unless an ingest is at work, which may need them.
    """
    current, history = serving.current(), serving.history()
    old = sorted(
        (one for one in ids(home) if one != current),
        key=lambda one: _last(home, one, history),
        reverse=True,
    )
    oldest = now - timedelta(days=retention.days)
    beyond = [
        one
        for place, one in enumerate(old)
        if place > 0 and (place >= retention.editions or _last(home, one, history) < oldest)
    ]
    gone = [one for one in beyond if _removed(home, one, serving)]
    if gone:
        with _idle(home) as idle:
            if idle:
                _prune(home)
    return gone


def erase(home: Path, serving: Serving, document: str, progress: Progress) -> Erased:
    """Remove every edition that holds a document, and every embedding that no other edition needs.

    An edition that cannot be read may hold it, and goes too. Raises StillServes while the document is in the
    edition that serves, and EditionInUse when a process does not let go of another one.
    """
    current = serving.current()
    if current is not None and _holds(home, current, document):
        raise StillServes(
            f"{document} is in edition {current}, which serves. "
            "Remove it from its source, ingest, and erase again."
        )
    holding = [one for one in ids(home) if one != current and _holds(home, one, document)]
    return remove(home, serving, holding, progress, what=document)


def remove(home: Path, serving: Serving, editions: Sequence[str], progress: Progress, *, what: str) -> Erased:
    """Remove editions that do not serve, and every embedding that no other edition needs.

    `what` is what must be gone with them. Raises EditionInUse when a process does not let go of one.
    """
    with alone(home / EDITIONS, progress):
        patience = time.monotonic() + _LETTING_GO
        left = [one for one in editions if not _removed(home, one, serving)]
        while left and time.monotonic() < patience:
            time.sleep(0.2)
            left = [one for one in left if not _removed(home, one, serving)]
        if left:
            raise EditionInUse(
                f"{what} is still in {', '.join(left)}: another process has it open, or it serves again. "
                "End that process, and erase again."
            )
        return Erased(editions=editions, readings=_prune(home))


def _holds(home: Path, name: str, document: str) -> bool:
    manifest, problem = _manifest(home / EDITIONS / name)
    return bool(problem) or document in manifest["documents"]


def _last(home: Path, name: str, history: Sequence[Activation]) -> datetime:
    """Return when an edition last stopped to serve, or when it was built if it never did."""
    for place in range(len(history) - 1, -1, -1):
        if history[place].edition == name:
            return history[min(place + 1, len(history) - 1)].at
    return kept(home, name).built


def _removed(home: Path, name: str, serving: Serving) -> bool:
    """Remove an edition that nobody holds and that does not serve; tell whether it is gone.

    Whoever makes an edition serve holds it meanwhile: so whether it serves is asked under its lock.
    """
    folder = home / EDITIONS / name
    if not folder.exists():
        return True
    lock = take(folder)
    if lock is None:
        return False
    try:
        if serving.current() == name:
            return False
        away = folder.with_name(f".sweeping-{name}")
        folder.rename(away)
        marks.path_of(folder).unlink(missing_ok=True)
    finally:
        os.close(lock)
    shutil.rmtree(away, ignore_errors=True)
    return True


def _prune(home: Path) -> int:
    import numpy as np  # noqa: PLC0415 - takes long to import, and a sweep mostly finds nothing

    from knowledge import cache  # noqa: PLC0415 - likewise

    files = [home / EDITIONS / one / KEYS for one in ids(home)]
    return cache.prune(home / cache.FILE, (np.load(file, mmap_mode="r") for file in files if file.exists()))


@contextmanager
def _idle(home: Path) -> Iterator[bool]:
    """Hold the ingest lock if nobody else does; tell whether that is so."""
    with (home / EDITIONS / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
