"""Rights that are lent: to whoever may not use them, twice, handed on, called back, or not yet lent."""

from dataclasses import replace

from connectors.sandbox import company
from graphs.records import Answered
from tests.abuse.anything import APPROVERS
from tests.abuse.arena import ADA, BEN, GRACE, JUN, TOMAS, Abuse, Arena, Asked

INES = company.INES.email


async def _lent(arena: Arena) -> tuple[Asked, str]:
    """Have a request that Tomas approves in Grace's place; return it with the delegation."""
    delegation = await arena.delegate(GRACE, TOMAS)
    assert delegation is not None
    asked = await arena.ask()
    assert await arena.click(asked.card, TOMAS) is Answered.RECORDED
    return asked, delegation


async def the_requester_stands_in(arena: Arena) -> int:
    await arena.delegate(GRACE, ADA)
    asked = await arena.ask()
    assert await arena.click(asked.card, ADA) is Answered.OWN_REQUEST
    assert await arena.edit(asked.card, ADA, days="2") is Answered.OWN_REQUEST
    await arena.work()
    return 0


async def the_requesters_own_stand_in_decides(arena: Arena) -> int:
    await arena.delegate(GRACE, TOMAS)
    asked = await arena.ask(who=GRACE)
    assert await arena.click(asked.card, TOMAS) is Answered.FOR_REQUESTER
    assert await arena.edit(asked.card, TOMAS, days="2") is Answered.FOR_REQUESTER
    await arena.work()
    return 0


async def the_beneficiarys_stand_in_decides(arena: Arena) -> int:
    await arena.delegate(GRACE, TOMAS)
    asked = await arena.ask(who=ADA if arena.scene.for_others else GRACE, person=GRACE)
    assert await arena.click(asked.card, TOMAS) is Answered.FOR_REQUESTER
    await arena.work()
    return 0


async def the_stand_in_of_whoever_gave_more_decides(arena: Arena) -> int:
    await arena.delegate(GRACE, TOMAS)
    asked = await arena.ask()
    assert await arena.edit(asked.card, GRACE, days="9") is Answered.RECORDED
    await arena.work()
    assert await arena.click(await arena.newest_card(asked.run), TOMAS) is Answered.FOR_REQUESTER
    await arena.work()
    return 0


async def a_stand_in_gives_more_and_approves_it(arena: Arena) -> int:
    await arena.delegate(GRACE, TOMAS)
    asked = await arena.ask()
    assert await arena.edit(asked.card, TOMAS, days="9") is Answered.RECORDED
    await arena.work()
    assert await arena.click(await arena.newest_card(asked.run), TOMAS) is Answered.OWN_CHANGE
    await arena.work()
    return 0


async def a_right_is_handed_on(arena: Arena) -> int:
    await arena.delegate(GRACE, TOMAS)
    assert await arena.delegate(TOMAS, INES) is not None, "of what Tomas has himself, which is nothing"
    asked = await arena.ask()
    assert await arena.click(asked.card, INES) is Answered.NOT_ALLOWED
    await arena.work()
    return 0


async def a_right_is_lent_to_somebody_away(arena: Arena) -> int:
    await arena.delegate(TOMAS, INES)
    assert await arena.delegate(GRACE, TOMAS) is None
    asked = await arena.ask()
    for who in (TOMAS, INES):
        assert await arena.click(asked.card, who) is Answered.NOT_ALLOWED
    await arena.work()
    return 0


async def a_right_is_lent_in_a_circle(arena: Arena) -> int:
    await arena.delegate(GRACE, BEN)
    await arena.delegate(BEN, GRACE)
    asked = await arena.ask(who=GRACE)
    assert await arena.click(asked.card, GRACE) is Answered.OWN_REQUEST
    await arena.work()
    return 0


async def a_right_is_lent_to_oneself(arena: Arena) -> int:
    assert await arena.delegate(GRACE, GRACE) is None
    asked = await arena.ask(who=GRACE)
    assert await arena.click(asked.card, GRACE) is Answered.OWN_REQUEST
    await arena.work()
    return 0


async def a_right_is_lent_to_somebody_inactive(arena: Arena) -> int:
    assert await arena.delegate(GRACE, JUN) is None
    asked = await arena.ask()
    assert await arena.click(asked.card, JUN) is Answered.NOT_ACTIVE
    await arena.work()
    return 0


async def a_right_is_lent_by_somebody_who_has_none(arena: Arena) -> int:
    await arena.delegate(INES, TOMAS)
    asked = await arena.ask()
    assert await arena.click(asked.card, TOMAS) is Answered.NOT_ALLOWED
    await arena.work()
    return 0


async def a_right_is_called_back_before_the_click(arena: Arena) -> int:
    delegation = await arena.delegate(GRACE, TOMAS)
    assert delegation is not None
    asked = await arena.ask()
    await arena.call_back(delegation)
    assert await arena.click(asked.card, TOMAS) is Answered.NOT_ALLOWED
    await arena.work()
    return 0


async def a_right_is_called_back_after_the_click(arena: Arena) -> int:
    _, delegation = await _lent(arena)
    await arena.call_back(delegation)
    await arena.work()
    return 0


async def a_right_is_called_back_after_something_was_taken_away(arena: Arena) -> int:
    delegation = await arena.delegate(GRACE, TOMAS)
    assert delegation is not None
    asked = await arena.ask()
    assert await arena.edit(asked.card, TOMAS, days="2") is Answered.RECORDED
    await arena.call_back(delegation)
    await arena.work()
    return 0


