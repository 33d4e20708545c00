"""Random histories of requests, clicks and changes, and what must be true of each (A: the property test).

Whatever happens, an effect has an approval that was valid when it was carried out: of somebody else, active,
in the group that decides, and at the level and under the clause of its card; and there is one at most. What
is so is kept by a model in this file, from what was done to the world, and not read from the bot.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from graphs.records import Answered, Verdict
from tests.abuse.anything import APPROVERS
from tests.abuse.arena import ADA, BEN, GRACE, TOMAS, Arena, Asked, Scene

PEOPLE = (ADA, GRACE, BEN, TOMAS)
STEPS = (
    *("approve",) * 6, *("work",) * 7, "deny", "killed", "again", "activate", "members", "clause", "level",
    "later", "retry",
)  # fmt: skip


@dataclass(kw_only=True)
class World:
    """What is so, as far as the promises are about it."""

    inactive: set[str] = field(default_factory=set)
    members: set[str] = field(default_factory=lambda: {GRACE, BEN})
    level: int = 2
    clause: int = 0

    def may_decide(self, who: str, requester: str) -> bool:
        return who != requester and who in self.members and who not in self.inactive


@dataclass(kw_only=True)
class History:
    """One history: what was done, and what of it was wrong."""

    steps: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    effects: int = 0


async def play(arena: Arena, scene: Scene, seed: int, *, length: int = 8) -> History:
    """Let one history happen, and return what was wrong with it."""
    chance, history, world = random.Random(seed), History(), World()
    await arena.begin(scene)
    requester = chance.choice((ADA, GRACE))
    asked = await arena.ask(who=requester)
    made = (world.level, world.clause)  # when the waiting card was made
    decided: tuple[str, str] | None = None  # who approved which card
    for _ in range(length):
        step = chance.choice(STEPS)
        who = chance.choice((*PEOPLE, GRACE, BEN, BEN))
        history.steps.append(f"{step} {who.partition('.')[0]}")
        card = (await arena.approvals(asked.run))[-1].id
        if step in {"approve", "deny"}:
            verdict = Verdict.APPROVE if step == "approve" else Verdict.DENY
            answered = await arena.click(card, who, verdict, "no")
            if answered is Answered.RECORDED:
                if not world.may_decide(who, requester):
                    history.wrong.append(f"{who} decided and may not")
                decided = (who, card) if step == "approve" else None
        else:
            await _change(arena, world, step, chance, asked)
        landed = await arena.landed()
        if landed:
            history.effects += landed
            history.wrong += _objections(world, requester, decided, made, history.effects)
        cards = await arena.approvals(asked.run)
        if cards[-1].id != card:
            made, decided = (world.level, world.clause), None
    return history


def _objections(
    world: World, requester: str, decided: tuple[str, str] | None, made: tuple[int, int], effects: int
) -> Sequence[str]:
    """Say what is wrong with an effect at this moment."""
    found = []
    if effects > 1:
        found.append("a second effect")
    if decided is None:
        return [*found, "an effect that nobody approved"]
    if not world.may_decide(decided[0], requester):
        found.append("whoever approved it may not any more")
    if requester in world.inactive:
        found.append("for somebody who has left")
    if world.level < 2 or (world.level, world.clause) != made:
        found.append("under another level or clause than the card showed")
    return found


async def _change(arena: Arena, world: World, step: str, chance: random.Random, asked: Asked) -> None:
    match step:
        case "work":
            await arena.work()
        case "killed":  # the worker takes the run and is gone; another one finds it
            arena.desk.waiting.clear()
        case "again":
            arena.desk.waiting.append(asked.run)
        case "activate":
            who = chance.choice(PEOPLE[:3])
            world.inactive ^= {who}
            await arena.activate(who, who not in world.inactive)
        case "members":
            world.members = {one for one in (GRACE, BEN, TOMAS) if chance.random() < 0.7} or {BEN}
            await arena.members(APPROVERS, *sorted(world.members))
        case "clause":
            world.clause += 1
            arena.desk.text = f"Version {world.clause} of the clause."
        case "level":
            world.level = chance.choice((1, 2, 2, 3))
            await arena.set_level(world.level)
        case "later":
            await arena.later(timedelta(minutes=chance.choice((1, 6, 14))))
        case _:
            await arena.later(timedelta(minutes=11))
