"""The abuse matrix and the random histories of `tests` (letter A), each over two processes."""

import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence

from tests.abuse.arena import Arena
from tests.abuse.grounds import arena
from tests.abuse.matrix import ABUSES, ABUSES_LEAST, Tried, attempt, honest, pairs
from tests.abuse.scenes import scenes
from tests.abuse.shares import shared
from tests.figures.record import Figure, none_wrong
from tests.histories import History, play

HISTORIES = 10_000
SAMPLE, FEW = 12, 5


async def try_pair(arena: Arena, number: int) -> Tried:
    """Try one pair of the whole matrix."""
    return await attempt(arena, *pairs()[number])


async def measure(*, quick: bool) -> AsyncIterator[Figure]:
    """Try the matrix and let the histories happen, or a sample of both."""
    async with arena() as found:
        honestly = [await honest(found, scene) for scene in scenes()]
        if quick:
            tried = [await attempt(found, scene, abuse) for scene, abuse in pairs(count=SAMPLE)]
            played = [await play(found, seed) for seed in range(FEW)]
    yield _honesty(honestly)
    if not quick:
        tried = await shared(try_pair, range(len(pairs())), what="abuses")
    yield _matrix(tried, least=SAMPLE if quick else ABUSES_LEAST * len(scenes()))
    if not quick:
        played = await shared(play, range(HISTORIES), what="histories")
    yield _histories(played, least=FEW if quick else HISTORIES)


def _honesty(effects: Sequence[int]) -> Figure:
    return Figure(
        promise="A",
        what="the same requests without abuse; effects at the server",
        tried=len(effects),
        wrong=sum(one != 1 for one in effects),
        value=sum(effects),
        goal="1 each",
        holds=all(one == 1 for one in effects),
    )


def _matrix(tried: Sequence[Tried], *, least: int) -> Figure:
    for one in tried:
        if one.wrongful:
            sys.stderr.write(f"wrong: {one}\n")
    return none_wrong(
        "A",
        f"{len(ABUSES)} abuses of {len(scenes())} operations and workflows; wrongful effects at the server",
        tried=len(tried),
        wrong=sum(one.wrongful for one in tried),
        least=least,
    )


def _histories(played: Sequence[History], *, least: int) -> Figure:
    for one in played:
        if one.wrong:
            sys.stderr.write(f"wrong: {one.wrong}; again: .venv/bin/python -m tests.histories {one.seed}\n")
    came: Counter[str] = sum((one.came for one in played), Counter())
    steps = {name.partition(":")[0] for name in came if ":" in name}
    votes = {name: count for name, count in came.items() if name.startswith(("approve:", "deny:"))}
    counted = sum(count for name, count in votes.items() if name.endswith("recorded"))
    return none_wrong(
        "A",
        f"random histories of {len(steps)} kinds of steps; {sum(one.effects for one in played)} effects,"
        f" {counted} votes taken and {sum(votes.values()) - counted} refused,"
        f" {came['narrow: recorded'] + came['widen: recorded']} edits, {came['lend: recorded']} delegations,"
        f" {came['card void']} cards void and {came['card expired']} expired; wrong ones",
        tried=len(played),
        wrong=sum(bool(one.wrong) for one in played),
        least=least,
    )