async def a_click_a_millisecond_after_the_right_has_ended(arena: Arena) -> int:
    await arena.delegate(GRACE, TOMAS, days=0)
    asked = await arena.ask()
    ((ends_at,),) = await arena.rows("SELECT ends_at FROM delegation WHERE tenant = %s", arena.tenant)
    await arena.until(ends_at)
    assert await arena.click(asked.card, TOMAS) is Answered.NOT_ALLOWED
    await arena.work()
    return 0


async def a_right_is_lent_after_the_click(arena: Arena) -> int:
    """The click did not count, and does not by what comes later."""
    asked = await arena.ask()
    assert await arena.click(asked.card, TOMAS) is Answered.NOT_ALLOWED
    await arena.delegate(GRACE, TOMAS)
    await arena.work()
    return 0


async def a_right_begins_after_the_vote(arena: Arena) -> int:
    """So it stands in the database, whatever has written it there."""
    await _lent(arena)
    await arena.owner("UPDATE delegation SET starts_at = moment() WHERE tenant = %s", arena.tenant)
    await arena.work()
    return 0


async def the_holder_loses_the_role_after_the_click(arena: Arena) -> int:
    await _lent(arena)
    await arena.members(APPROVERS, BEN)
    await arena.work()
    return 0


async def the_holder_is_deactivated_after_the_click(arena: Arena) -> int:
    await _lent(arena)
    await arena.activate(GRACE, False)
    await arena.work()
    return 0


async def the_holder_is_deactivated_before_the_click(arena: Arena) -> int:
    await arena.delegate(GRACE, TOMAS)
    asked = await arena.ask()
    await arena.activate(GRACE, False)
    assert await arena.click(asked.card, TOMAS) is Answered.NOT_ALLOWED
    await arena.work()
    return 0


async def the_stand_in_is_deactivated_after_the_click(arena: Arena) -> int:
    await _lent(arena)
    await arena.activate(TOMAS, False)
    await arena.work()
    return 0


async def a_right_is_forged_in_the_vote(arena: Arena) -> int:
    """Somebody's vote is said to be in another's place, who has lent nothing."""
    asked = await arena.ask()
    await arena.click(asked.card, GRACE)
    tomas = await arena.person(TOMAS)
    await arena.owner(
        "UPDATE vote SET stands_for = person, holder = human, subject = %s, human = %s,"
        " person = jsonb_set(jsonb_set(person, '{subject}', to_jsonb(%s::text)), '{human}',"
        " to_jsonb(%s::text)) WHERE approval = %s",
        tomas.subject,
        tomas.human,
        tomas.subject,
        tomas.human,
        asked.card,
    )
    await arena.work()
    return 0


async def holder_and_stand_in_both_decide(arena: Arena) -> int:
    """One of them is enough here; the other's click changes nothing."""
    asked, _ = await _lent(arena)
    assert await arena.click(asked.card, GRACE) is Answered.ALREADY_DECIDED
    await arena.work()
    return 1


ABUSES: tuple[Abuse, ...] = (
    the_requester_stands_in,
    the_requesters_own_stand_in_decides,
    the_beneficiarys_stand_in_decides,
    the_stand_in_of_whoever_gave_more_decides,
    a_stand_in_gives_more_and_approves_it,
    a_right_is_handed_on,
    a_right_is_lent_to_somebody_away,
    a_right_is_lent_in_a_circle,
    a_right_is_lent_to_oneself,
    a_right_is_lent_to_somebody_inactive,
    a_right_is_lent_by_somebody_who_has_none,
    a_right_is_called_back_before_the_click,
    a_right_is_called_back_after_the_click,
    a_right_is_called_back_after_something_was_taken_away,
    a_click_a_millisecond_after_the_right_has_ended,
    a_right_is_lent_after_the_click,
    a_right_begins_after_the_vote,
    the_holder_loses_the_role_after_the_click,
    the_holder_is_deactivated_after_the_click,
    the_holder_is_deactivated_before_the_click,
    the_stand_in_is_deactivated_after_the_click,
    a_right_is_forged_in_the_vote,
    holder_and_stand_in_both_decide,
)


# Where two have to approve.


async def _nobody_yet(arena: Arena) -> Asked:
    arena.scene = replace(arena.scene, first=())
    return await arena.ask()


async def one_stand_in_votes_for_two(arena: Arena) -> int:
    for holder in (GRACE, BEN):
        assert await arena.delegate(holder, TOMAS) is not None
    asked = await _nobody_yet(arena)
    assert await arena.click(asked.card, TOMAS) is Answered.RECORDED
    assert await arena.click(asked.card, TOMAS) is Answered.ALREADY_VOTED
    await arena.work()
    return 0


async def the_holder_votes_after_the_stand_in(arena: Arena) -> int:
    await arena.delegate(GRACE, TOMAS)
    asked = await _nobody_yet(arena)
    assert await arena.click(asked.card, TOMAS) is Answered.RECORDED
    assert await arena.click(asked.card, GRACE) is Answered.ALREADY_VOTED
    await arena.work()
    return 0


async def an_approver_votes_again_in_anothers_place(arena: Arena) -> int:
    await arena.delegate(GRACE, BEN)
    asked = await _nobody_yet(arena)
    assert await arena.click(asked.card, BEN) is Answered.RECORDED
    assert await arena.click(asked.card, BEN) is Answered.ALREADY_VOTED
    await arena.work()
    return 0


OF_TWO: tuple[Abuse, ...] = (
    one_stand_in_votes_for_two,
    the_holder_votes_after_the_stand_in,
    an_approver_votes_again_in_anothers_place,
)
