"""`countersign audit verify|export|checkpoint|key|pack|hold|release|holds`: the record as a whole."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.console import Console

from bot.audit import verifier
from bot.commands.opened import opened
from bot.commands.options import Failure, Home, Json, failing, user_name, write_json
from bot.commands.progress import Shown
from bot.settings import Settings, home_from, load

if TYPE_CHECKING:
    from graphs.ports import Connection

T = TypeVar("T")

Key = Annotated[
    list[str] | None,
    typer.Option(
        "--key", metavar="PUB", help="The public key (countersign audit key), or a file that holds it."
    ),
]
Copy = Annotated[
    Path | None,
    typer.Option("--checkpoints", metavar="FILE", help="Copies of checkpoints, from a second place."),
]
Request = Annotated[str, typer.Argument(metavar="RUN", help="The request's id, or its beginning.")]


def verify(
    export: Annotated[
        Path | None,
        typer.Argument(metavar="EXPORT", help="An export or an evidence pack; without it: the record."),
    ] = None,
    key: Key = None,
    checkpoints: Copy = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Check that every event is as it was written, that none is missing, and none was put in.

    An EXPORT is verified offline and needs neither home nor database, only the public key. Exit code 1 means
    that something is wrong, 2 that it could not be verified.
    """
    with failing(verifier.Unusable):
        if export is None:
            report = asyncio.run(_verify(load(home_from(home))))
        elif not key:
            raise Failure(
                "To verify a file, give the public key: --key PUB (countersign audit key shows it)."
            )
        else:
            report = verifier.verify_file(export, verifier.keys_from(key), checkpoints)
    if as_json:
        write_json({"holds": not report.findings, **asdict(report)})
    else:
        Console(highlight=False).print("\n".join(report.sentences()), markup=False)
    raise typer.Exit(1 if report.findings else 0)


def export(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="Where to; one that exists is continued. Without: standard output."
        ),
    ] = None,
    after: Annotated[int, typer.Option("--after", metavar="SEQ", min=0, help="Begin behind this event.")] = 0,
    ocsf: Annotated[
        bool, typer.Option("--ocsf", help="As OCSF events for a SIEM, without any value of a person.")
    ] = False,
    home: Home = None,
) -> None:
    """Write the record to a file, one JSON object a line: events, values beside them, signed checkpoints."""
    from bot.audit.export import NotContinued  # noqa: PLC0415  # --help is quick

    with failing(NotContinued, OSError), Shown() as shown:
        count = asyncio.run(_export(load(home_from(home)), file, after, shown, ocsf=ocsf))
    Console(stderr=True, highlight=False).print(f"{count} events written.")


def checkpoint(home: Home = None, as_json: Json = False) -> None:
    """Sign the end of the record now, and copy the checkpoints to the second place."""
    with failing(OSError):
        seq, path, copied = asyncio.run(_checkpoint(load(home_from(home))))
    if as_json:
        write_json({"seq": seq, "copies": str(path), "copied": copied})
        return
    Console(highlight=False).print(f"Signed up to event {seq}. {copied} new in {path}", markup=False)


def key(home: Home = None) -> None:
    """Show the public key that verifies the record. Auditors get it by other means than the export."""
    with failing():
        keys = asyncio.run(_keys(load(home_from(home))))
    sys.stdout.write("\n".join([*keys, ""]))


def pack(
    run: Request,
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="Where to. Default: RUN.zip")] = None,
    home: Home = None,
) -> None:
    """Write all evidence of one request into one file, which `audit verify` checks offline."""
    with failing(OSError):
        path, count = asyncio.run(_pack(load(home_from(home)), run, file))
    Console(highlight=False).print(f"{count} events in {path}", markup=False)


def hold(
    run: Request,
    reason: Annotated[str, typer.Option("--reason", help="Why it is kept; recorded.")],
    home: Home = None,
) -> None:
    """Keep all values of a request: neither time nor an erasure takes them away until it is released."""
    from graphs.audit import keeping  # noqa: PLC0415  # --help is quick

    with failing():
        settings = load(home_from(home))
        fresh = asyncio.run(
            _with(settings, run, lambda conn, one: keeping.hold(conn, one, by=user_name(), reason=reason))
        )
    Console().print("Held." if fresh else "It was held already.")


