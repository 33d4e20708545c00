"""What was changed of a plan after its approval is not done (A10); `make figures ARGS=plans` tries more."""

import random

from tests.figures import plans


async def test_whatever_is_changed_of_an_approved_plan_nothing_more_is_done() -> None:
    async with plans.bench() as at:
        await plans.require_unchanged_lands(at)
        for begun in (False, True):
            found = await plans.in_rows(at, len(plans.CHANGES), begun=begun)
            assert found.wrong == []
        assert (await plans.by_the_stage(at, len(plans.PLANS))).wrong == []
        assert (await plans.in_checkpoints(at, 2)).wrong == []


def test_every_change_changes_something() -> None:
    action = {
        **dict.fromkeys(("requester", "clause", "then", "decide_by", "workflow"), "x"),
        **dict.fromkeys(("quorum", "level", "version", "execute_within"), 2),
        "authors": ["a"],
        "approvers": ["b"],
        "beneficiary": {"person": "a"},
        "escalation": {"at": ""},
        "steps": [{"name": name, "parameters": {"ref": name}, "undo": "undo"} for name in ("e0", "e1")],
    }
    for number in range(len(plans.CHANGES)):
        assert plans.changed(action, number, random.Random(number)) is not None
