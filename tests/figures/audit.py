"""U: what is done to an export of the record, what the verifier says to it, and how quick both sides are."""

import random
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.audit import verifier
from bot.audit.copies import Copies
from bot.audit.export import End, export
from bot.database import Database, open_database, open_owner
from connectors.keys import Keys
from graphs import audit
from graphs.audit import Vault, checkpoints, head
from tests import forgery
from tests.figures.record import Figure, none_wrong

RATE = 15_000  # events a second
ADA = {"subject": "larkfield#c0ffee-ada", "name": "Ada Canary", "email": "ada.canary@larkfield.example"}


@dataclass(frozen=True, kw_only=True)
class Log:
    """An export, the copies of its checkpoints, and the keys: the vault is what only an insider has."""

    lines: list[bytes]
    copies: list[bytes]
    vault: Vault

    def missed(self, forged: list[bytes]) -> bool:
        """Whether the verifier takes these lines for the record."""
        return not verifier.verify(forged, self.vault.public_keys, self.copies, most=1).findings


async def measure(*, quick: bool) -> AsyncIterator[Figure]:
    """Forge exports in every way; time the verifier and the writer; look for somebody who was erased."""
    rng = random.Random(20)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        async with opened(home) as (database, _):
            yield await appending(database, seconds=1 if quick else 20)
            few = await written(home, events=6 if quick else 20, every=3 if quick else 8)
            log = await written(home, events=150 if quick else 10_000, every=40 if quick else 1_000)
        yield await erasing(home)
        yield every_byte(few, rng, most=1_500 if quick else None)
        yield verifying(log, rounds=3)
        for figure in forged(log, rng, each=9 if quick else 90):
            yield figure


def every_byte(log: Log, rng: random.Random, *, most: int | None = None) -> Figure:
    """Change, remove and put in every byte of a short export, one at a time."""
    edits = forgery.byte_edits(log.lines, rng)
    if most is not None:
        edits = iter(rng.sample(list(edits), most))
    outcomes = [log.missed(lines) for _, lines in edits]
    what = "every byte of an export changed, removed, or one put before it: not detected"
    return none_wrong("U5", what, tried=len(outcomes), wrong=sum(outcomes), least=1_000)


def forged(log: Log, rng: random.Random, *, each: int) -> Iterable[Figure]:
    """Let every forger try, with and without the true signing key."""
    events = sum(line.startswith(b'{"event":') for line in log.lines)
    everybody = {**forgery.FORGERS, "forked with the true key": (forgery.insider(log.vault.signer),)}
    for what, forgers in everybody.items():
        outcomes = [
            log.missed(forger(log.lines, rng)) for forger in forgers for _ in range(each // len(forgers))
        ]
        said = f"a log of {events:,} events {what}, not detected"
        yield none_wrong("U4", said, tried=len(outcomes), wrong=sum(outcomes))


def verifying(log: Log, *, rounds: int) -> Figure:
    """Time the verifier over a whole export, with the values beside the events."""
    events = sum(line.startswith(b'{"event":') for line in log.lines)
    rates, wrong = [], 0
    for _ in range(rounds):
        began = time.perf_counter()
        wrong += bool(verifier.verify(log.lines, log.vault.public_keys, log.copies).findings)
        rates.append(events / (time.perf_counter() - began))
    return Figure(
        promise="U5",
        what="events verified a second, hashes, chain, values, checkpoints and copies",
        tried=events * rounds,
        wrong=wrong,
        value=round(max(rates)),
        goal=f"at least {RATE:,}",
        holds=not wrong and max(rates) >= RATE,
    )


async def appending(database: Database, *, seconds: float) -> Figure:
    """Time appending, one event after the other, each in a transaction of its own."""
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        await append(database, count)
        count += 1
    value = round(count / (time.perf_counter() - began))
    what = "appends a second by one writer, each a transaction with its values encrypted"
    return Figure(
        promise="U2", what=what, tried=count, wrong=0, value=value, goal="published", holds=count > 0
    )


async def erasing(home: Path) -> Figure:
    """Erase somebody, then look for their words in every file of the home; the record still verifies."""
    lines: list[bytes] = []
    async with opened(home) as (database, vault):
        for number in range(20):
            detail = {"by": ADA, "reason": "to close the canary quarter", "for": "Grace Canary"}
            async with database.pool.connection() as conn:
                await audit.append(conn, "test.event", run=None, facts={"number": number}, detail=detail)
        async with open_owner(home, None) as owner:
            assert await audit.erase(database.pool, owner, ADA["subject"], by="clerk")
        async with database.pool.connection() as conn:
            await export(conn, lines.append, End())
    files, found = scan(home, [*ADA.values(), "c0ffee-ada", "canary quarter", "Grace Canary"])
    report = verifier.verify(b"".join(lines).splitlines(keepends=True), vault.public_keys)
    wrong = found + len(report.findings) + (report.missing != 20)
    what = "files in which words of made-up events stand after an erasure from the record alone; it verifies"
    return none_wrong("U3", what, tried=files, wrong=wrong, least=100)


def scan(home: Path, words: Iterable[str]) -> tuple[int, int]:
    """Return how many files were read, and in how many of them one of the words stands."""
    needles = [word.encode() for word in words]
    files = [path for path in home.rglob("*") if path.is_file()]
    return len(files), sum(any(needle in content for needle in needles) for content in map(_read, files))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # the database takes files away meanwhile
        return b""


async def append(database: Database, number: int) -> None:
    """Append an event as a decision is."""
    by = {"subject": f"larkfield#{number % 40}", "name": f"Person {number % 40:03}", "email": ""}
    async with database.pool.connection() as conn:
        await audit.append(
            conn,
            "test.event",
            run=None,
            facts={"number": number, "approval": secrets.token_urlsafe(16)},
            detail={"by": by, "reason": "it is needed"},
        )


async def written(home: Path, *, events: int, every: int = 1_000) -> Log:
    """Append events to a record of its own, export it, and copy its checkpoints."""
    async with opened(home) as (database, vault):
        for number in range(events):
            await append(database, number)
            if number % every == every - 1:
                async with database.pool.connection() as conn:
                    await checkpoints.sign(conn)
        lines: list[bytes] = []
        async with database.pool.connection() as conn:
            await export(conn, lines.append, End())
            copies = Copies(home / "copies", await head.tenant(conn))
            await copies.sweep(conn)
    return Log(
        lines=b"".join(lines).splitlines(keepends=True),
        copies=copies.path.read_bytes().splitlines(keepends=True),
        vault=vault,
    )


@asynccontextmanager
async def opened(home: Path) -> AsyncIterator[tuple[Database, Vault]]:
    """Open a record that is empty, in the database of the home."""
    vault = Vault(Keys.fresh())
    async with open_database(home, None, tenant=f"figures-{secrets.token_hex(6)}") as database:
        database.book.open(vault)
        yield database, vault
