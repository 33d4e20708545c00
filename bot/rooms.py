"""The workflows and connectors that there are: those that ship, those installed beside, those in the home.

A room is found by its name. One that ships is a module of `graphs.workflows` or `connectors`; an installed
one is an entry point of the group `countersign.extensions`; one of the home is a folder in its `extensions`.
What does not ship runs only if `[extensions]` of the settings names it with the hash of its files: it is code
that may do whatever Countersign may do.
"""

import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, Literal

import connectors
import graphs.workflows
from connectors.sdk import Connector
from graphs.sdk import Workflow

GROUP = "countersign.extensions"
Origin = Literal["shipped", "installed", "home"]
Sort = Literal["workflow", "connector"]


class RoomInvalid(Exception):
    """A room cannot be used. The message is a sentence that says what to change."""


@dataclass(frozen=True, kw_only=True)
class Extension:
    """What does not ship: where it is from, and what stands for all of its files."""

    name: str
    origin: Origin
    version: str
    files: tuple[Path, ...]
    point: EntryPoint | None = None
    folder: Path | None = None

    @cached_property
    def hash(self) -> str:
        """What stands for its files, as the settings name it."""
        whole = hashlib.sha256()
        base = self.folder or os.path.commonpath([file.parent for file in self.files])
        for file in sorted(self.files):
            whole.update(f"{file.relative_to(base).as_posix()}\n".encode())
            whole.update(hashlib.sha256(file.read_bytes()).digest())
        return f"sha256:{whole.hexdigest()}"

    def load(self) -> ModuleType:
        """Import it. Raises RoomInvalid."""
        try:
            if self.point is not None:
                return importlib.import_module(self.point.module)
            assert self.folder is not None
            return _imported(self.name, self.folder)
        except Exception as error:  # it is somebody else's code, and says for itself what is wrong with it
            raise RoomInvalid(
                f"The extension {self.name} cannot be loaded: {type(error).__name__}: {error}."
            ) from error


def extensions(home: Path) -> Mapping[str, Extension]:
    """Return everything that could be named in `[extensions]`, by name. Nothing of it is imported."""
    found = {one.name: one for one in _of_home(home)}
    return {**found, **{one.name: one for one in _installed()}}


def _installed() -> Iterator[Extension]:
    for point in entry_points(group=GROUP):
        version = point.dist.version if point.dist is not None else ""
        files = tuple(sorted({*_of_module(point), *_of_distribution(point)}))
        if files:  # else there is nothing that could be looked at, and so nothing that may run
            yield Extension(name=point.name, origin="installed", version=version, files=files, point=point)


def _of_module(point: EntryPoint) -> Iterator[Path]:
    """Yield the files of the package, or the one of the module, that an entry point names."""
    spec = importlib.util.find_spec(point.module.partition(".")[0])
    if spec is None:
        return
    for place in spec.submodule_search_locations or ():
        yield from _files(Path(place).resolve())
    if spec.origin is not None and Path(spec.origin).is_file():
        yield Path(spec.origin).resolve()


def _of_distribution(point: EntryPoint) -> Iterator[Path]:
    """Yield what was installed with it: its other packages run as well."""
    for file in (point.dist.files if point.dist is not None else None) or ():
        path = Path(str(file.locate())).resolve()
        if (
            path.suffix != ".pyc"
            and not any(part.endswith(".dist-info") for part in path.parts)
            and path.is_file()
        ):
            yield path


def _of_home(home: Path) -> Iterator[Extension]:
    for folder in sorted((home / "extensions").glob("*/")):
        if (folder / "__init__.py").is_file():
            yield Extension(
                name=folder.name, origin="home", version="", files=tuple(_files(folder)), folder=folder
            )


def _files(folder: Path) -> Iterator[Path]:
    """Yield what is in a package, but what Python makes of it by itself."""
    for file in folder.rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            yield file


def _imported(name: str, folder: Path) -> ModuleType:
    """Import the package in a folder of the home under a name that no other module has."""
    known = f"countersign_home_{name}"
    if known in sys.modules:
        return sys.modules[known]
    spec = importlib.util.spec_from_file_location(
        known, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[known] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[known]
        raise
    return module


@dataclass(frozen=True, kw_only=True)
class Rooms:
    """What may run here: what ships, and the extensions that the settings name with their hashes."""

    allowed: Mapping[str, Extension]

    @classmethod
    def allowing(cls, home: Path, pins: Mapping[str, str]) -> "Rooms":
        """Return the rooms with the extensions of these names and hashes. Raises RoomInvalid."""
        if not pins:
            return cls(allowed={})
        known = extensions(home)
        for name, pin in pins.items():
            if name not in known:
                raise RoomInvalid(
                    f"[extensions] names {name}, which is neither installed nor in {home / 'extensions'}."
                )
            if pin != known[name].hash:
                raise RoomInvalid(
                    f"The extension {name} is not what [extensions] allows: its files have the hash"
                    f" {known[name].hash}. Look at what changed, then name this hash."
                )
        return cls(allowed={name: known[name] for name in pins})

    def names(self, sort: Sort) -> frozenset[str]:
        """Return the names of all workflows or connectors that may run."""
        within = graphs.workflows.__path__ if sort == "workflow" else connectors.__path__
        shipped = {one.name for one in iter_modules(within) if self._shipped(sort, one.name) is not None}
        return frozenset(shipped | {one.name for one in self._extended(sort)})

    def workflow(self, name: str) -> type[Workflow[Any]] | None:
        """Return the workflow of a name; None where there is none. Raises RoomInvalid."""
        found: type[Workflow[Any]] | None = self._found("workflow", name)
        return found

    def connector(self, name: str) -> type[Connector[Any]] | None:
        """Return the connector of a name; None where there is none. Raises RoomInvalid."""
        found: type[Connector[Any]] | None = self._found("connector", name)
        return found

    def every_workflow(self) -> Iterator[type[Workflow[Any]]]:
        """Yield every workflow that may run, whether or not it is switched on."""
        for name in sorted(self.names("workflow")):
            found = self.workflow(name)
            assert found is not None
            yield found

    def _found(self, sort: Sort, name: str) -> Any:
        extended = (one for one in self._extended(sort) if one.name == name)
        return self._shipped(sort, name) or next(extended, None)

    def _extended(self, sort: Sort) -> Iterator[Any]:
        for extension in self.allowed.values():
            for one in rooms_in(extension.load()):
                if sort_of(one) == sort:
                    if self._shipped(sort, one.name) is not None:
                        raise RoomInvalid(
                            f"The extension {extension.name} brings the {sort} {one.name}, and that name is"
                            " taken by one that ships."
                        )
                    yield one

    @staticmethod
    def _shipped(sort: Sort, name: str) -> Any:
        package = "graphs.workflows" if sort == "workflow" else "connectors"
        if not name.isidentifier() or importlib.util.find_spec(f"{package}.{name}") is None:
            return None
        module = importlib.import_module(f"{package}.{name}")
        return next((one for one in rooms_in(module) if one.name == name and sort_of(one) == sort), None)


def rooms_in(module: ModuleType) -> Iterator[Any]:
    """Yield the workflows and connectors that a module holds by name, each once."""
    seen: set[int] = set()
    for _, one in inspect.getmembers(module, inspect.isclass):
        if (
            issubclass(one, Workflow | Connector)
            and not inspect.isabstract(one)
            and vars(one).get("name")
            and id(one) not in seen
        ):
            seen.add(id(one))
            yield one


def sort_of(room: type[Any]) -> Sort:
    """Say what a room is."""
    return "workflow" if issubclass(room, Workflow) else "connector"
