"""`countersign editions`: which edition serves and which did, what is in each, and whether each is whole."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.commands.options import Failure, Home, Json, failing, user_name, write_json
from bot.commands.progress import Shown, closed_note, counted
from bot.settings import Settings, home_from, load

if TYPE_CHECKING:
    from knowledge.difference import DocumentChange
    from knowledge.edition import Edition
    from knowledge.keeping import Kept
    from knowledge.serving import Activation, Serving

app = typer.Typer(
    help="Which edition of the documents serves, what is in each, and whether each is whole.",
    no_args_is_help=True,
)

Id = Annotated[str, typer.Argument(metavar="EDITION", help="Its id, or the beginning of it.")]
Which = Annotated[
    str | None,
    typer.Argument(
        metavar="EDITION",
        help="Its id, or the beginning of it. Default: the one that serves.",
        show_default=False,
    ),
]

# What opens editions takes seconds to import, so commands import it when they run.


@app.command("list")
def list_(home: Home = None, as_json: Json = False) -> None:
    """List the editions: when they were built, what they hold, and which one serves.

    With --json also the history: which edition was made to serve when, by whom and why.
    """
    from bot import serving  # noqa: PLC0415 - see above
    from knowledge import keeping  # noqa: PLC0415 - see above
    from knowledge.errors import KnowledgeError  # noqa: PLC0415 - see above

    place = home_from(home)
    with failing(KnowledgeError):
        where = serving.of_home(place)
        current, history = where.current(), where.history()
        found = sorted((keeping.kept(place, one) for one in keeping.ids(place)), key=lambda one: one.built)
    if as_json:
        rows = [_row(one, serves=one.id == current) for one in found]
        write_json({"editions": rows, "activations": [_activation(one) for one in history]})
        return
    table = Table("Edition", "Built (UTC)", "Documents", "Passages", "Size", "", box=None, pad_edge=False)
    for one in found:
        held = (
            [str(len(one.manifest["documents"])), str(one.manifest["passages"])]
            if one.manifest
            else ["?", "?"]
        )
        said = "serves" if one.id == current else "cannot be used" if one.problem else ""
        table.add_row(one.id, f"{one.built:%Y-%m-%d %H:%M}", *held, f"{one.size / 1e6:.1f} MB", said)
    Console(highlight=False).print(
        table if found else "There is no edition yet. Run: countersign ingest SOURCE"
    )


@app.command()
def show(edition: Which = None, home: Home = None, as_json: Json = False) -> None:
    """Show what an edition holds: its documents, what was left out, and what was hidden in them."""
    from bot import serving  # noqa: PLC0415 - see above
    from knowledge.errors import KnowledgeError  # noqa: PLC0415 - see above

    place = home_from(home)
    with failing(KnowledgeError):
        where = serving.of_home(place)
        name = _named(place, edition) if edition else where.current()
        if name is None:
            raise Failure("No edition serves yet. Run: countersign ingest SOURCE")
        opened = _opened(place, name)
        try:
            rows = _documents(opened)
        finally:
            opened.close()
        history = [one for one in where.history() if one.edition == name]
    if as_json:
        manifest = opened.manifest
        found = {name: manifest[name] for name in ("embedder", "passages", "problems", "sources")}
        activations = [_activation(one) for one in history]
        write_json({"edition": name, "documents": rows, **found, "activations": activations})
    else:
        _print_edition(name, rows, opened.manifest, history)


@app.command()
def diff(
    old: Id,
    new: Id,
    home: Home = None,
    text: Annotated[bool, typer.Option("--text", help="Show the lines that changed as well.")] = False,
    as_json: Json = False,
) -> None:
    """Say what changed from one edition to another: documents, their terms, and their sections."""
    from knowledge.difference import difference  # noqa: PLC0415 - see above
    from knowledge.errors import KnowledgeError  # noqa: PLC0415 - see above

    place = home_from(home)
    with failing(KnowledgeError):
        before, after = (_opened(place, _named(place, one)) for one in (old, new))
        try:
            changes = difference(before, after)
        finally:
            before.close()
            after.close()
    if as_json:
        write_json({"from": before.id, "to": after.id, "documents": [_change(one) for one in changes]})
    else:
        _print_changes(changes, text=text)


@app.command()
def activate(edition: Id, home: Home = None) -> None:
    """Let an edition serve, such as the one before. It is verified first; a damaged one is refused."""
    from bot import serving  # noqa: PLC0415 - see above
    from knowledge.errors import KnowledgeError  # noqa: PLC0415 - see above
    from knowledge.verify import damages  # noqa: PLC0415 - see above

    place = home_from(home)
    with failing(KnowledgeError):
        opened = _opened(place, _named(place, edition))
        try:
            found = list(damages(opened.folder))
            if found:
                raise Failure(f"Edition {opened.id} is damaged and does not serve: {found[0]}")
            serving.of_home(place).activate(opened.id, by=user_name(), why="activate")
        finally:
            opened.close()
    Console(highlight=False).print(f"Edition {opened.id} serves.")


@app.command()
def verify(edition: Which = None, home: Home = None, as_json: Json = False) -> None:
    """Compute again everything that an edition's manifest promises. Exit code 1 where something is wrong."""
    from bot import serving  # noqa: PLC0415 - see above
    from knowledge.errors import KnowledgeError  # noqa: PLC0415 - see above
    from knowledge.verify import damages  # noqa: PLC0415 - see above

    place = home_from(home)
    with failing(KnowledgeError):
        name = _named(place, edition) if edition else serving.of_home(place).current()
        if name is None:
            raise Failure("No edition serves yet. Run: countersign ingest SOURCE")
        found = list(damages(place / "editions" / name))
    if as_json:
        write_json({"edition": name, "damages": found})
    else:
        console = Console(highlight=False)
        for line in found:
            console.print(Text(line, style="red"))
        console.print(f"Edition {name} is {'damaged' if found else 'whole'}.")
    raise typer.Exit(1 if found else 0)


