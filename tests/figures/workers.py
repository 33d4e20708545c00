"""E3, E4: any number of bots on one database; killing or pausing one loses nothing and doubles nothing.

Whole bots as processes on one home. A batch of requests is approved at once; the directory's own log says how
often each change was made, and the workspace what was posted.
"""

import asyncio
import json
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.jobs import STALLED, WORKERS
from tests import town as towns
from tests.figures.record import Figure, none_wrong
from tests.town import BEN, GRACE, Asked, Json, Town, until

TAKEN_OVER_WITHIN = 30.0  # seconds
SLOW = 1.5  # seconds that the directory takes for a change while a bot is killed or paused

_SIGNALS = (("killed", signal.SIGKILL), ("paused", signal.SIGSTOP))


@dataclass(frozen=True, kw_only=True)
class Batch:
    """How a batch of approved requests went."""

    seconds: float
    lost: int
    doubled: int
    repeated: int  # requests, votes and posts beside the first of each

    @property
    def wrong(self) -> int:
        return self.lost + self.doubled + self.repeated


async def measure(*, quick: bool) -> AsyncIterator[Figure]:
    """Take one, two and four bots; the sample two, one of which is killed."""
    with tempfile.TemporaryDirectory(prefix="workers-") as folder:
        signals, size = (_SIGNALS[:1], 4) if quick else (_SIGNALS, 10)
        for bots in (2,) if quick else (1, 2, 4):
            home = await towns.fresh(Path(folder) / f"home-{bots}")
            async with towns.open_town(home, bots=bots) as town:
                async for figure in _bots(town, bots, signals, size=size):
                    yield figure


async def _bots(
    town: Town, bots: int, signals: Sequence[tuple[str, signal.Signals]], *, size: int
) -> AsyncIterator[Figure]:
    batch = await approved_at_once(town, await town.requests(size))
    what = (
        f"approved requests lost, or carried out, voted on or posted twice, with {bots} bots"
        f" ({size / batch.seconds:.1f}/s)"
    )
    yield none_wrong("E3", what, tried=size, wrong=batch.wrong)
    if bots == 1:
        return
    for name, number in signals:
        batch = await interrupted(town, await town.requests(size), number)
        what = f"the same with one of {bots} {name} in the middle"
        yield none_wrong("E3", what, tried=size, wrong=batch.wrong)
        yield Figure(
            promise="E3",
            what=f"seconds until the work of a bot that was {name} is done by another, with {bots}",
            tried=size,
            wrong=batch.lost,
            value=round(batch.seconds, 1),
            goal=f"at most {TAKEN_OVER_WITHIN:.0f}",
            holds=batch.lost == 0 and batch.seconds <= TAKEN_OVER_WITHIN,
        )


async def approved_at_once(town: Town, asked: Sequence[Asked]) -> Batch:
    """Approve all of them, and wait until all are done."""
    began = time.monotonic()
    await asyncio.gather(*(town.click((GRACE, BEN)[n % 2], one) for n, one in enumerate(asked)))
    return await _done(town, asked, began)


async def interrupted(town: Town, asked: Sequence[Asked], number: signal.Signals) -> Batch:
    """Approve all of them, and while changes are being made send one bot a signal that it cannot answer."""
    await town.fault("delay_after", on="PATCH", resource="Groups", seconds=SLOW, times=len(asked))
    await asyncio.gather(*(town.click((GRACE, BEN)[n % 2], one) for n, one in enumerate(asked)))
    await until(lambda: _making(town, asked), "a change that is being made")
    victim = town.parts["bot"].process
    assert victim is not None
    began = time.monotonic()
    os.kill(victim.pid, number)
    try:
        batch = await _done(town, asked, began)
    finally:
        if number == signal.SIGSTOP:
            os.kill(victim.pid, signal.SIGCONT)
    if number == signal.SIGSTOP:  # what it still holds is stale
        await until(lambda: _awake(town), "the paused bot's return")
        batch = await _counted(town, asked, batch.seconds)
    else:
        await victim.wait()
        await town.ensure_up()
    return batch


async def _making(town: Town, asked: Sequence[Asked]) -> bool:
    """Whether the bot that is about to be lost has an intent open."""
    query = "SELECT 1 FROM effect WHERE state = 'intended' AND run = ANY(%s)"
    return bool(await town.rows(query, [one.run for one in asked]))


async def _awake(town: Town) -> bool:
    """Whether every bot has had the time to write what it still wanted to."""
    query = (
        "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > clock_timestamp() - interval '4 s'"
    )
    ((count,),) = await town.rows(query)
    return int(count) >= WORKERS * sum(name.startswith("bot") for name in town.parts)


async def _done(town: Town, asked: Sequence[Asked], began: float) -> Batch:
    async def all_done() -> bool:
        query = "SELECT count(*) FROM run WHERE id = ANY(%s) AND status = 'done'"
        ((count,),) = await town.rows(query, [one.run for one in asked])
        return int(count) == len(asked)

    await until(all_done, "the end of the batch", within=STALLED + 4 * TAKEN_OVER_WITHIN, pause=0.1)
    return await _counted(town, asked, time.monotonic() - began)


async def _counted(town: Town, asked: Sequence[Asked], seconds: float) -> Batch:
    changes = {one.group: Counter(await town.changes(one.group)) for one in asked}
    return Batch(
        seconds=seconds,
        lost=sum(made["added"] == 0 for made in changes.values()),
        doubled=sum(made["added"] > 1 or made["removed"] > 0 for made in changes.values()),
        repeated=await _repeated(town, asked),
    )


async def _repeated(town: Town, asked: Sequence[Asked]) -> int:
    """How many runs, votes and cards there are beside one each, and posts that carry the same mark."""
    query = "SELECT count(*) FROM run WHERE workflow = 'it_access' AND slots->>'group' = ANY(%s)"
    ((runs,),) = await town.rows(query, [one.group for one in asked])
    ((votes,),) = await town.rows(
        "SELECT count(*) FROM vote WHERE approval = ANY(%s)", [one.card for one in asked]
    )
    cards = sum([len(await town.cards(one.group)) for one in asked])
    posted = await town.people.log("chat.postMessage")
    marks = [_mark(call) for call in posted if call["error"] is None and call["args"].get("metadata")]
    return int(runs) + int(votes) + cards - 3 * len(asked) + len(marks) - len(set(marks))


def _mark(call: Json) -> str:
    metadata = call["args"]["metadata"]
    return str((json.loads(metadata) if isinstance(metadata, str) else metadata)["event_payload"]["id"])
