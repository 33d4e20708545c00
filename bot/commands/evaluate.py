"""`countersign evaluate`: a question set to figures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bot.commands.knowledge import library_of
from bot.commands.options import Home, Json, failing, today, write_json
from bot.commands.progress import Shown
from bot.settings import home_from

Questions = Annotated[Path, typer.Argument(metavar="FILE.jsonl", help="A question set.")]


def evaluate(questions: Questions, home: Home = None, as_json: Json = False) -> None:
    """Ask a whole question set, and measure the answers."""
    from knowledge import evaluate as measure  # noqa: PLC0415 - takes seconds to import
    from knowledge import excerpts  # noqa: PLC0415 - likewise
    from knowledge.edition import Reader  # noqa: PLC0415 - likewise
    from knowledge.errors import KnowledgeError  # noqa: PLC0415 - likewise

    with failing(KnowledgeError), Shown(quiet=as_json) as shown:
        loaded = measure.load(questions)
        library = library_of(home_from(home))
        reader = Reader(today=today())
        library.warm()
        outcomes = measure.run(
            loaded,
            lambda question, history: library.ask(question, reader=reader, history=history),
            lambda done: shown.step("asking", done, len(loaded)),
        )
        figures = measure.figures(outcomes)
        if any(question.excerpts for question in loaded):
            figures["tokens"] = excerpts.figures(loaded, library.edition, library.embedder, reader)
    if as_json:
        write_json(figures)
    else:
        _print_figures(figures)


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
