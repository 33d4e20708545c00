"""Random histories of requests, clicks and changes, and what must be true of each (A: the property test).

Whatever happens, an effect has an approval that was valid when it was carried out: of somebody else, active,
with a right of their own or one that is lent to them still, in time, and at the level and under the clause of
its card; it is for whoever asked, and there is one at most. What is so is kept by a model in this file, from
what was done to the world, and not read from the bot.

`python -m tests.histories SEED` plays one again, and says what happened in it.
"""

import asyncio
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from connectors.directory import Person
from graphs.records import Answered, Verdict
from tests.abuse.anything import APPROVERS
from tests.abuse.arena import ADA, BEN, GRACE, TOMAS, Arena, Asked
from tests.abuse.grounds import arena
from tests.abuse.scenes import scenes

PEOPLE = (ADA, GRACE, BEN, TOMAS)
STEPS = (
    *("approve",) * 6, *("work",) * 6, "deny", "narrow", "widen", "forge", "lend", "call back", "killed",
    "again", "activate", "members", "clause", "level", "later", "retry", "expire",
)  # fmt: skip
QUIET = {
    "killed",
    "again",
    "activate",
    "members",
    "clause",
    "level",
    "lend",
    "call back",
}  # the bot is not asked
DAYS = 20  # that are asked for: more than a history lasts
DECIDE, EXECUTE = 24 * 60, 15  # minutes


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """Who has approved which card, and by whose right: any of these holders'."""

    who: str
    card: str
    holders: tuple[str, ...]
    at: int


@dataclass(kw_only=True)
class World:
    """What is so, as far as the promises are about it."""

    requester: str
    inactive: set[str] = field(default_factory=set)
    members: set[str] = field(default_factory=lambda: {GRACE, BEN})
    authors: set[str] = field(default_factory=set)  # of changes that give more
    lent: dict[str, tuple[str, str]] = field(default_factory=dict)  # holder -> who stands in, and its id
    days: int = DAYS
    level: int = 2
    clause: int = 0
    minutes: int = 0

    def has_right(self, who: str) -> bool:
        return who in self.members and self.may_take_part(who)

    def may_take_part(self, who: str) -> bool:
        return who != self.requester and who not in self.authors and who not in self.inactive

    def holders(self, who: str) -> tuple[str, ...]:
        """Return those by whose right somebody may decide at this moment; mostly it is their own."""
        if not self.may_take_part(who):
            return ()
        lent = [holder for holder, (stand_in, _) in self.lent.items() if stand_in == who]
        return tuple(one for one in (who, *lent) if self.has_right(one))

    @property
    def terms(self) -> tuple[int, int]:
        return self.level, self.clause


@dataclass(kw_only=True)
class History:
    """One history: what was done, what came of it, and what of it was wrong."""

    seed: int
    steps: list[str] = field(default_factory=list)
    came: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    effects: int = 0


async def play(arena: Arena, seed: int, *, length: int = 6) -> History:
    """Let the history of that number happen, and return what was wrong with it."""
    game = await _begin(arena, seed)
    for _ in range(length):
        await game.step()
    for (status,) in await arena.rows("SELECT status FROM approval WHERE run = %s", game.asked.run):
        game.history.came[f"card {status}"] += 1
    return game.history


async def _begin(arena: Arena, seed: int) -> "_Game":
    chance, known = random.Random(seed), scenes()
    await arena.begin(known[seed % len(known)])
    requester = chance.choice((ADA, GRACE))
    asked = await arena.ask(who=requester, days=DAYS)
    world = World(requester=requester)
    person = await arena.person(requester)
    return _Game(
        arena=arena,
        chance=chance,
        world=world,
        asked=asked,
        whom=person.id,
        card=asked.card,
        made=(0, *world.terms),
        history=History(seed=seed),
        people={requester: person},
    )


