"""`countersign privacy export|erase PERSON`: what is kept of somebody, and how it goes."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from bot.commands.opened import opened
from bot.commands.options import Failure, Home, Json, failing, user_name, write_json
from bot.commands.progress import Shown
from bot.demo import home as demo
from bot.settings import Settings, home_from, load
from connectors.errors import ConnectorError, NotFound

if TYPE_CHECKING:
    from bot.database import Database
    from bot.privacy.erase import Report
    from bot.privacy.files import Mentions
    from bot.privacy.people import Traces
    from bot.privacy.rows import Owner
    from connectors.directory import Person

app = typer.Typer(help="What is kept of a person: show it, or erase it.", no_args_is_help=True)

Who = Annotated[
    str,
    typer.Argument(metavar="PERSON", help="An e-mail address, or a subject of the directory: issuer#id."),
]


@app.command()
def export(
    person: Who,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where to. Default: standard output.")
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Write everything that is kept of a person, from every store, as JSON."""
    from graphs.audit import ChainBroken  # noqa: PLC0415  # --help is quick

    with failing(OSError, ChainBroken):
        kept = asyncio.run(_export(load(home_from(home)), person))
        if out is None or as_json:
            write_json(kept)
        if out is not None:
            out.touch(mode=0o600)
            out.write_text(f"{json.dumps(kept, indent=2, ensure_ascii=False)}\n", encoding="utf-8")
    if out is not None:
        count = sum(map(len, kept["tables"].values())) + len(kept["record"])
        Console(stderr=True, highlight=False).print(f"{count} rows and events in {out}", markup=False)


