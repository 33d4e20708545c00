"""The copy of a source that is kept in the home: what was fetched last, whatever happens to the source."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from knowledge.documents import Document, Terms
from knowledge.errors import NothingToIngest, Unreachable, Unreadable
from knowledge.locks import held
from knowledge.sources import formats, opening
from knowledge.sources.base import Defaults, Entry, Problem

_FORMAT = 1
_INDEX, _STATUS, _FILES = "index.json", "status.json", "files"
_WRITING = ".writing-"


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One document of a copy. `memo` is what its source wants to know of it at the next fetch."""

    document: str  # its name in the source
    sha256: str
    suffix: str
    url: str = ""
    title: str = ""
    version: str = ""
    owner: str = ""
    memo: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Copy:
    """What a source held when it was fetched."""

    items: tuple[Item, ...] = ()
    problems: tuple[Problem, ...] = ()
    state: str = ""  # what it was at: a commit, a token that asks for changes only


class Fetcher(Protocol):
    """One kind of source: how it is asked."""

    @property
    def identity(self) -> str:
        """What it fetches, so that a copy of something else is not taken for it."""

    def fetch(self, before: Copy, keep: Keep) -> Copy:
        """Return what the source holds now. Raises Unreachable."""


class Keep:
    """Puts what was fetched into the copy's folder, named by its content."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files = folder / _FILES

    def put(self, content: bytes, suffix: str) -> str:
        """Keep one file; return the SHA-256 of its content."""
        sha256 = hashlib.sha256(content).hexdigest()
        target = self._files / f"{sha256}{suffix}"
        if not self._whole(target, sha256):
            handle, name = tempfile.mkstemp(dir=self._files)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).replace(target)
        return sha256

    def holds(self, item: Item) -> bool:
        """Tell whether an earlier item's file is still here, and what it was."""
        return self._whole(self._files / f"{item.sha256}{item.suffix}", item.sha256)

    def _whole(self, path: Path, sha256: str) -> bool:
        try:
            return hashlib.sha256(path.read_bytes()).hexdigest() == sha256
        except OSError:
            return False


class Mirrored:
    """A configured source: its fetcher, and the copy in the home that documents are read from."""

    def __init__(self, *, name: str, home: Path, fetcher: Fetcher, defaults: Defaults) -> None:
        self.name = name
        self._folder = home / "cache" / "sources" / name
        self._fetcher = fetcher
        self._defaults = defaults

    @property
    def state(self) -> str:
        """What the kept copy is at."""
        copy = self._copy()
        return copy.state if copy else ""

    @property
    def is_kept(self) -> bool:
        """Whether it was ever fetched."""
        return self._copy() is not None

    def fetch(self) -> None:
        """Bring the copy up to date. Raises Unreachable, and then the copy is what it was."""
        (self._folder / _FILES).mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in self._folder.glob(f"{_WRITING}*"):  # by a fetch that was killed
            left.unlink(missing_ok=True)
        before = self._copy()
        try:
            copy = _still_there(self._fetcher.fetch(before or Copy(), Keep(self._folder)), before)
        except Unreachable as error:
            self._say(tried=time.time(), problem=str(error))
            raise
        self._replace(copy)
        self._say(tried=time.time(), problem="")

    def entries(self) -> Iterator[Entry | Problem]:
        """Yield what was fetched last. Raises NothingToIngest before the first fetch."""
        copy = self._copy()
        if copy is None:
            raise NothingToIngest(f"{self.name} has not been fetched yet.")
        for problem in copy.problems:
            yield Problem(document=f"{self.name}/{problem.document}", reason=problem.reason)
        for item in copy.items:
            yield self._entry(item)

    def tell(self, problems: Iterable[Problem]) -> None:
        """Keep which of its documents were left out when it was read last."""
        own = [asdict(one) for one in problems if one.document.startswith(f"{self.name}/")]
        self._say(left_out=own)

    def status(self) -> dict[str, Any]:
        """Return when it was fetched last and tried last (seconds since 1970), and what went wrong then."""
        copy = self._copy()
        said = _json(self._folder / _STATUS) or {}
        left_out = said.get("left_out", [])
        unread = {one["document"] for one in left_out}
        return {
            "fetched": (self._folder / _INDEX).stat().st_mtime if copy else None,
            "tried": said.get("tried"),
            "problem": said.get("problem", ""),
            "documents": sum(f"{self.name}/{item.document}" not in unread for item in copy.items)
            if copy
            else 0,
            "left_out": left_out,
            "state": copy.state if copy else "",
        }

    def _entry(self, item: Item) -> Entry:
        document = f"{self.name}/{item.document}"
        given = Terms(url=item.url, title=item.title, version=item.version, owner=item.owner)
        basis = {"url": item.url, "title": item.title, "version": item.version, "owner": item.owner}
        return Entry(
            document=document,
            sha256=item.sha256,
            basis=json.dumps([self._defaults.as_basis(), basis], ensure_ascii=False, sort_keys=True),
            reader=partial(self._document, item, document, given),
        )

    def _document(self, item: Item, document: str, given: Terms) -> Document:
        content = opening.content(self._folder / _FILES / f"{item.sha256}{item.suffix}")
        if hashlib.sha256(content).hexdigest() != item.sha256:
            raise Unreadable("its copy in the home is damaged; ingest again to have it fetched anew")
        return formats.of_content(
            content,
            item.suffix,
            document=document,
            sha256=item.sha256,
            defaults=self._defaults,
            given=given,
        )

    def _copy(self) -> Copy | None:
        data = _json(self._folder / _INDEX)
        if not data or data.get("format") != _FORMAT or data.get("identity") != self._fetcher.identity:
            return None
        return Copy(
            items=tuple(Item(**item) for item in data["items"]),
            problems=tuple(Problem(**problem) for problem in data["problems"]),
            state=data["state"],
        )

    def _replace(self, copy: Copy) -> None:
        items = sorted(copy.items, key=lambda item: item.document)
        data = {
            "format": _FORMAT,
            "identity": self._fetcher.identity,
            "state": copy.state,
            "items": [asdict(item) for item in items],
            "problems": [asdict(problem) for problem in copy.problems],
        }
        _write(self._folder / _INDEX, data)
        wanted = {f"{item.sha256}{item.suffix}" for item in items}
        for path in (self._folder / _FILES).iterdir():
            if path.name not in wanted:
                path.unlink(missing_ok=True)

    def _say(self, **said: object) -> None:
        if self._folder.is_dir():
            _write(self._folder / _STATUS, (_json(self._folder / _STATUS) or {}) | said)


def _still_there(copy: Copy, before: Copy | None) -> Copy:
    """Refuse a source that has lost every document at once: a disk not mounted, a site being moved."""
    if not copy.items and before and before.items:
        raise Unreachable("it holds no document any more; take it out of the settings if that is so")
    return copy


@contextmanager
def alone(home: Path, note: Callable[[str], None]) -> Iterator[None]:
    """Hold the copies of this home from the first fetch until they are read; wait for whoever has them."""
    folder = home / "cache" / "sources"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    waiting = "Another ingest is fetching in this home; waiting for it to finish."
    with held(folder / ".lock", lambda: note(waiting)):
        yield


def forget(home: Path, names: Sequence[str]) -> None:
    """Delete the copies of sources that are configured no more: `names` are those that are."""
    folder = home / "cache" / "sources"
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir() and path.name not in names:
            shutil.rmtree(path, ignore_errors=True)


def _json(path: Path) -> dict[str, Any] | None:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) else None


def _write(path: Path, data: dict[str, Any]) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=_WRITING)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(data, file, ensure_ascii=False, indent=1)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(path)
