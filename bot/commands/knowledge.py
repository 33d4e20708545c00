"""`countersign ingest` and `ask`: what the company has written, and what it answers."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from bot.commands.editions import swept
from bot.commands.models import rewording
from bot.commands.options import Config, Failure, Home, Json, failing, today, user_name, write_json
from bot.commands.progress import Shown, closed_note
from bot.settings import home_from, load

if TYPE_CHECKING:
    from knowledge.answer import Answer, Library
    from knowledge.edition import Reader
    from knowledge.ingest import Ingested

# numpy, Chroma and the sentence model take seconds to import, so commands import them when they run.

Sources = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[SOURCE...]",
        help="Folders of documents, or JSONL files. Default: the \\[\\[sources]] of the settings.",
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="NAME",
        help="Fetch this configured source; the others stay as they were fetched last. May be repeated.",
    ),
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="End with exit code 1 where a document was left out. The rest serves."),
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
Model = Annotated[
    bool | None,
    typer.Option(
        "--model/--no-model",
        help="Let the language model of the settings word the answer. Default: if they name one.",
    ),
]


def ingest(
    sources: Sources = None,
    only: Only = None,
    home: Home = None,
    config: Config = None,
    as_json: Json = False,
    *,
    strict: Strict = False,
    scheduled: Annotated[bool, typer.Option("--scheduled", hidden=True)] = False,
) -> None:
    """Read documents into a new edition, and let it serve."""
    from bot import serving  # noqa: PLC0415 - see above
    from bot.sources import configured, fetched, named  # noqa: PLC0415 - see above
    from knowledge import ingest as knowledge  # noqa: PLC0415 - see above
    from knowledge.errors import KnowledgeError  # noqa: PLC0415 - see above
    from knowledge.later import Later  # noqa: PLC0415 - see above

    place = home_from(home)
    with failing(KnowledgeError), Shown(quiet=as_json) as shown:
        if sources and only:
            raise Failure("--only names configured sources; leave it out where you name folders.")
        reading = (
            nullcontext(named(sources, place)) if sources else fetched(place, config, only or [], shown.note)
        )
        with reading as found:
            where = serving.of_home(place, config)
            done = knowledge.ingest(
                place,
                found,
                Later(place),
                shown,
                serving=where,
                by="schedule" if scheduled else user_name(),
                why="sync" if scheduled else "ingest",
            )
            if not done.unchanged:
                swept(place, where, load(place, config))
        every = [] if sources else configured(load(place, config))
        for source in every:
            source.tell(shown.problems)
        statuses = [{"name": one.name, **one.status()} for one in every]
    if as_json:
        write_json(_report(done, shown) | {"sources": statuses})
    else:
        _print_report(done, shown)
    if strict and shown.problems:
        raise typer.Exit(1)


def _report(done: "Ingested", shown: Shown) -> dict[str, Any]:
    return {
        "edition": done.edition,
        "documents": done.documents,
        "passages": done.passages,
        "left_out": [
            {"document": one.document, "reason": one.reason, "closed": one.closed} for one in shown.problems
        ],
        "removed": [{"document": document, "hidden": hidden} for document, hidden in shown.hidden.items()],
        "notes": shown.notes,
    }


def _print_report(done: "Ingested", shown: Shown) -> None:
    count, passages = done.documents, done.passages
    left_out = f", {len(shown.problems)} left out" if shown.problems else ""
    Console(highlight=False).print(
        f"{count} document{'s' * (count != 1)}, {passages} passage{'s' * (passages != 1)}{left_out}. "
        f"Edition {done.edition} serves."
    )
    closed = [one.document for one in shown.problems if one.closed]
    if closed:
        Console(stderr=True, highlight=False).print(Text(closed_note(closed), style="bold red"))


def ask_command(readers: Callable[[Path, str], "Reader"]) -> Callable[..., None]:
    """Return the command `ask`. `readers` says, for a home and an e-mail address, what a person may read."""

    def ask(
        question: Asked,
        *,
        person: As = None,
        after: After = None,
        model: Model = None,
        home: Home = None,
        as_json: Json = False,
    ) -> None:
        """Answer a question from the documents, with citations."""
        from knowledge.edition import Reader  # noqa: PLC0415 - see above
        from knowledge.errors import KnowledgeError  # noqa: PLC0415 - see above

        place = home_from(home)
        with failing(KnowledgeError):
            reword = None if model is False else rewording(place, wanted=bool(model))
            library = library_of(place)
            reader = readers(place, person) if person else Reader(today=today())
            answer = library.ask(question, reader=reader, history=after or [])
            if reword is not None:
                answer = reword(answer)
        if as_json:
            write_json(answer.as_json())
        else:
            _print_answer(answer)

    return ask


def nobody(home: Path, email: str) -> "Reader":
    """Refuse to look anybody up: there is no directory here."""
    raise Failure(f"{email} cannot be looked up: no directory is connected to {home}.")


ask = ask_command(nobody)


def library_of(home: Path) -> "Library":
    """Open the edition that serves, with the embedder of its home."""
    from bot import serving  # noqa: PLC0415 - see above
    from knowledge import embedder  # noqa: PLC0415 - see above
    from knowledge.answer import Library  # noqa: PLC0415 - see above
    from knowledge.edition import open_current  # noqa: PLC0415 - see above

    edition = open_current(home, serving.of_home(home))
    return Library(edition, embedder.load(home))


def _print_answer(answer: "Answer") -> None:
    from knowledge.answer import place_of  # noqa: PLC0415 - see above

    console = Console(highlight=False)
    if answer.status == "not_covered":
        console.print(Text("The documents do not answer this.", style="bold"))
    elif answer.status == "cautioned":
        console.print(Text("This may be what you are looking for; please check it.", style="bold yellow"))
    if answer.worded:
        console.print()
        console.print(Text(answer.answer))
        console.print(Text("Worded by a language model; the quotes below are what counts.", style="dim"))
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