@app.command()
def erase(
    person: Who,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Erase a person from every store, for good.

    Their open requests are withdrawn, and what was lent to them ends. What cannot end yet is named, and the
    exit code is 1: run it again later, and it goes on. A legal hold on a request that names them forbids it.
    """
    from graphs.audit import Held  # noqa: PLC0415  # --help is quick
    from knowledge.errors import KnowledgeError  # noqa: PLC0415  # likewise

    with failing(KnowledgeError):
        try:
            report = asyncio.run(_erase(load(home_from(home)), person, yes=yes, quiet=as_json))
        except Held as error:
            raise Failure(
                f"Nothing was erased: a legal hold keeps {', '.join(error.traces)}, which names this person. "
                "End it first: countersign audit release RUN"
            ) from error
    if as_json:
        write_json(_as_json(report))
    else:
        Console(highlight=False, soft_wrap=True).print("\n".join(_sentences(report)), markup=False)
    raise typer.Exit(0 if report.is_complete else 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """An installation whose stores are open."""

    settings: Settings
    database: "Database"
    owner: "Owner"
    traces: "Traces"
    harmless: frozenset[str]


@asynccontextmanager
async def _opened(settings: Settings, person: str) -> AsyncIterator[_Place]:
    """Open the stores, and find the person in them. Raises Failure where nobody knows them."""
    from bot import workflows  # noqa: PLC0415  # see export
    from bot.database import open_owner  # noqa: PLC0415  # likewise
    from bot.privacy import people  # noqa: PLC0415  # likewise

    kinds = workflows.workflows(settings)
    harmless = frozenset(field.name for kind in kinds for field in kind.fields if field.kind != "text")
    known = await _in_directory(settings, person)
    async with (
        opened(settings) as database,
        open_owner(settings.home, settings.database_url, owner_url=settings.database_owner_url) as owner,
    ):
        traces = await people.find(database.pool, person, person=known, harmless=harmless)
        if traces is None:
            raise Failure(
                f"Countersign knows nobody called {person}, or no longer. Give an e-mail address, or the "
                "directory's issuer, #, and their id there."
            )
        yield _Place(settings=settings, database=database, owner=owner, traces=traces, harmless=harmless)


async def _in_directory(settings: Settings, person: str) -> "Person | None":
    """Return whom the directory knows so. None where it knows nobody, or cannot be asked."""
    from bot import credentials  # noqa: PLC0415  # see export
    from bot.settings import SettingsError  # noqa: PLC0415  # likewise
    from connectors.directory import open_directory  # noqa: PLC0415  # likewise

    if settings.directory is None:
        return None
    try:
        token = credentials.directory_token(settings, key=_key(settings))
        async with open_directory(settings.directory.url, token, issuer=settings.directory.issuer) as found:
            return await (found.person_of(person) if "#" in person else found.person_by_email(person))
    except NotFound:
        return None
    except (ConnectorError, SettingsError) as error:
        said = f"The directory cannot say who {person} is ({error}); what the stores know decides."
        Console(stderr=True, highlight=False).print(said, markup=False)
        return None


def _key(settings: Settings) -> str | None:
    from connectors.secrets import demo_key  # noqa: PLC0415  # see export

    return demo_key(settings.home) if demo.is_demo(settings.home) else None


async def _export(settings: Settings, person: str) -> dict[str, Any]:
    from bot import serving  # noqa: PLC0415  # see export
    from bot.privacy import export, files  # noqa: PLC0415  # likewise

    async with _opened(settings, person) as place:
        where, words = serving.of_home(settings.home), place.traces.marks.findable
        mentions = await asyncio.to_thread(files.mentions, settings.home, where, words)
        return await export.export(place.database, place.owner, place.traces, mentions)


async def _erase(settings: Settings, person: str, *, yes: bool, quiet: bool) -> "Report":
    from bot import serving  # noqa: PLC0415  # see export
    from bot.privacy import files, vacuum, working  # noqa: PLC0415  # likewise
    from bot.privacy.erase import Erasing  # noqa: PLC0415  # likewise

    async with _opened(settings, person) as place:
        if not yes:
            _confirm(place.traces)

        async def erase_files(words: frozenset[str]) -> "Mentions":
            with Shown(quiet=quiet) as shown:
                where = serving.of_home(settings.home)
                return await asyncio.to_thread(files.erase, settings.home, where, words, shown)

        async with working.at_work(settings, place.database, key=_key(settings)) as hands:
            erasing = Erasing(
                database=place.database,
                owner=place.owner,
                hands=hands,
                files=erase_files,
                by=user_name(),
                harmless=place.harmless,
            )
            report = await erasing.erase(place.traces)
        if not await vacuum.vacuum(place.owner):
            said = "PostgreSQL's write-ahead log holds what was until its next checkpoints (docs/privacy.md)."
            Console(stderr=True, highlight=False, soft_wrap=True).print(said, markup=False)
        return report


def _confirm(traces: "Traces") -> None:
    """Ask whoever runs the command whether they mean it. Raises Failure."""
    named = ", ".join(sorted(traces.marks.names | traces.marks.emails) or sorted(traces.marks.subjects))
    if not sys.stdin.isatty() and not typer.get_text_stream("stdin").readable():
        raise Failure("Say that you mean it: --yes")
    asked = f"Erase {named} from every store, withdraw their requests and end their access? It is for good."
    if not typer.confirm(asked, err=True):
        raise Failure("Nothing was erased.")


def _as_json(report: "Report") -> dict[str, Any]:
    return {
        "complete": report.is_complete,
        "pseudonym": report.person,
        "withdrawn": report.withdrawn,
        "asked_again": report.asked_again,
        "delegations_ended": report.delegations,
        "access_ended": report.ended,
        "rows": dict(report.rows),
        "left": [asdict(one) for one in report.left],
        "messages_left": report.posted,
        **asdict(report.mentions),
    }


def _sentences(report: "Report") -> list[str]:
    """Say what was done, and what is left to do."""
    rows = sum(report.rows.values())
    said = [
        f"Withdrawn: {report.withdrawn} open requests. Asked again, of others: {report.asked_again}. "
        f"Delegations ended: {report.delegations}.",
        f"Rows changed or deleted: {rows}. Old editions removed: {len(report.mentions.editions)}.",
    ]
    said += [f"Not over: {one.what} (request {one.run})." for one in report.left]
    if report.left:
        said.append("For these the directory's id is kept, sealed, until they have ended.")
    if report.posted:
        said.append(f"Slack still shows {report.posted} messages; they are taken away when it answers.")
    said += [f"This document names them: {one}. Change it and ingest." for one in report.mentions.documents]
    said += [f"This file names them: {one}. Change it." for one in report.mentions.files]
    if report.is_complete:
        said.append(f"Erased. What others did with them names {report.person} instead.")
    else:
        if report.why:
            said.append(f"This command could not do it itself: {report.why}")
        said.append("Then run this again: it goes on from here.")
    said.append("Backups and archived logs of the database hold it until you delete them (docs/privacy.md).")
    return said
