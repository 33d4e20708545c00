"""Approvers who change what is asked for: to approve it themselves, too late, at once, or what is not so."""

import asyncio

from graphs.records import Answered, Verdict
from tests.abuse.anything import APPROVERS
from tests.abuse.arena import ADA, BEN, GRACE, JUN, TOMAS, Abuse, Arena, Asked

MORE, LESS = "9", "2"  # days; three are asked for


async def _changed(arena: Arena, who: str, **values: str) -> tuple[Asked, str]:
    """Have a request changed, and return it with its new card."""
    asked = await arena.ask()
    assert await arena.edit(asked.card, who, **values) is Answered.RECORDED
    await arena.work()
    return asked, await arena.newest_card(asked.run)


async def the_requester_changes_the_request(arena: Arena) -> int:
    asked = await arena.ask(who=GRACE)
    for days in (LESS, MORE):
        assert await arena.edit(asked.card, GRACE, days=days) is Answered.OWN_REQUEST
    await arena.work()
    return 0


async def the_requester_changes_the_request_from_a_linked_account(arena: Arena) -> int:
    asked = await arena.ask(who=GRACE)
    alias = (await arena.person(GRACE)).model_copy(update={"email": "gl@larkfield.example", "name": "G."})
    assert await arena.edit(asked.card, alias, days=LESS) is Answered.OWN_REQUEST
    await arena.work()
    return 0


async def the_beneficiary_changes_the_request(arena: Arena) -> int:
    asked = await arena.ask(who=ADA if arena.scene.for_others else GRACE, person=GRACE)
    assert await arena.edit(asked.card, GRACE, days=LESS) is Answered.OWN_REQUEST
    await arena.work()
    return 0


async def whoever_gives_more_approves_it(arena: Arena) -> int:
    _, card = await _changed(arena, GRACE, days=MORE)
    assert await arena.click(card, GRACE) is Answered.OWN_CHANGE
    await arena.work()
    return 0


async def whoever_gives_more_approves_it_from_a_linked_account(arena: Arena) -> int:
    _, card = await _changed(arena, GRACE, days=MORE)
    alias = (await arena.person(GRACE)).model_copy(update={"email": "gl@larkfield.example", "name": "G."})
    assert await arena.click(card, alias) is Answered.OWN_CHANGE
    await arena.work()
    return 0


async def whoever_gives_more_takes_a_little_away_then(arena: Arena) -> int:
    _, card = await _changed(arena, GRACE, days=MORE)
    assert await arena.edit(card, GRACE, days="8") is Answered.OWN_CHANGE
    await arena.work()
    return 0


async def whoever_gives_more_approves_the_card_before(arena: Arena) -> int:
    asked, _ = await _changed(arena, GRACE, days=MORE)
    assert await arena.click(asked.card, GRACE) is Answered.REPLACED
    await arena.work()
    return 0


async def whoever_gives_more_approves_what_another_one_has_narrowed(arena: Arena) -> int:
    """Whoever narrowed it approved it: that is one effect, and the author's click none."""
    asked, card = await _changed(arena, GRACE, days=MORE)
    assert await arena.edit(card, BEN, days="8") is Answered.RECORDED
    assert await arena.click(card, GRACE) in {Answered.OWN_CHANGE, Answered.REPLACED}
    await arena.work()
    assert await arena.click(await arena.newest_card(asked.run), GRACE) is Answered.OWN_CHANGE
    return 1


async def another_one_approves_the_card_before(arena: Arena) -> int:
    asked, _ = await _changed(arena, GRACE, days=MORE)
    assert await arena.click(asked.card, BEN) is Answered.REPLACED
    await arena.work()
    return 0


async def what_is_changed_is_said_to_be_less(arena: Arena) -> int:
    """In the database, by whoever owns it: so that the author's approval would go with it."""
    asked = await arena.ask()
    assert await arena.edit(asked.card, GRACE, days=MORE) is Answered.RECORDED
    await arena.owner("UPDATE edit SET narrows = true WHERE approval = %s", asked.card)
    await arena.work()
    return 0


