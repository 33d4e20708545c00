"""Emergency access, which needs two people: one who counts twice, and a record that asks for less.

One of them has approved when a case begins; nothing may happen until another one has.
"""

from connectors.directory import Person
from graphs.records import Answered
from graphs.workflows.break_glass import BreakGlass
from tests.abuse import records, standing_in
from tests.abuse.arena import BEN, GRACE, TOMAS, Abuse, Arena
from tests.abuse.scenes import Scene

SCENE = Scene(
    name=f"{BreakGlass.name} after one approval",
    operation="directory.add_to_group",
    workflow=BreakGlass.name,
    for_others=False,
    member_before=False,
    first=(BEN,),
)
FIELDS = records.FIELDS


async def _the_first_again(arena: Arena, who: str | Person, *allowed: Answered) -> int:
    asked = await arena.ask()
    answered = await arena.click(asked.card, who)
    assert answered in allowed, answered
    await arena.work()
    return 0


async def nobody_else_approves(arena: Arena) -> int:
    await arena.ask()
    await arena.work()
    return 0


async def the_first_approves_again(arena: Arena) -> int:
    return await _the_first_again(arena, BEN, Answered.ALREADY_VOTED)


async def the_first_approves_again_from_a_linked_account(arena: Arena) -> int:
    ben = await arena.person(BEN)
    alias = ben.model_copy(update={"email": "b.c@larkfield.example", "user_name": "bc", "name": "B. C."})
    return await _the_first_again(arena, alias, Answered.ALREADY_VOTED)


async def the_first_approves_again_through_a_stand_in(arena: Arena) -> int:
    asked = await arena.ask()
    await arena.delegate(BEN, TOMAS)
    answered = await arena.click(asked.card, TOMAS)
    await arena.work()
    assert answered is Answered.ALREADY_VOTED, answered
    return 0


async def the_first_leaves_the_group_before_the_second_click(arena: Arena) -> int:
    asked = await arena.ask()
    await arena.members("data-owners", GRACE, TOMAS)
    await arena.click(asked.card, GRACE)
    await arena.work()
    return 0


ABUSES: tuple[Abuse, ...] = (
    nobody_else_approves,
    the_first_approves_again,
    the_first_approves_again_from_a_linked_account,
    the_first_approves_again_through_a_stand_in,
    the_first_leaves_the_group_before_the_second_click,
    *standing_in.OF_TWO,
    *(records.before_the_click(path) for path in FIELDS),
    *(records.after_the_click(path) for path in FIELDS),
    *(records.with_its_digest(path) for path in FIELDS),
)