def release(run: Request, home: Home = None) -> None:
    """End the hold on a request."""
    from graphs.audit import keeping  # noqa: PLC0415  # --help is quick

    with failing():
        settings = load(home_from(home))
        if not asyncio.run(
            _with(settings, run, lambda conn, one: keeping.release(conn, one, by=user_name()))
        ):
            raise Failure("It was not held.")
    Console().print("Released.")


def holds(home: Home = None, as_json: Json = False) -> None:
    """List the requests that are held."""
    with failing():
        found = asyncio.run(_holds(load(home_from(home))))
    if as_json:
        write_json({"held": found})
        return
    Console(highlight=False).print("\n".join(found) or "Nothing is held.", markup=False)


@asynccontextmanager
async def _connected(settings: Settings) -> "AsyncIterator[Connection]":
    async with opened(settings) as database, database.pool.connection() as conn:
        yield conn


async def _verify(settings: Settings) -> verifier.Report:
    """Verify the record as an auditor would: export it, and give that to the verifier."""
    from bot.audit.copies import Copies  # noqa: PLC0415  # --help is quick
    from bot.audit.export import End, export  # noqa: PLC0415  # likewise
    from graphs.audit import head, vault_of  # noqa: PLC0415  # likewise

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.jsonl"
        async with _connected(settings) as conn:
            copies = Copies(settings.audit_copies, await head.tenant(conn)).path
            with path.open("wb") as file:
                await export(conn, file.write, End())
            keys = vault_of(conn).public_keys
        return verifier.verify_file(path, keys, copies if copies.exists() else None)


async def _export(settings: Settings, path: Path | None, after: int, shown: Shown, *, ocsf: bool) -> int:
    from bot.audit.export import End, export, export_ocsf, resume, resume_ocsf  # noqa: PLC0415  # see export
    from graphs.audit import head  # noqa: PLC0415  # likewise

    write, find = (export_ocsf, resume_ocsf) if ocsf else (export, resume)

    def progress(done: int, total: int) -> None:
        shown.step("export", done, total)

    async with _connected(settings) as conn:
        if path is None:
            begin = End(seq=after, checkpoint=after)
            return await write(conn, sys.stdout.buffer.write, begin, progress)
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            end = find(file, await head.tenant(conn), after=after)
            return await write(conn, file.write, end, progress)


async def _checkpoint(settings: Settings) -> tuple[int, Path, int]:
    from bot.audit.copies import Copies  # noqa: PLC0415  # see export
    from graphs.audit import checkpoints, head  # noqa: PLC0415  # likewise

    async with _connected(settings) as conn:
        await checkpoints.sign(conn)
        last = await checkpoints.latest(conn)
        await conn.commit()
        copies = Copies(settings.audit_copies, await head.tenant(conn))
        return (last.seq if last is not None else 0), copies.path, await copies.sweep(conn)


async def _keys(settings: Settings) -> tuple[str, ...]:
    from graphs.audit import vault_of  # noqa: PLC0415  # see export

    async with _connected(settings) as conn:
        return vault_of(conn).public_keys


async def _pack(settings: Settings, run: str, path: Path | None) -> tuple[Path, int]:
    from bot.audit.pack import pack  # noqa: PLC0415  # see export

    async def write(conn: "Connection", trace: str) -> tuple[Path, int]:
        place = path if path is not None else Path(f"{trace}.zip")
        with place.open("wb") as file:
            return place, await pack(conn, trace, file)

    return await _with(settings, run, write)


async def _with(settings: Settings, run: str, act: "Callable[[Connection, str], Awaitable[T]]") -> T:
    """Do something about the one request whose id begins so."""
    async with _connected(settings) as conn:
        return await act(conn, await trace(conn, run))


async def trace(conn: "Connection", run: str) -> str:
    """Return the id of the one request that begins so. Raises Failure."""
    cursor = await conn.execute(
        "SELECT DISTINCT trace FROM audit_event WHERE starts_with(trace, %s) LIMIT 2", (run,)
    )
    found = [str(row["trace"]) for row in await cursor.fetchall()]
    if not found:
        raise Failure("There is no such request. `countersign audit runs` lists them.")
    if len(found) > 1:
        raise Failure(f"More than one request begins with {run}.")
    return found[0]


async def _holds(settings: Settings) -> list[str]:
    from graphs.audit import keeping  # noqa: PLC0415  # see export

    async with _connected(settings) as conn:
        return await keeping.held(conn)