@app.command()
def sweep(home: Home = None, as_json: Json = False) -> None:
    """Remove old editions past retention (knowledge.keep_editions, keep_days), as every ingest does.

    The one that serves and the one before it stay, and so does any that a process has open.
    """
    from bot import serving  # noqa: PLC0415 - see above
    from knowledge.errors import KnowledgeError  # noqa: PLC0415 - see above

    place = home_from(home)
    with failing(KnowledgeError):
        gone = swept(place, serving.of_home(place), load(place))
    if as_json:
        write_json({"removed": gone})
    else:
        Console(highlight=False).print(
            f"Removed: {', '.join(gone)}." if gone else "Nothing is past retention."
        )


@app.command()
def erase(
    document: Annotated[str, typer.Argument(metavar="DOCUMENT", help="As `editions show` names it.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Remove every old edition that holds a document, and its vectors from the cache.

    First remove the document from its source and ingest: the edition that serves is never touched.
    """
    from bot import serving  # noqa: PLC0415 - see above
    from knowledge import keeping  # noqa: PLC0415 - see above
    from knowledge.errors import KnowledgeError  # noqa: PLC0415 - see above

    place = home_from(home)
    with failing(KnowledgeError), Shown(quiet=as_json) as shown:
        done = keeping.erase(place, serving.of_home(place), document, shown)
    if as_json:
        write_json({"document": document, "editions": done.editions, "readings": done.readings})
    else:
        what = f"{len(done.editions)} edition{'s' * (len(done.editions) != 1)}"
        Console(highlight=False).print(
            f"Removed {what} and {done.readings} cached passages. No edition holds {document}.", markup=False
        )


def swept(home: Path, where: "Serving", settings: Settings) -> list[str]:
    """Remove old editions past the retention of the settings; return their ids."""
    from knowledge.keeping import Retention, sweep  # noqa: PLC0415 - see above

    kept = settings.knowledge
    retention = Retention(editions=kept.keep_editions, days=kept.keep_days)
    return sweep(home, where, retention, now=datetime.now(UTC))


def _named(home: Path, given: str) -> str:
    from knowledge.keeping import resolved  # noqa: PLC0415 - see above

    return resolved(home, given)


def _opened(home: Path, name: str) -> "Edition":
    from knowledge.edition import Edition  # noqa: PLC0415 - see above

    return Edition(home / "editions" / name)


def _row(one: "Kept", *, serves: bool) -> dict[str, Any]:
    return {
        "edition": one.id,
        "built": one.built.isoformat(timespec="seconds"),
        "documents": len(one.manifest["documents"]) if one.manifest else None,
        "passages": one.manifest.get("passages"),
        "bytes": one.size,
        "serves": serves,
        "problem": one.problem,
    }


def _activation(one: "Activation") -> dict[str, str]:
    at = one.at.astimezone(UTC).isoformat(timespec="milliseconds")
    return {"edition": one.edition, "at": at, "by": one.by, "why": one.why}


def _documents(edition: "Edition") -> list[dict[str, Any]]:
    rows = []
    for head in edition.documents:
        content, terms = edition.manifest["documents"][head.document], head.terms
        dates = {name: getattr(terms, name) for name in ("effective", "expires", "review")}
        rows.append(
            {
                "document": head.document,
                "title": head.title,
                "owner": terms.owner,
                **{name: day.isoformat() if day else None for name, day in dates.items()},
                "version": terms.version,
                "audience": sorted(terms.audience),
                "regions": sorted(terms.regions),
                "language": terms.language,
                "url": terms.url,
                "sha256": content["file"],
                "hidden": content["hidden"],
            }
        )
    return rows


def _change(one: "DocumentChange") -> dict[str, Any]:
    names = ("anchor", "section", "change", "text")
    sections = [{name: getattr(section, name) for name in names} for section in one.sections]
    terms = {name: {"from": before, "to": after} for name, (before, after) in one.terms.items()}
    return {"document": one.document, "change": one.change, "terms": terms, "sections": sections}


def _print_edition(
    name: str, rows: Sequence[Mapping[str, Any]], manifest: Mapping[str, Any], history: Sequence["Activation"]
) -> None:
    console = Console(highlight=False)
    console.print(f"Edition {name}: {len(rows)} documents, {manifest['passages']} passages.")
    for one in history:
        console.print(
            Text(f"  served from {one.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC: {one.why} by {one.by}")
        )
    table = Table("Document", "Title", "Owner", "Effective", "Expires", "Review", "SHA-256", box=None)
    for row in rows:
        said = [
            str(row[key] or "") for key in ("document", "title", "owner", "effective", "expires", "review")
        ]
        table.add_row(*map(Text, said), row["sha256"][:12])
    console.print(table)
    for row in rows:
        if row["hidden"]:
            console.print(Text(f"removed   {row['document']}: {counted(row['hidden'])}", style="yellow"))
    for problem in manifest["problems"]:
        console.print(Text(f"left out  {problem['document']}: {problem['reason']}", style="yellow"))
    closed = [problem["document"] for problem in manifest["problems"] if problem.get("closed")]
    if closed:
        console.print(Text(closed_note(closed), style="bold red"))


def _print_changes(changes: Sequence["DocumentChange"], *, text: bool) -> None:
    console = Console(highlight=False)
    for one in changes:
        console.print(Text(f"{one.change:<8} {one.document}", style="bold"))
        for name, (before, after) in one.terms.items():
            console.print(Text(f"         {name}: {before or 'none'} -> {after or 'none'}"))
        for section in one.sections:
            console.print(Text(f"         {section.change}: {section.section or 'the beginning'}"))
            if text:
                console.print(Text("\n".join(f"           {line}" for line in section.text.splitlines())))
    if not changes:
        console.print("Both hold the same.")
