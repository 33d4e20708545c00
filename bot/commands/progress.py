"""How far a long command has come, as a person sees it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

if TYPE_CHECKING:
    from knowledge.sources.base import Problem

_NAMED = 5  # documents that a sentence lists


class Shown:
    """Progress for a person: a bar on a terminal, plain lines elsewhere, all on standard error."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.problems: list[Problem] = []
        self.hidden: dict[str, dict[str, int]] = {}
        self.notes: list[str] = []
        self._console = Console(stderr=True, highlight=False, quiet=quiet)
        self._bar: Progress | None = None
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> "Shown":
        if self._console.is_terminal and not self._console.quiet:
            self._bar = Progress(
                TextColumn("{task.description:<9}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=self._console,
            )
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar:
            self._bar.stop()

    def step(self, name: str, done: int, total: int) -> None:
        """Show how far a step has come."""
        if self._bar:
            if name not in self._tasks:
                self._tasks[name] = self._bar.add_task(name, total=total)
            self._bar.update(self._tasks[name], completed=done)
        elif done == total and name not in self._tasks:
            self._tasks[name] = None
            self._console.print(f"{name}: {done}")

    def problem(self, problem: "Problem") -> None:
        """Say what was left out."""
        self.problems.append(problem)
        self._console.print(Text(f"left out  {problem}", style="yellow"))

    def removed(self, document: str, hidden: Mapping[str, int]) -> None:
        """Say what was taken out of a document because no reader would see it."""
        self.hidden[document] = dict(hidden)
        self._console.print(Text(f"removed   {document}: {counted(hidden)}", style="yellow"))

    def note(self, text: str) -> None:
        """Say something else."""
        self.notes.append(text)
        self._console.print(Text(text))


def counted(hidden: Mapping[str, int]) -> str:
    """Return what was taken out of a document, as a phrase."""
    return ", ".join(f"{count} {kind}{'s' * (count != 1)}" for kind, count in sorted(hidden.items()))


def closed_note(documents: Sequence[str]) -> str:
    """Return what it means that these documents of an edition are closed, and what to do."""
    those = "1 document is" if len(documents) == 1 else f"{len(documents)} documents are"
    named = ", ".join(documents[:_NAMED]) + (", \u2026" if len(documents) > _NAMED else "")
    return (
        f"{those} closed to everybody, because what is said of who may read it, or of its dates, is not "
        f"understood: {named}. Mend the front matter, and ingest again."
    )