async def the_target_is_changed_by_whoever_approves(arena: Arena) -> int:
    prize = await arena.target(ADA)
    named = "group" if "group" in arena.scene.values("", "") else "target"
    _, card = await _changed(arena, GRACE, **{named: prize})
    assert await arena.click(card, GRACE) is Answered.OWN_CHANGE
    await arena.work()
    return 0


async def an_approver_makes_it_their_own(arena: Arena) -> int:
    """Where a field says for whom it is; elsewhere there is no such field."""
    asked = await arena.ask()
    answered = await arena.edit(asked.card, GRACE, person=GRACE)
    assert answered is (Answered.RECORDED if arena.scene.for_others else Answered.NOT_CHANGED)
    await arena.work()
    if arena.scene.for_others:
        for card in await arena.approvals(asked.run):
            assert await arena.click(card.id, GRACE) is not Answered.RECORDED
    await arena.work()
    return 0


async def a_decided_card_is_changed(arena: Arena) -> int:
    asked = await arena.ask()
    await arena.click(asked.card, GRACE)
    assert await arena.edit(asked.card, BEN, days=MORE) is Answered.ALREADY_DECIDED
    await arena.work()
    assert await arena.edit(asked.card, BEN, days=LESS) is Answered.ALREADY_DECIDED
    await arena.work()
    return 1


async def a_denied_card_is_changed(arena: Arena) -> int:
    asked = await arena.ask()
    await arena.click(asked.card, BEN, Verdict.DENY, "no")
    assert await arena.edit(asked.card, GRACE, days=LESS) is Answered.ALREADY_DECIDED
    await arena.work()
    assert await arena.edit(asked.card, GRACE, days=LESS) is Answered.ALREADY_DECIDED
    await arena.work()
    return 0


async def a_void_card_is_changed(arena: Arena) -> int:
    asked, _ = await _changed(arena, GRACE, days=MORE)
    assert await arena.edit(asked.card, BEN, days=LESS) is Answered.REPLACED
    await arena.work()
    return 0


async def a_card_is_changed_a_millisecond_late(arena: Arena) -> int:
    asked = await arena.ask()
    approval = await arena.runs.approval(asked.card)
    assert approval is not None
    await arena.until(approval.decide_by)
    assert await arena.edit(asked.card, GRACE, days=LESS) is Answered.EXPIRED
    await arena.work()
    return 0


async def a_card_that_does_not_exist_is_changed(arena: Arena) -> int:
    await arena.ask()
    for forged in ("", "x" * 10_000, "' OR true --"):
        assert await arena.edit(forged, GRACE, days=LESS) is Answered.NO_SUCH_CARD
    await arena.work()
    return 0


async def a_change_and_an_approval_at_once(arena: Arena) -> int:
    asked = await arena.ask()
    grace, ben = await arena.person(GRACE), await arena.person(BEN)
    answers = await asyncio.gather(arena.edit(asked.card, grace, days=MORE), arena.click(asked.card, ben))
    assert answers.count(Answered.RECORDED) == 1, answers
    await arena.work()
    return int(answers[1] is Answered.RECORDED)


async def two_who_take_away_at_once(arena: Arena) -> int:
    asked = await arena.ask()
    people = [await arena.person(who) for who in (GRACE, BEN)]
    answers = await asyncio.gather(*(arena.edit(asked.card, one, days=LESS) for one in people))
    assert answers.count(Answered.RECORDED) == 1, answers
    await arena.work()
    return 1


async def fifty_changes_at_once(arena: Arena) -> int:
    asked = await arena.ask()
    grace = await arena.person(GRACE)
    answers = await asyncio.gather(
        *(arena.edit(asked.card, grace, days=str(4 + number % 20)) for number in range(50))
    )
    assert answers.count(Answered.RECORDED) == 1, answers
    await arena.work()
    assert len(await arena.approvals(asked.run)) == 2
    return 0


