"""The abuse matrix: every abuse of this folder with every operation and workflow, and how one is tried."""

import random
from dataclasses import dataclass
from datetime import timedelta

from tests.abuse import changes, clicks, emergencies, payloads, people, records, standing_in
from tests.abuse.arena import GRACE, Abuse, Arena
from tests.abuse.scenes import Scene, scenes

ABUSES: tuple[Abuse, ...] = (
    *people.ABUSES,
    *records.ABUSES,
    *clicks.ABUSES,
    *changes.ABUSES,
    *standing_in.ABUSES,
    *payloads.ABUSES,
)
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
    """Return every abuse with every scene, or a sample of `count` in which no abuse comes twice.

    The sample leaves out what comes through Slack: that takes seconds to begin.
    """
    if count is None:
        in_emergencies = [(emergencies.SCENE, abuse) for abuse in emergencies.ABUSES]
        return [(scene, abuse) for scene in scenes() for abuse in ABUSES] + in_emergencies
    chance, quick = random.Random(seed), [one for one in ABUSES if one not in payloads.ABUSES]
    return [(chance.choice(scenes()), abuse) for abuse in chance.sample(quick, count)]
