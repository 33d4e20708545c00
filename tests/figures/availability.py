"""Whether one person holds up another: clicks, cards and effects in a flood of messages and requests."""

import asyncio
import math
import random
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from statistics import median

from bot.blocks import approval
from tests import town as towns
from tests.figures.record import Figure
from tests.town import ADA, BEN, GRACE, INES, TOMAS, Asked, Town

CLICK, CARD, EFFECT = 1.0, 5.0, 2.0  # seconds
LONG = ("a, " * 13_334)[:40_000]
A_SECOND = 25  # many times what Slack takes from one person


async def measure(*, quick: bool) -> AsyncIterator[Figure]:
    """Flood the bot as one person, and click, ask and approve as others meanwhile."""
    messages, requests = (60, 40) if quick else (1_000, 500)
    with tempfile.TemporaryDirectory(prefix="availability-") as folder:
        async with towns.open_town(await towns.fresh(Path(folder) / "home")) as town:
            first = await town.request(ADA)
            flood = asyncio.create_task(_flood(town, messages, requests))
            clicks = [await _click(town, first) for _ in range(20)]
            hers, posted = await _card(town)
            done = await _effect(town, first)
            while not flood.done():
                clicks.append(await _click(town, hers))
            await flood
    load = (
        f"while one person sends {messages:,} messages of 40,000 characters and {requests} requests,"
        f" {A_SECOND} a second"
    )
    yield _figure(
        f"seconds of another's click, p99 of {len(clicks)} (p50 {median(clicks):.2f}), {load}",
        _p99(clicks),
        CLICK,
        len(clicks),
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


async def _click(town: Town, asked: Asked) -> float:
    """Open the window of a card, which changes nothing; return the seconds until it is acknowledged."""
    began = time.monotonic()
    await town.click(BEN, asked, approval.EDIT)
    return time.monotonic() - began


async def _card(town: Town) -> tuple[Asked, float]:
    """Ask as another person; return the seconds between the two messages in Slack, request and card."""
    group = await town.group()
    said = await town.people.message(
        f"I need {group} for 3 days to plan the audit", as_=INES, channel=await town.dm(INES)
    )
    asked = await town.asked(group)
    return asked, float(asked.ts) - float(said)


async def _effect(town: Town, asked: Asked) -> float:
    """Approve; return the seconds until it was carried out and read back."""
    began = time.time()
    await town.click(GRACE, asked)
    await town.stands(asked.run, "done")
    ((at,),) = await town.rows("SELECT at FROM run_step WHERE run = %s AND key = 'confirmed'", asked.run)
    return float(at.timestamp()) - began


async def _flood(town: Town, messages: int, requests: int) -> None:
    conversation = await town.dm(TOMAS)
    wishes = [f"I need billing-db for 3 days to do task {number}" for number in range(requests)]
    texts = [LONG] * messages + wishes
    random.Random(messages).shuffle(texts)
    began = time.monotonic()
    async with asyncio.TaskGroup() as saying:
        for number, text in enumerate(texts):
            await asyncio.sleep(began + number / A_SECOND - time.monotonic())
            saying.create_task(town.people.message(text, as_=TOMAS, channel=conversation))
