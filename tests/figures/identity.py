"""Who people and groups are between two reads (letter I): every change at every read that a request makes."""

import itertools
import random
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

from bot.storage.embedded import Embedded
from tests.abuse import between, grounds
from tests.abuse.arena import Arena
from tests.abuse.grounds import arena
from tests.abuse.matrix import Tried
from tests.abuse.scenes import scenes
from tests.abuse.shares import shared
from tests.figures.record import Figure, none_wrong
from tests.scenario import test_parts
from tests.scenario.test_identities import EMERGENCIES

SAMPLE = 12


async def measure(*, quick: bool) -> AsyncIterator[Figure]:
    """Count the reads of each scene, and let each change happen before each, or a sample of that."""
    async with arena() as found:
        counted = {scene.name: await between.reads(found, scene) for scene in scenes()}
        cases = between.cases(counted)
        lives = [(kind, at) for kind in between.SHOWN for at in range(1, await between.life_reads(found) + 1)]
        if quick:
            chance = random.Random(SAMPLE)
            tried = [await between.attempt(found, *case) for case in chance.sample(cases, SAMPLE)]
            lived = [await between.life(found, *case) for case in chance.sample(lives, SAMPLE)]
    if not quick:
        tried = await shared(partial(_try, counted), range(len(cases)), what="changes between reads")
        lived = await shared(partial(_live, lives), range(len(lives)), what="lives of a membership")
    for one in (*tried, *lived):
        if one.wrongful:
            sys.stderr.write(f"wrong: {one}\n")
    yield none_wrong(
        "I1, I2",
        f"{len(between.CHANGES)} changes in the directory, each before each of the"
        f" {' + '.join(map(str, counted.values()))} reads that a click and its effect make;"
        " wrongful effects, and rightful requests that were held up",
        tried=len(tried),
        wrong=sum(one.wrongful for one in tried),
        least=SAMPLE if quick else len(cases),
    )
    yield none_wrong(
        "I5",
        f"a membership from the click to its end; {len(between.SHOWN)} ways in which the directory shows less"
        f" than there is, from each of its {len(lives) // len(between.SHOWN)} reads on; false statements to"
        " a person, and memberships that stay",
        tried=len(lived),
        wrong=sum(one.wrongful for one in lived),
        least=SAMPLE if quick else len(lives),
    )
    yield await _reviews(quick=quick)


async def _reviews(*, quick: bool) -> Figure:
    """Have everybody review who took part in one of the ways, with each account, and somebody who did not."""
    every = list(itertools.product(test_parts.WAYS, ("same", "linked", "another")))
    chosen = random.Random(SAMPLE).sample(every, 3) if quick else every
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="countersign-parts-") as name:
        home = Path(name) / "home"
        home.mkdir()
        grounds.hurry(home)
        async with Embedded(home):
            for number, (way, account) in enumerate(chosen):
                place = Path(name) / str(number)
                async with grounds.office(home, place, more=EMERGENCIES) as (office, server):
                    try:
                        await test_parts.review(office, server, way, account=account)
                    except AssertionError as error:
                        wrong += 1
                        sys.stderr.write(f"wrong: {error}\n")
    return none_wrong(
        "I3",
        f"{len(test_parts.WAYS)} ways to take part in a request, with the same account, one that is linked"
        " since, and none of them; reviews by whoever took part, and reviews that others could not do",
        tried=len(chosen),
        wrong=wrong,
        least=3 if quick else 18,
    )


async def _try(counted: dict[str, int], arena: Arena, number: int) -> Tried:
    return await between.attempt(arena, *between.cases(counted)[number])


async def _live(lives: Sequence[tuple[str, int]], arena: Arena, number: int) -> Tried:
    return await between.life(arena, *lives[number])
