"""Who decides, and who has changed since: self, alias, beneficiary, leavers, roles lost and gained."""

from graphs.records import Answered, Verdict
from tests.abuse.anything import APPROVERS
from tests.abuse.arena import ADA, BEN, GRACE, JUN, TOMAS, Abuse, Arena


async def _never(arena: Arena, answered: Answered | None, *allowed: Answered) -> int:
    """The click was refused for the right reason, and what follows from it is nothing."""
    assert answered in allowed, answered
    await arena.work()
    return 0


async def the_requester_decides(arena: Arena) -> int:
    asked = await arena.ask(who=GRACE)
    return await _never(arena, await arena.click(asked.card, GRACE), Answered.OWN_REQUEST)


async def the_requester_decides_from_a_linked_account(arena: Arena) -> int:
    asked = await arena.ask(who=GRACE)
    grace = await arena.person(GRACE)
    alias = grace.model_copy(update={"email": "g.l@larkfield.example", "user_name": "gl", "name": "G. L."})
    return await _never(arena, await arena.click(asked.card, alias), Answered.OWN_REQUEST)


async def the_beneficiary_decides(arena: Arena) -> int:
    asked = await arena.ask(who=ADA if arena.scene.for_others else GRACE, person=GRACE)
    return await _never(arena, await arena.click(asked.card, GRACE), Answered.OWN_REQUEST)


async def somebody_else_fills_in_the_form(arena: Arena) -> int:
    target = await arena.target(ADA)
    values = arena.scene.values(target, ADA)
    run = await arena.start(ADA, {name: value for name, value in values.items() if name != "days"})
    await arena.work()
    assert await arena.runs.submit(run, {"days": "3"}, by=await arena.person(GRACE)) == {"days": "not_yours"}
    await arena.work()
    assert await arena.approvals(run) == []
    return 0


async def somebody_outside_the_group_decides(arena: Arena) -> int:
    asked = await arena.ask()
    return await _never(arena, await arena.click(asked.card, TOMAS), Answered.NOT_ALLOWED)


async def somebody_inactive_decides(arena: Arena) -> int:
    asked = await arena.ask()
    return await _never(arena, await arena.click(asked.card, JUN), Answered.NOT_ACTIVE)


async def somebody_of_another_directory_decides(arena: Arena) -> int:
    """Their own directory says that they are in the group; at execution ours does not know them."""
    asked = await arena.ask()
    grace = await arena.person(GRACE)
    await arena.click(asked.card, grace.model_copy(update={"issuer": "https://elsewhere.example"}))
    await arena.work()
    return 0


async def the_requester_of_another_directory_decides(arena: Arena) -> int:
    asked = await arena.ask(who=GRACE)
    grace = await arena.person(GRACE)
    await arena.click(asked.card, grace.model_copy(update={"issuer": "https://elsewhere.example"}))
    await arena.work()
    return 0


async def the_approver_is_deactivated_before_the_click(arena: Arena) -> int:
    asked = await arena.ask()
    await arena.activate(GRACE, False)
    return await _never(arena, await arena.click(asked.card, GRACE), Answered.NOT_ACTIVE)


async def the_approver_is_deactivated_after_the_click(arena: Arena) -> int:
    asked = await arena.ask()
    await arena.click(asked.card, GRACE)
    await arena.activate(GRACE, False)
    await arena.work()
    return 0


async def the_approver_loses_the_role_before_the_click(arena: Arena) -> int:
    asked = await arena.ask()
    await arena.members(APPROVERS, BEN)
    return await _never(arena, await arena.click(asked.card, GRACE), Answered.NOT_ALLOWED)


async def the_approver_loses_the_role_after_the_click(arena: Arena) -> int:
    asked = await arena.ask()
    await arena.click(asked.card, GRACE)
    await arena.members(APPROVERS, BEN)
    await arena.work()
    return 0


async def the_requester_is_deactivated_before_the_click(arena: Arena) -> int:
    asked = await arena.ask()
    await arena.activate(ADA, False)
    await arena.click(asked.card, GRACE)
    await arena.work()
    return 0


async def the_requester_is_deactivated_after_the_click(arena: Arena) -> int:
    asked = await arena.ask()
    await arena.click(asked.card, GRACE)
    await arena.activate(ADA, False)
    await arena.work()
    return 0


async def the_role_is_gained_by_a_group_of_the_same_name_made_anew(arena: Arena) -> int:
    asked = await arena.ask()
    await arena.make_anew(APPROVERS, TOMAS)
    await arena.click(asked.card, TOMAS)
    await arena.work()
    return 0


async def the_group_is_made_anew_after_the_click(arena: Arena) -> int:
    asked = await arena.ask()
    await arena.click(asked.card, GRACE)
    await arena.make_anew(APPROVERS, GRACE)
    await arena.work()
    return 0


async def the_role_is_gained_by_a_group_whose_name_looks_the_same(arena: Arena) -> int:
    asked = await arena.ask()
    body = {"displayName": "Data-Owners ", "members": [{"value": (await arena.person(TOMAS)).id}]}
    schema = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"]}
    made = (await arena.scim.post("/v2/Groups", json={**schema, **body})).raise_for_status().json()
    await arena.click(asked.card, TOMAS)
    await arena.work()
    await arena.scim.delete(f"/v2/Groups/{made['id']}")
    return 0


async def the_requester_cancels_the_denial(arena: Arena) -> int:
    """Denied by one, then approved by another."""
    asked = await arena.ask()
    assert await arena.click(asked.card, BEN, Verdict.DENY, "no") is Answered.RECORDED
    assert await arena.click(asked.card, GRACE) is Answered.ALREADY_DECIDED
    await arena.work()
    assert await arena.click(asked.card, GRACE) is Answered.ALREADY_DECIDED
    await arena.work()
    return 0


async def a_stranger_denies(arena: Arena) -> int:
    """And an approver approves: the stranger's click did not count."""
    asked = await arena.ask()
    assert await arena.click(asked.card, TOMAS, Verdict.DENY, "no") is Answered.NOT_ALLOWED
    await arena.click(asked.card, GRACE)
    await arena.work()
    return 1


ABUSES: tuple[Abuse, ...] = (
    the_requester_decides,
    the_requester_decides_from_a_linked_account,
    the_beneficiary_decides,
    somebody_else_fills_in_the_form,
    somebody_outside_the_group_decides,
    somebody_inactive_decides,
    somebody_of_another_directory_decides,
    the_requester_of_another_directory_decides,
    the_approver_is_deactivated_before_the_click,
    the_approver_is_deactivated_after_the_click,
    the_approver_loses_the_role_before_the_click,
    the_approver_loses_the_role_after_the_click,
    the_requester_is_deactivated_before_the_click,
    the_requester_is_deactivated_after_the_click,
    the_role_is_gained_by_a_group_of_the_same_name_made_anew,
    the_group_is_made_anew_after_the_click,
    the_role_is_gained_by_a_group_whose_name_looks_the_same,
    the_requester_cancels_the_denial,
    a_stranger_denies,
)
