"""Whether one person holds up another: clicks, cards and effects in a flood of messages and requests."""

import asyncio
import math
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bot.blocks import approval
from bot.database import open_database
from connectors.keys import Keys
from connectors.sandbox import process
from graphs.audit import Vault
from tests.figures.record import Figure
from tests.scenario.slack_office import (
    ADA,
    APPROVERS,
    BEN,
    GRACE,
    INES,
    TOMAS,
    Office,
    open_office,
    texts,
    write_handbook,
)

CLICK, CARD, EFFECT = 1.0, 5.0, 2.0  # seconds
LONG = ("a, " * 13_334)[:40_000]
AT_ONCE = 8
PATIENCE = 120.0  # seconds for what has no goal of its own


async def measure(*, quick: bool) -> AsyncIterator[Figure]:
    """Flood the bot as one person, and click, ask and approve as others meanwhile."""
    messages, requests = (60, 40) if quick else (1_000, 500)
    async with _office() as office:
        await _ask(office, ADA, "to close the quarter")
        card = await _card(office, ADA)
        flood = asyncio.create_task(_flood(office, messages, requests))
        clicks = [await _click(office, card) for _ in range(20)]
        began = time.monotonic()
        await _ask(office, INES, "to plan the audit")
        hers = await _card(office, INES)
        posted = time.monotonic() - began
        began = time.monotonic()
        await office.people.action(approval.APPROVE, as_=GRACE, channel=APPROVERS, message_ts=card)
        await _until(office, "SELECT 1 FROM effect WHERE state = 'done'")
        done = time.monotonic() - began
        while not flood.done() or len(clicks) < 100:
            clicks.append(await _click(office, hers))
        await flood
    load = f"while one person sends {messages:,} messages of 40,000 characters and {requests} requests"
    yield _figure(
        f"seconds of another's click, p99 of {len(clicks)}, {load}", _p99(clicks), CLICK, len(clicks)
    )
    yield _figure(f"seconds until the next card of another is posted, {load}", posted, CARD, 1)
    yield _figure(f"seconds from an approval to its effect, {load}", done, EFFECT, 1)


def _figure(what: str, value: float, goal: float, tried: int) -> Figure:
    return Figure(
        promise="D3",
        what=what,
        tried=tried,
        wrong=int(value >= goal),
        value=round(value, 2),
        goal=f"below {goal:g}",
        holds=value < goal,
    )


def _p99(samples: Sequence[float]) -> float:
    return sorted(samples)[math.ceil(len(samples) * 0.99) - 1]


@asynccontextmanager
async def _office() -> AsyncIterator[Office]:
    with tempfile.TemporaryDirectory(prefix="availability-") as name:
        folder = Path(name)
        await asyncio.to_thread(write_handbook, folder / "home")
        async with (
            open_database(folder / "database", None) as database,
            process.directory(folder / "directory") as directory,
        ):
            database.book.open(Vault(Keys.fresh()))
            async with open_office(database, folder / "database", folder / "home", directory) as office:
                yield office


async def _ask(office: Office, who: str, reason: str) -> None:
    conversation = await office.dm(who)
    await office.people.message(f"I need billing-db for 3 days {reason}", as_=who, channel=conversation)


async def _card(office: Office, who: str) -> str:
    """Return the timestamp of the card about that person's request, once it is there."""
    async with asyncio.timeout(PATIENCE):
        while True:
            for message in await office.people.messages(as_=BEN, channel=APPROVERS):
                if f"<@{who}>" in texts(message):
                    return str(message["ts"])
            await asyncio.sleep(0.05)


async def _click(office: Office, card: str) -> float:
    """Open the window of a card, which changes nothing; return the seconds until it is acknowledged."""
    began = time.monotonic()
    await office.people.action(approval.EDIT, as_=BEN, channel=APPROVERS, message_ts=card)
    return time.monotonic() - began


async def _flood(office: Office, messages: int, requests: int) -> None:
    conversation, free = await office.dm(TOMAS), asyncio.Semaphore(AT_ONCE)

    async def say(text: str) -> None:
        async with free:
            await office.people.message(text, as_=TOMAS, channel=conversation)

    wishes = [f"I need billing-db for 3 days to do task {number}" for number in range(requests)]
    await asyncio.gather(*(say(text) for text in [*[LONG] * messages, *wishes]))


async def _until(office: Office, query: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            async with office.parts.pool.connection() as conn:
                cursor = await conn.execute(query.encode())
                if await cursor.fetchone() is not None:
                    return
            await asyncio.sleep(0.02)
