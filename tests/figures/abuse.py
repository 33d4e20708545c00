"""The abuse matrix: every abuse of `tests/abuse`, for every operation and workflow (letter A)."""

import logging
import random
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bot.storage.embedded import Embedded
from connectors.sandbox import process
from tests.abuse import clicks, emergencies, people, records
from tests.abuse.arena import GRACE, Abuse, Arena, Scene, opened, scenes
from tests.figures.record import Figure, none_wrong
from tests.histories import History, play

ABUSES: tuple[Abuse, ...] = (*people.ABUSES, *records.ABUSES, *clicks.ABUSES)
ABUSES_LEAST = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """One abuse of one operation: how many effects the server has logged, and how many were rightful."""

    abuse: str
    scene: str
    landed: int
    rightful: int
    objection: str = ""  # an answer, on the way there, that was not the right one

    @property
    def wrongful(self) -> int:
        return max(0, self.landed - self.rightful, int(bool(self.objection)))


async def honest(arena: Arena, scene: Scene) -> int:
    """Return how many effects a request has that nobody abuses: the matrix would mean nothing at 0."""
    await arena.begin(scene)
    asked = await arena.ask()
    await arena.click(asked.card, GRACE)
    await arena.work()
    return await arena.landed()


async def attempt(arena: Arena, scene: Scene, abuse: Abuse) -> Tried:
    """Do it, let the time pass in which something may be tried again, and count at the server."""
    await arena.begin(scene)
    rightful, objection = 0, ""
    try:
        rightful = await abuse(arena)
    except AssertionError as error:
        objection = f"{abuse.__name__}: {error}"
    await arena.later(timedelta(minutes=11))
    return Tried(
        abuse=abuse.__name__,
        scene=scene.name,
        landed=await arena.landed(),
        rightful=rightful,
        objection=objection,
    )


def pairs(*, count: int | None = None, seed: int = 7) -> list[tuple[Scene, Abuse]]:
    """Return every abuse with every scene, or a sample of `count` in which no abuse comes twice."""
    if count is None:
        in_emergencies = [(emergencies.SCENE, abuse) for abuse in emergencies.ABUSES]
        return [(scene, abuse) for scene in scenes() for abuse in ABUSES] + in_emergencies
    chance = random.Random(seed)
    return [(chance.choice(scenes()), abuse) for abuse in chance.sample(ABUSES, count)]


async def matrix(arena: Arena, chosen: Sequence[tuple[Scene, Abuse]]) -> list[Tried]:
    """Try each of these pairs."""
    return [await attempt(arena, scene, abuse) for scene, abuse in chosen]


async def played_through(arena: Arena, *, count: int, seed: int = 0) -> list[History]:
    """Let that many random histories happen, in all scenes in turn."""
    known = scenes()
    return [await play(arena, known[one % len(known)], seed + one) for one in range(count)]


@asynccontextmanager
async def arena() -> AsyncIterator[Arena]:
    """Open an arena with a database and a directory of its own."""
    logging.disable(logging.CRITICAL)  # every abuse is logged, as it should be
    with tempfile.TemporaryDirectory(prefix="countersign-abuse-") as folder:
        home = Path(folder) / "home"
        home.mkdir()
        async with (
            Embedded(home),
            process.directory(Path(folder) / "directory", faults=True) as server,
            opened(home, server) as found,
        ):
            yield found


async def measure(*, quick: bool) -> AsyncIterator[Figure]:
    """Try the matrix, or a sample of it."""
    async with arena() as found:
        honestly = [await honest(found, scene) for scene in scenes()]
        tried = await matrix(found, pairs(count=15) if quick else pairs())
        played = await played_through(found, count=6 if quick else 400)
    yield none_wrong(
        "A",
        f"{len(ABUSES)} abuses of {len(scenes())} operations and workflows; wrongful effects at the server",
        tried=len(tried),
        wrong=sum(one.wrongful for one in tried),
        least=15 if quick else ABUSES_LEAST * len(scenes()),
    )
    yield none_wrong(
        "A",
        f"random histories, {sum(one.effects for one in played)} of them with an effect; wrong ones",
        tried=len(played),
        wrong=sum(bool(one.wrong) for one in played),
        least=6 if quick else 400,
    )
    yield Figure(
        promise="A",
        what="the same requests without abuse; effects at the server",
        tried=len(honestly),
        wrong=sum(one != 1 for one in honestly),
        value=sum(honestly),
        goal="1 each",
        holds=all(one == 1 for one in honestly),
    )