async def a_field_that_is_not_of_the_request_is_changed(arena: Arena) -> int:
    asked = await arena.ask()
    forged = ("quorum", "approvers", "requester", "level", "decide_by", "operation", "reason", "")
    for name in forged:
        assert await arena.edit(asked.card, GRACE, **{name: "0"}) is Answered.NOT_CHANGED, name
    await arena.work()
    return 0


async def a_field_gets_what_does_not_fit(arena: Arena) -> int:
    asked = await arena.ask()
    for days in ("0", "-1", "999", "2.5", "two", "", "2; DROP TABLE approval", "²"):
        assert await arena.edit(asked.card, GRACE, days=days) is Answered.NOT_CHANGED, days
    await arena.work()
    return 0


async def somebody_outside_the_group_changes_it(arena: Arena) -> int:
    asked = await arena.ask()
    assert await arena.edit(asked.card, TOMAS, days=LESS) is Answered.NOT_ALLOWED
    assert await arena.edit(asked.card, JUN, days=LESS) is Answered.NOT_ACTIVE
    await arena.work()
    return 0


async def somebody_of_another_directory_takes_away(arena: Arena) -> int:
    """Their own directory says that they are in the group; ours does not know them."""
    asked = await arena.ask()
    grace = await arena.person(GRACE)
    await arena.edit(asked.card, grace.model_copy(update={"issuer": "https://elsewhere.example"}), days=LESS)
    await arena.work()
    return 0


async def whoever_takes_away_loses_the_role_before_it_is_planned(arena: Arena) -> int:
    asked = await arena.ask()
    assert await arena.edit(asked.card, GRACE, days=LESS) is Answered.RECORDED
    await arena.members(APPROVERS, BEN)
    await arena.work()
    return 0


async def whoever_takes_away_is_deactivated_before_it_is_planned(arena: Arena) -> int:
    asked = await arena.ask()
    assert await arena.edit(asked.card, GRACE, days=LESS) is Answered.RECORDED
    await arena.activate(GRACE, False)
    await arena.work()
    return 0


async def the_clause_is_changed_after_something_was_taken_away(arena: Arena) -> int:
    asked = await arena.ask()
    assert await arena.edit(asked.card, GRACE, days=LESS) is Answered.RECORDED
    arena.desk.text = "Nobody gets anything."
    await arena.work()
    return 0


async def the_level_is_lowered_after_something_was_taken_away(arena: Arena) -> int:
    asked = await arena.ask()
    assert await arena.edit(asked.card, GRACE, days=LESS) is Answered.RECORDED
    await arena.set_level(1)
    await arena.work()
    return 0


ABUSES: tuple[Abuse, ...] = (
    the_requester_changes_the_request,
    the_requester_changes_the_request_from_a_linked_account,
    the_beneficiary_changes_the_request,
    whoever_gives_more_approves_it,
    whoever_gives_more_approves_it_from_a_linked_account,
    whoever_gives_more_takes_a_little_away_then,
    whoever_gives_more_approves_the_card_before,
    whoever_gives_more_approves_what_another_one_has_narrowed,
    another_one_approves_the_card_before,
    what_is_changed_is_said_to_be_less,
    the_target_is_changed_by_whoever_approves,
    an_approver_makes_it_their_own,
    a_decided_card_is_changed,
    a_denied_card_is_changed,
    a_void_card_is_changed,
    a_card_is_changed_a_millisecond_late,
    a_card_that_does_not_exist_is_changed,
    a_change_and_an_approval_at_once,
    two_who_take_away_at_once,
    fifty_changes_at_once,
    a_field_that_is_not_of_the_request_is_changed,
    a_field_gets_what_does_not_fit,
    somebody_outside_the_group_changes_it,
    somebody_of_another_directory_takes_away,
    whoever_takes_away_loses_the_role_before_it_is_planned,
    whoever_takes_away_is_deactivated_before_it_is_planned,
    the_clause_is_changed_after_something_was_taken_away,
    the_level_is_lowered_after_something_was_taken_away,
)
