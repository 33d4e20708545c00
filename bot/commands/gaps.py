"""`countersign gaps`: what people asked and did not get, and what owners do about it."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.console import Console
from rich.text import Text

from bot.commands import readers
from bot.commands.knowledge import library_of
from bot.commands.options import Failure, Home, Json, failing, write_json
from bot.commands.progress import closed_note
from bot.render import clean
from bot.settings import home_from, load

if TYPE_CHECKING:
    from bot.database import Pool
    from bot.gaps.gaps import Gap
    from graphs.ports import Connection

# numpy and the sentence model take seconds to import, so commands import them when they run.

app = typer.Typer(help="What people asked and did not get, and what owners do about it.")

Done = TypeVar("Done")
Id = Annotated[str, typer.Argument(metavar="ID", help="The gap's id, or its beginning.")]
Owner = Annotated[
    str | None,
    typer.Option(
        "--owner", metavar="EMAIL", help="Only what is nearest to this owner's documents, or nobody's."
    ),
]
Since = Annotated[
    str | None, typer.Option("--since", metavar="30d", help="Only what was asked in this time: 12h, 30d, 8w.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, help="How many gaps at most.")]
Reason = Annotated[str, typer.Option("--reason", help="Why nobody needs to write about it.")]
TextFile = Annotated[
    str, typer.Option("--text", metavar="FILE", help="The answer in Markdown; - reads standard input.")
]
Title = Annotated[str, typer.Option("--title", help="What the document is called.")]
Author = Annotated[
    str,
    typer.Option("--owner", metavar="EMAIL", help="Who wrote or reviewed the answer, and looks after it."),
]
Audience = Annotated[
    list[str] | None,
    typer.Option(
        "--audience",
        metavar="GROUP",
        help="Who may read it: everyone, or a group; may be repeated. Default: those for whom the documents "
        "near the questions are.",
    ),
]
Effective = Annotated[
    datetime | None,
    typer.Option("--effective", formats=["%Y-%m-%d"], help="From when it holds. Default: today."),
]
Who = Annotated[
    str, typer.Argument(metavar="PERSON", help="An e-mail address, or a subject of the directory.")
]


@app.callback(invoke_without_command=True)
def gaps(
    context: typer.Context,
    *,
    owner: Owner = None,
    since: Since = None,
    limit: Limit = 20,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Show what people asked and did not get, what most people asked first."""
    if context.invoked_subcommand is not None:
        return
    with failing():
        found = _with(home, lambda conn, place: _found(conn, place, since=_span(since)))
    named = owner.strip().casefold() if owner else None
    shown = [gap for gap in found if named is None or gap.owner.casefold() in {named, ""}][:limit]
    closed = _closed(home_from(home))
    if as_json:
        rows = [gap.as_json() for gap in shown]
        write_json({"gaps": rows, "left_out": len(found) - len(shown), "closed": closed})
    else:
        _print_gaps(shown)
        if closed:
            Console(stderr=True, highlight=False).print(Text(closed_note(closed), style="bold red"))


def _closed(place: Path) -> list[str]:
    """Return the documents that would answer nobody, because they are closed in the edition that serves."""
    from bot import serving  # noqa: PLC0415 - see above
    from knowledge.errors import KnowledgeError  # noqa: PLC0415 - see above
    from knowledge.manifest import read_manifest  # noqa: PLC0415 - see above
    from knowledge.serving import EDITIONS  # noqa: PLC0415 - see above

    try:
        name = serving.of_home(place).current()
        problems = read_manifest(place / EDITIONS / name)["problems"] if name else []
    except KnowledgeError:
        return []  # `countersign editions` says what is wrong
    return [problem["document"] for problem in problems if problem.get("closed")]


