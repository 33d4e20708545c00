"""`countersign ingest`, `ask` and `evaluate`: what the company has written, and what it answers."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from bot.commands.options import Failure, Home, Json, failing
from bot.settings import home_from

if TYPE_CHECKING:
    from knowledge.answer import Answer, Library
    from knowledge.edition import Reader
    from knowledge.sources.base import Problem

# numpy, Chroma and the sentence model take seconds to import, so commands import them when they run.

Sources = Annotated[
    list[Path], typer.Argument(metavar="SOURCE...", help="Folders of documents, or JSONL files.")
]
Asked = Annotated[str, typer.Argument(metavar="QUESTION", help="In your own words.")]
After = Annotated[
    list[str] | None,
    typer.Option(
        "--after", metavar="QUESTION", help="An earlier question of the same thread; may be repeated."
    ),
]
As = Annotated[
    str | None,
    typer.Option("--as", metavar="EMAIL", help="Answer as for this person; default: as for everyone."),
]
Questions = Annotated[Path, typer.Argument(metavar="FILE.jsonl", help="A question set.")]


def ingest(sources: Sources, home: Home = None) -> None:
    """Read documents into a new edition, and let it serve."""
    from knowledge import build, embedder  # noqa: PLC0415 - see above
    from knowledge.errors import KnowledgeError  # noqa: PLC0415 - see above
    from knowledge.sources.folder import Folder  # noqa: PLC0415 - see above

    place = home_from(home)
    with failing(KnowledgeError), _Shown() as shown:
        edition = build.build(place, [Folder(path) for path in sources], embedder.load(place), shown)
    count, passages = len(edition.documents), edition.passages
    left_out = f", {len(shown.problems)} left out" if shown.problems else ""
    Console(highlight=False).print(
        f"{count} document{'s' * (count != 1)}, {passages} passage{'s' * (passages != 1)}{left_out}. "
        f"Edition {edition.id} serves."
    )


def ask_command(readers: Callable[[Path, str], "Reader"]) -> Callable[..., None]:
    """Return the command `ask`. `readers` says, for a home and an e-mail address, what a person may read."""

    def ask(
        question: Asked, person: As = None, after: After = None, home: Home = None, as_json: Json = False
    ) -> None:
        """Answer a question from the documents, with citations."""
        from knowledge.edition import Reader  # noqa: PLC0415 - see above
        from knowledge.errors import KnowledgeError  # noqa: PLC0415 - see above

        place = home_from(home)
        with failing(KnowledgeError):
            library = _library(place)
            reader = readers(place, person) if person else Reader(today=_today())
            answer = library.ask(question, reader=reader, history=after or [])
        if as_json:
            _write_json(answer.as_json())
        else:
            _print_answer(answer)

    return ask


def nobody(home: Path, email: str) -> "Reader":
    """Refuse to look anybody up: there is no directory here."""
    raise Failure(f"{email} cannot be looked up: no directory is connected to {home}.")


ask = ask_command(nobody)


def evaluate(questions: Questions, home: Home = None, as_json: Json = False) -> None:
    """Ask a whole question set, and measure the answers."""
    from knowledge import evaluate as measure  # noqa: PLC0415 - see above
    from knowledge.edition import Reader  # noqa: PLC0415 - see above
    from knowledge.errors import KnowledgeError  # noqa: PLC0415 - see above

    with failing(KnowledgeError), _Shown(quiet=as_json) as shown:
        loaded = measure.load(questions)
        library = _library(home_from(home))
        reader = Reader(today=_today())
        library.warm()
        outcomes = measure.run(
            loaded,
            lambda question, history: library.ask(question, reader=reader, history=history),
            lambda done: shown.step("asking", done, len(loaded)),
        )
    figures = measure.figures(outcomes)
    if as_json:
        _write_json(figures)
    else:
        _print_figures(figures)


def _library(home: Path) -> "Library":
    from knowledge import embedder  # noqa: PLC0415 - see above
    from knowledge.answer import Library  # noqa: PLC0415 - see above
    from knowledge.edition import open_current  # noqa: PLC0415 - see above

    edition = open_current(home)
    return Library(edition, embedder.load(home))


def _today() -> date:
    return datetime.now(UTC).date()


def _write_json(value: dict[str, Any]) -> None:
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


class _Shown:
    """Progress for a person: a bar on a terminal, plain lines elsewhere, all on standard error."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.problems: list[Problem] = []
        self._console = Console(stderr=True, highlight=False, quiet=quiet)
        self._bar: Progress | None = None
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> "_Shown":
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
        self._console.print(Text(f"removed   {document}: {counted(hidden)}", style="yellow"))

    def note(self, text: str) -> None:
        """Say something else."""
        self._console.print(Text(text))


def counted(hidden: Mapping[str, int]) -> str:
    """Return what was taken out of a document, as a phrase."""
    return ", ".join(f"{count} {kind}{'s' * (count != 1)}" for kind, count in sorted(hidden.items()))


def _print_answer(answer: "Answer") -> None:
    from knowledge.answer import place_of  # noqa: PLC0415 - see above

    console = Console(highlight=False)
    if answer.status == "not_covered":
        console.print(Text("The documents do not answer this.", style="bold"))
    elif answer.status == "cautioned":
        console.print(Text("This may be what you are looking for; please check it.", style="bold yellow"))
    for number, citation in enumerate(answer.citations, start=1):
        console.print()
        console.print(Text(citation.quote))
        where = f"[{number}] {place_of(citation)}"
        console.print(Text(f"{where}  ({citation.url or citation.document})", style="dim"))
    for note in answer.notes:
        console.print()
        console.print(Text(note, style="yellow"))
    if answer.status == "not_covered" and answer.passages:
        console.print("\nNearest sections:")
        for passage in answer.passages[:3]:
            console.print(Text(f"  {place_of(passage)}  ({passage.url or passage.document})", style="dim"))
    if answer.status != "answered" and answer.owner:
        console.print(Text(f"\nTo be sure, ask {answer.owner}."))


def _print_figures(figures: dict[str, Any]) -> None:
    table = Table("Figure", "Value", box=None, pad_edge=False)
    for name, value in _flat(figures):
        table.add_row(name, "-" if value is None else f"{value}")
    Console(highlight=False).print(table)


def _flat(figures: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in figures.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{name} ")
        else:
            yield f"{above}{name}", value
