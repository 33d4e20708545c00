"""`countersign evaluate`: a question set to figures."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bot.commands.knowledge import library_of
from bot.commands.options import Failure, Home, Json, failing, today, write_json
from bot.commands.progress import Shown
from bot.settings import home_from

if TYPE_CHECKING:
    from knowledge.answer import Library
    from knowledge.edition import Reader
    from knowledge.evaluate import Outcome

Questions = Annotated[Path, typer.Argument(metavar="FILE.jsonl", help="A question set.")]
By = Annotated[
    str | None,
    typer.Option("--by", metavar="FIELD", help="The same figures for each kind of question: --by kind."),
]
Compare = Annotated[
    bool, typer.Option("--compare", help="Beside them, what plain BM25, dense vectors and a simple mix find.")
]
Intervals = Annotated[
    bool, typer.Option("--intervals", help="Beside them, 95 % intervals and how true the confidence is.")
]
Plot = Annotated[
    Path | None,
    typer.Option(
        "--plot", metavar="FILE.svg", help="Draw precision against coverage as the threshold moves."
    ),
]


def evaluate(
    questions: Questions,
    *,
    by: By = None,
    compare: Compare = False,
    intervals: Intervals = False,
    plot: Plot = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Ask a whole question set, and measure the answers."""
    from knowledge import evaluate as measure  # noqa: PLC0415 - likewise
    from knowledge.edition import Reader  # noqa: PLC0415 - likewise
    from knowledge.errors import KnowledgeError  # noqa: PLC0415 - likewise
    from knowledge.measures import baselines, coverage, excerpts  # noqa: PLC0415 - takes seconds to import
    from knowledge.measures.intervals import intervals as spread  # noqa: PLC0415 - likewise

    with failing(KnowledgeError), Shown(quiet=as_json) as shown:
        if plot is not None and plot.suffix.lower() != ".svg":
            raise Failure(f"The plot is an SVG: give a file that ends in .svg, not {plot.name}.")
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
        if compare:
            figures["compared"] = baselines.compared(loaded, library.edition, library.embedder, reader)
        if intervals:
            figures["intervals"] = spread(outcomes)
            figures["calibration"] = coverage.calibration(outcomes)
        if plot is not None:
            figures["coverage"] = _drawn(plot, _named(questions), outcomes, library, reader)
        if by is not None:
            figures["by"] = measure.by_kind(outcomes, by)
    if as_json:
        write_json(figures)
    else:
        _print_figures(figures)


def _named(questions: Path) -> str:
    """Return what a question set is called: its folder, where the file is only called questions."""
    return questions.resolve().parent.name if questions.stem == "questions" else questions.stem


def _drawn(
    plot: Path, name: str, outcomes: "list[Outcome]", library: "Library", reader: "Reader"
) -> dict[str, Any] | None:
    """Write the risk-coverage curve, from what would be said without a threshold; return its figures."""
    from knowledge import evaluate as measure  # noqa: PLC0415 - likewise
    from knowledge.measures import coverage  # noqa: PLC0415 - takes seconds to import
    from knowledge.measures.plot import risk_coverage  # noqa: PLC0415 - likewise
    from knowledge.scale import scale  # noqa: PLC0415 - likewise

    refused = [one for one in outcomes if one.answer.status == "not_covered"]
    open_ended = measure.run(
        [one.question for one in refused],
        lambda question, history: library.ask(question, reader=reader, history=history, threshold=0.0),
    ) + [one for one in outcomes if one not in refused]
    curve = coverage.curve(open_ended, scale().cautioned)
    if curve is None:
        raise Failure("There is nothing to draw: no question of this set is marked true or false.")
    try:
        plot.write_text(risk_coverage(name, curve), encoding="utf-8")
    except OSError as error:
        raise Failure(f"{plot} cannot be written: {error.strerror or error}.") from error
    return curve


def _print_figures(figures: dict[str, Any]) -> None:
    console = Console(highlight=False)
    spread = dict(_flat(figures.get("intervals", {})))
    others = figures.get("compared", {})
    table = Table("Figure", "Value", box=None, pad_edge=False)
    if spread:
        table.add_column(f"{spread['level']:.0%}")
    for name in others:
        table.add_column(name)
    for name, value in _flat(_main(figures)):
        row = [name, _cell(value)]
        if spread:
            row.append(" to ".join(map(_cell, spread.get(name) or ())))
        row += [_cell(dict(_flat(_placed(other))).get(name), "") for other in others.values()]
        table.add_row(*row)
    console.print(table)
    if "by" in figures:
        console.print()
        console.print(_by_kind(figures["by"]))


def _main(figures: dict[str, Any]) -> dict[str, Any]:
    """Return what the first table shows: lists and what other columns and tables show are left out."""
    left_out = {"by", "compared", "intervals"}
    shown = {name: value for name, value in figures.items() if name not in left_out}
    for name, long in (("calibration", "bins"), ("coverage", "points")):
        if shown.get(name):
            shown[name] = {key: value for key, value in shown[name].items() if key != long}
    return shown


def _placed(other: dict[str, Any]) -> dict[str, Any]:
    """Return another search's figures under the names of ours."""
    return {"retrieval": other["retrieval"], "abstention": {"auc": other["auc"]}}


def _by_kind(by: dict[str, Any]) -> Table:
    table = Table(by["field"], box=None, pad_edge=False)
    for name, kind in by["kinds"].items():
        table.add_column(escape(f"{name} (few)" if kind["few"] else name), justify="right")
    columns = [dict(_flat(kind)) for kind in by["kinds"].values()]
    for name in columns[0]:
        if name != "few":
            table.add_row(name, *(_cell(column[name]) for column in columns))
    return table


def _cell(value: Any, nothing: str = "-") -> str:
    return nothing if value is None else f"{value}"


def _flat(figures: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in figures.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name} ")
        else:
            yield f"{above}{name}", value