@app.command()
def show(gap: Id, home: Home = None, as_json: Json = False) -> None:
    """List the questions of a gap, as they were asked, and what was said about bad answers."""
    with failing():
        found = _with(home, lambda conn, place: _one(conn, place, gap))
    if as_json:
        questions = [question.as_json() for question in found.questions]
        write_json(found.as_json() | {"asked": questions})
        return
    console = Console(highlight=False)
    _print_gaps([found])
    for question in found.questions:
        place = "in private" if question.private else "in a channel"
        when = question.asked_at.strftime("%Y-%m-%d %H:%M")
        bad = f", rated badly {question.bad} times" if question.bad else ""
        label = ", ".join(sorted(question.audience))
        console.print()
        console.print(Text(clean(question.said)))
        console.print(
            Text(
                f"{when} UTC, {place}, {question.status}{bad}, about documents for {clean(label)}",
                style="dim",
            )
        )
        for note in question.notes:
            console.print(Text(f"  What was wrong: {clean(note)}", style="yellow"))


@app.command()
def dismiss(gap: Id, reason: Reason, home: Home = None) -> None:
    """Put a gap aside. Who asks the same later opens a new one."""
    with failing():
        if not reason.strip():
            raise Failure("Say why nobody needs to write about it: --reason TEXT.")
        found = _with(home, lambda conn, place: _dismissed(conn, place, gap, reason))
    Console(highlight=False).print(f"Put aside: {_questions(found)}.")


@app.command()
def answer(
    gap: Id,
    *,
    text: TextFile,
    title: Title,
    owner: Author,
    audience: Audience = None,
    effective: Effective = None,
    home: Home = None,
) -> None:
    """Write a reviewed answer. It becomes a document of its own, which the next ingest reads."""
    from bot.gaps.answers import BadAnswer, Reviewed, audience_for  # noqa: PLC0415 - see above
    from bot.gaps.review import publish  # noqa: PLC0415 - see above

    with failing(BadAnswer):
        said = _text(text)
        may_read = _reviewer(home_from(home), owner)

        async def write(conn: "Connection", place: Path) -> tuple["Gap", str, frozenset[str]]:
            found = await _one(conn, place, gap)
            for_whom = audience_for(found, audience)
            if may_read is not None and not may_read(for_whom):
                names = ", ".join(sorted(for_whom))
                raise Failure(f"{owner} may not read documents for {names}, and cannot review one.")
            day = datetime.now(UTC).date()
            reviewed = Reviewed(
                text=said,
                title=title,
                owner=owner,
                audience=for_whom,
                effective=day if effective is None else effective.date(),
                reviewed=day,
            )
            return found, await publish(conn, place, found, reviewed), for_whom

        found, document, for_whom = _with(home, write)
    console = Console(highlight=False)
    console.print(Text(f"Written for {', '.join(sorted(for_whom))}: {home_from(home) / document}"))
    console.print(
        f"It answers {_questions(found)} after the next ingest. Where the bot runs they are asked again by "
        "themselves; elsewhere: countersign gaps check"
    )


@app.command()
def check(home: Home = None) -> None:
    """Ask every gap of the edition that serves, and close those that it answers."""
    from knowledge.errors import KnowledgeError  # noqa: PLC0415 - see above

    with failing(KnowledgeError):
        library = library_of(home_from(home))

        async def again(conn: "Connection", place: Path) -> tuple[int, int, Sequence[str]]:
            from bot.gaps.review import ask_again, unanswered  # noqa: PLC0415 - see above

            asked = closed = 0
            while (portion := await ask_again(conn, library))[0]:
                asked, closed = asked + portion[0], closed + portion[1]
            return asked, closed, await unanswered(conn)

        asked, closed, left = _with(home, again)
    console = Console(highlight=False)
    console.print(f"Asked again: {asked}. Answered by edition {library.edition.id}, and closed: {closed}.")
    for document in left:
        console.print(
            Text(f"Still open: what {document} was written for. Is it ingested? Is it clear?", style="yellow")
        )


@app.command()
def erase(person: Who, home: Home = None) -> None:
    """Erase every question and rating of a person, and nothing else; see `countersign privacy erase`."""
    with failing():
        place = home_from(home)
        subject = person if "#" in person else asyncio.run(readers.person(place, person)).subject
        questions, ratings = asyncio.run(_erased(place, subject))
    Console(highlight=False).print(f"Erased: {questions} questions, {ratings} ratings.")


async def _erased(place: Path, subject: str) -> tuple[int, int]:
    from bot.gaps.questions import Questions  # noqa: PLC0415 - see above

    async with _pool(place) as pool:
        return await Questions(pool, keep_days=load(place).gaps.keep_days).erase(subject)