@dataclass(kw_only=True)
class _Game:
    arena: Arena
    chance: random.Random
    world: World
    asked: Asked
    whom: str  # the directory's id of who asked
    card: str  # the newest
    made: tuple[int, int, int]  # when that was made, at which level, and under which clause
    history: History
    people: dict[str, Person]  # as the directory has them now
    word: Word | None = None
    carried: tuple[str, tuple[int, int]] | None = None  # whoever narrowed the request, and on which terms

    async def step(self) -> None:
        """Do something, and look what has landed."""
        step, who = self.chance.choice(STEPS), self.chance.choice((*PEOPLE, GRACE, BEN, BEN))
        self.history.steps.append(f"{step} {who.partition('.')[0]}")
        came = await self._do(step, who)
        self.history.came[f"{step}: {came}"] += 1
        if step in QUIET:
            return
        landed = await self.arena.changes()
        await self._look_for_a_new_card()
        if landed:
            self.history.effects += len(landed)
            self.history.wrong += self._objections()
            if {one["person"] for one in landed} != {self.whom}:
                self.history.wrong.append("for somebody else")

    async def _do(self, step: str, who: str) -> str:
        match step:
            case "approve" | "deny":
                return await self._vote(Verdict(step), who)
            case "narrow" | "widen" | "forge":
                return await self._edit(step, who)
            case "lend" | "call back":
                return await self._lend(step, who)
            case "activate" | "members" | "clause" | "level":
                await self._change(step)
            case "work":
                await self.arena.work()
            case "killed":  # the worker takes the run and is gone; another one finds it
                self.arena.desk.waiting.clear()
            case "again":
                self.arena.desk.waiting.append(self.asked.run)
            case _:
                choices = {"later": (1, 6, 14), "retry": (11,), "expire": (25 * 60,)}
                await self._later(self.chance.choice(choices[step]))
        return "done"

    async def _vote(self, verdict: Verdict, who: str) -> str:
        holders = self.world.holders(who)
        answered = await self.arena.click(self.card, await self._person(who), verdict, "no")
        if answered is not Answered.RECORDED:
            return str(answered and answered.value)
        if not holders:
            self.history.wrong.append(f"{who} decided and may not")
        if self.world.minutes - self.made[0] > DECIDE:
            self.history.wrong.append(f"{who} decided too late")
        self.word = None
        if verdict is Verdict.APPROVE:
            self.word = Word(who=who, card=self.card, holders=holders, at=self.world.minutes)
        return "recorded"

    async def _edit(self, step: str, who: str) -> str:
        days = {"narrow": self.world.days - 1, "widen": self.world.days + 1}.get(step)
        values = {"reason": "forged", "quorum": "0"} if days is None else {"days": str(days)}
        may = self.world.holders(who)
        answered = await self.arena.edit(self.card, await self._person(who), **values)
        if answered is not Answered.RECORDED:
            return str(answered and answered.value)
        if not may or days is None:
            self.history.wrong.append(f"{who} changed what is asked for and may not")
        else:
            self.world.days = days
        self.word, self.carried = None, None
        if step == "narrow":
            self.carried = who, self.made[1:]
        else:
            self.world.authors.add(who)
        return "recorded"

    async def _lend(self, step: str, who: str) -> str:
        holder = self.chance.choice((GRACE, BEN))
        if step == "lend":
            made = await self.arena.delegate(holder, who, days=30)
            if made is not None:
                self.world.lent[holder] = who, made
            return "refused" if made is None else "recorded"
        _, delegation = self.world.lent.pop(holder, ("", ""))
        await self.arena.call_back(delegation)
        return "recorded" if delegation else "nothing to call back"

    async def _change(self, step: str) -> None:
        arena, chance, world = self.arena, self.chance, self.world
        match step:
            case "activate":
                who = chance.choice(PEOPLE[:3])
                world.inactive ^= {who}
                await arena.activate(who, who not in world.inactive)
                self.people.clear()
            case "members":
                world.members = {one for one in (GRACE, BEN, TOMAS) if chance.random() < 0.7} or {BEN}
                await arena.members(APPROVERS, *sorted(world.members))
                self.people.clear()
            case "clause":
                world.clause += 1
                arena.desk.text = f"Version {world.clause} of the clause."
            case _:
                world.level = chance.choice((1, 2, 2, 3))
                await arena.set_level(world.level)

    async def _later(self, minutes: int) -> None:
        self.world.minutes += minutes
        await self.arena.later(timedelta(minutes=minutes))

    async def _look_for_a_new_card(self) -> None:
        """A new card counts from nothing, but for the approval of whoever has only taken away."""
        newest = await self.arena.newest_card(self.asked.run)
        if newest == self.card:
            return
        self.card, self.made, self.word = newest, (self.world.minutes, *self.world.terms), None
        if self.carried is not None and self.carried[1] == self.world.terms:
            who, holders = self.carried[0], self.world.holders(self.carried[0])
            self.word = Word(who=who, card=newest, holders=holders, at=self.world.minutes)
        self.carried = None

    def _objections(self) -> Iterator[str]:
        """Say what is wrong with an effect at this moment."""
        world, word = self.world, self.word
        if self.history.effects > 1:
            yield "a second effect"
        if world.requester in world.inactive:
            yield "for somebody who has left"
        if word is None or word.card != self.card:
            yield "an effect that nobody approved"
            return
        if not set(word.holders) & set(world.holders(word.who)):
            yield "whoever approved it may not any more"
        if world.minutes - word.at > EXECUTE:
            yield "after its time"
        if world.level < 2 or world.terms != self.made[1:]:
            yield "under another level or clause than the card showed"

    async def _person(self, who: str) -> Person:
        if who not in self.people:
            self.people[who] = await self.arena.person(who)
        return self.people[who]


async def _again(seeds: Sequence[int]) -> bool:
    async with arena() as found:
        for seed in seeds:
            history = await play(found, seed)
            said = "; ".join(history.wrong) or "nothing is wrong"
            sys.stdout.write(f"{seed}: {', '.join(history.steps)}\n{dict(history.came)}\n{said}\n")
            if history.wrong:
                return False
    return True


if __name__ == "__main__":
    sys.exit(not asyncio.run(_again([int(one) for one in sys.argv[1:]])))
