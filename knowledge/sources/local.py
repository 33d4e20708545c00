"""A configured folder: copied, so that a disk that is not mounted for a minute takes nothing away."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from knowledge.errors import NothingToIngest, Unreachable, Unreadable
from knowledge.sources.base import Problem
from knowledge.sources.folder import Folder
from knowledge.sources.mirror import Copy, Item, Keep


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalFolder:
    """Files below a path of this machine."""

    path: Path

    @property
    def identity(self) -> str:
        """The path."""
        return f"folder {self.path}"

    def fetch(self, before: Copy, keep: Keep) -> Copy:
        """Return what the folder holds now. Raises Unreachable."""
        if not self.path.is_dir():
            raise Unreachable(f"there is no folder {self.path}")
        items: list[Item] = []
        problems: list[Problem] = []
        try:
            for found in Folder(self.path).files():
                if isinstance(found, Problem):
                    problems.append(found)
                    continue
                suffix = found.suffix.lower()
                try:
                    sha256 = keep.put(found.content(), suffix)
                except Unreadable as error:
                    problems.append(Problem(document=found.name, reason=str(error)))
                else:
                    items.append(Item(document=found.name, sha256=sha256, suffix=suffix))
        except NothingToIngest as error:
            raise Unreachable(str(error).rstrip(".")) from error
        except OSError as error:
            raise Unreachable(f"{self.path} cannot be read ({error.strerror or error})") from error
        return Copy(items=tuple(items), problems=tuple(problems))
