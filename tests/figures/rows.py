"""I4: rows that give or withhold authority count only as the record has them, whatever is written."""

import random
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from bot.storage.embedded import Embedded
from tests.abuse import grounds
from tests.figures.record import Figure, none_wrong
from tests.scenario import test_every_grant as grants

SEED = SAMPLE = 5
TRIES = {
    grants.before_approval: "while a request waits; effects that nobody approved",
    grants.after_approval: "after it was approved, and again after it was carried out; other effects, and"
    " access that does not end",
    grants.after_effect: "after it was carried out; access that does not end",
}


async def measure(*, quick: bool) -> AsyncIterator[Figure]:
    """Write each statement, or a sample of them, into an office of its own."""
    statements = [one for name in grants.ATTACKS for one in grants.statements(name)]
    if quick:
        statements = random.Random(SEED).sample(statements, SAMPLE)
    with grounds.unlogged(), tempfile.TemporaryDirectory(prefix="countersign-rows-") as name:
        home = Path(name) / "home"
        home.mkdir()
        grounds.hurry(home)
        async with Embedded(home):
            for attack, when in TRIES.items():
                wrong = 0
                for number, statement in enumerate(statements):
                    place = Path(name) / f"{attack.__name__}-{number}"
                    async with grounds.office(home, place) as (office, _):
                        await office.ask(grants.WANTED)  # another request, which waits
                        try:
                            await attack(office, statement)
                        except AssertionError as error:
                            wrong += 1
                            sys.stderr.write(f"wrong, {when}: {error}\n")
                yield none_wrong(
                    "I4",
                    f"statements on {len(grants.ATTACKS)} tables, written as the application's role {when}",
                    tried=len(statements),
                    wrong=wrong,
                    least=SAMPLE if quick else 48,
                )