def _with(home: Path | None, act: Callable[["Connection", Path], Awaitable[Done]]) -> Done:
    """Do something with a connection to the database of a home."""
    place = home_from(home)

    async def run() -> Done:
        async with _pool(place) as pool, pool.connection() as conn:
            return await act(conn, place)

    return asyncio.run(run())


@asynccontextmanager
async def _pool(place: Path) -> AsyncIterator["Pool"]:
    from bot.commands.opened import opened  # noqa: PLC0415  # --help does not need a database
    from bot.serving import has_database  # noqa: PLC0415  # likewise

    settings = load(place)
    if not has_database(settings):
        raise Failure(f"No bot has answered anybody in {place} yet, so nothing is kept there.")
    async with opened(settings) as database:
        yield database.pool


async def _found(conn: "Connection", place: Path, *, since: timedelta | None = None) -> "list[Gap]":
    from bot.gaps import gaps as groups  # noqa: PLC0415 - see above
    from knowledge import embedder  # noqa: PLC0415 - see above

    return await groups.gaps(conn, embedder.load(place), since=since)


async def _one(conn: "Connection", place: Path, name: str) -> "Gap":
    found = [
        gap
        for gap in await _found(conn, place)
        if name and any(question.id.startswith(name) for question in gap.questions)
    ]
    if not found:
        raise Failure(f"There is no open gap {name}. `countersign gaps` lists them.")
    if len(found) > 1:
        raise Failure(f"More than one gap begins with {name}. Write more of its id.")
    return found[0]


async def _dismissed(conn: "Connection", place: Path, name: str, reason: str) -> "Gap":
    from bot.gaps import review  # noqa: PLC0415 - see above

    found = await _one(conn, place, name)
    await review.dismiss(conn, found, reason)
    return found


def _reviewer(place: Path, owner: str) -> Callable[[frozenset[str]], bool] | None:
    """Return whether the owner may read what is for some; None where no directory can say."""
    if not re.fullmatch(r"[^\s@]+@[^\s@]+", owner):
        raise Failure(f"{owner} is no e-mail address. Say who looks after the answer: --owner EMAIL.")
    if load(place).directory is None:
        return None
    audiences = readers.reader(place, owner).audiences
    return lambda names: bool(names & (audiences | {"everyone"}))


def _text(name: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise Failure(f"{name} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise Failure(f"{name} is not UTF-8 text.") from error


def _span(text: str | None) -> timedelta | None:
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d{0,3})([hdw])", text.strip())
    if match is None:
        raise Failure(f"{text} is no time. Write it like 12h, 30d or 8w.")
    unit = {"h": "hours", "d": "days", "w": "weeks"}[match[2]]
    return timedelta(**{unit: int(match[1])})


def _questions(gap: "Gap") -> str:
    count = len(gap.questions)
    return f"{count} question{'s' * (count != 1)}"


def _print_gaps(shown: Sequence["Gap"]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if not shown:
        console.print("There are no gaps: every question that is kept was answered.")
        return
    for place, gap in enumerate(shown):
        if place:
            console.print()
        counted = f"{gap.people} {'person' if gap.people == 1 else 'people'}, {_questions(gap)}, {gap.trend}"
        console.print(Text.assemble((gap.id[:8], "bold"), f"  {counted}"))
        console.print(Text(f"  {clean(gap.typical.said)}"))
        for turn in gap.typical.earlier[-1:]:
            console.print(Text(f"  After: {clean(turn)}", style="dim"))
        console.print(Text(f"  Nearest: {_place(gap)}. Owner: {clean(gap.owner) or 'nobody'}", style="dim"))
        labels = sorted({name for audience in gap.audiences for name in audience} - {"everyone"})
        if labels:
            console.print(Text(f"  About documents for {clean(', '.join(labels))} only", style="yellow"))
        if gap.answer:
            console.print(Text(f"  Answer written: {clean(gap.answer)}", style="green"))


def _place(gap: "Gap") -> str:
    place = gap.nearest
    if place is None:
        return "nothing"
    return clean(
        f"{place['title']} > {place['section']}" if place["section"] != place["title"] else place["title"]
    )
