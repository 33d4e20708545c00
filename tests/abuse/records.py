"""What is in the database and in the world is changed behind the approval's back."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from psycopg.types.json import Jsonb

from graphs import approvals
from graphs.records import Answered, Verdict
from tests.abuse.arena import ADA, BEN, GRACE, TOMAS, Abuse, Arena, Asked

# Every field of what an approval is bound to, by its path in the record; an unknown one fails a test.
STEP = (
    "name", "operation", "parameters.group", "parameters.group_id", "parameters.person", "undo", "effect",
    "scope", "reversible", "lasts", "target",
    "preconditions.group", "preconditions.person", "preconditions.active", "preconditions.member",
)  # fmt: skip
FIELDS = (
    "format", "workflow", "version", *(f"steps.0.{name}" for name in STEP), "then", "requester",
    "beneficiary.person", "authors", "approvers.0.name", "approvers.0.id", "quorum", "escalation", "clause",
    "level", "decide_by", "execute_within",
)  # fmt: skip


def leaves(value: Any, path: str = "") -> list[str]:
    """Return the paths of all values of a record; of a list of records, each with its place."""
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        value = {str(place): inner for place, inner in enumerate(value)}
    if not isinstance(value, Mapping) or not value:
        return [path.removesuffix(".")]
    return [leaf for key, inner in value.items() for leaf in leaves(inner, f"{path}{key}.")]


def _worse(path: str, old: Any, arena: Arena) -> Any:
    """Return the value that an attacker would like better."""
    return {
        "steps.0.operation": "directory.remove_from_group" if "add" in str(old) else "directory.add_to_group",
        "requester": "larkfield#nobody",
        "beneficiary.person": "larkfield#nobody",
        "authors": ["larkfield#nobody"],
        "quorum": 0,
        "escalation": {
            "groups": [{"name": "everyone", "id": "x"}],
            "at": "2020-01-01T00:00:00.000+00:00",
        },
        "steps.0.parameters.person": "0" * 32,
        "steps.0.undo": "pivot",
        "steps.0.reversible": False,
        "decide_by": "2099-01-01T00:00:00.000+00:00",
    }.get(path, old + 1 if isinstance(old, int) else f"{old}x")


def _part(action: Any, path: Sequence[str]) -> Any:
    for name in path:
        action = action[int(name) if isinstance(action, list) else name]
    return action


async def _tamper(arena: Arena, asked: Asked, path: str, *, digest: bool = False) -> None:
    """Change one field of the approval's record, and its digest with it where the attacker knows how."""
    ((action, tenant),) = await arena.rows("SELECT action, tenant FROM approval WHERE id = %s", asked.card)
    *outer, last = path.split(".")
    part = _part(action, outer)
    part[last] = _worse(path, part[last], arena)
    await arena.owner("UPDATE approval SET action = %s WHERE id = %s", Jsonb(action), asked.card)
    if digest:
        made = approvals.digest(tenant, action)
        await arena.owner("UPDATE approval SET digest = %s WHERE id = %s", made, asked.card)


def before_the_click(path: str) -> Abuse:
    """Return the abuse in which the field is changed while the card waits."""

    async def abuse(arena: Arena) -> int:
        asked = await arena.ask()
        await _tamper(arena, asked, path)
        assert await arena.click(asked.card, GRACE) is Answered.DAMAGED
        await arena.click(asked.card, TOMAS)
        await arena.work()
        return 0

    abuse.__name__ = f"{path}_of_the_record_is_changed_before_the_click"
    return abuse


def after_the_click(path: str) -> Abuse:
    """Return the abuse in which it is changed between the click and the execution."""

    async def abuse(arena: Arena) -> int:
        asked = await arena.ask()
        await arena.click(asked.card, GRACE)
        await _tamper(arena, asked, path)
        await arena.work()
        return 0

    abuse.__name__ = f"{path}_of_the_record_is_changed_after_the_click"
    return abuse


def with_its_digest(path: str) -> Abuse:
    """Return the abuse in which the digest is made to fit."""

    async def abuse(arena: Arena) -> int:
        asked = await arena.ask()
        await arena.click(asked.card, GRACE)
        await _tamper(arena, asked, path, digest=True)
        await arena.work()
        return 0

    abuse.__name__ = f"{path}_of_the_record_is_changed_and_its_digest_with_it"
    return abuse


async def the_digest_is_changed(arena: Arena) -> int:
    asked = await arena.ask()
    await arena.owner("UPDATE approval SET digest = %s WHERE id = %s", "0" * 64, asked.card)
    assert await arena.click(asked.card, GRACE) is Answered.DAMAGED
    await arena.work()
    return 0


async def the_beneficiary_in_the_words_of_the_card_is_changed(arena: Arena) -> int:
    """So that the one who gets it could decide."""
    asked = await arena.ask(who=ADA if arena.scene.for_others else GRACE, person=GRACE)
    await arena.owner(
        "UPDATE approval SET card = jsonb_set(card, '{beneficiary,subject}', '\"x\"') WHERE id = %s",
        asked.card,
    )
    assert await arena.click(asked.card, GRACE) is Answered.OWN_REQUEST
    await arena.work()
    return 0


async def the_requester_of_the_run_is_changed_before_the_click(arena: Arena) -> int:
    asked = await arena.ask(who=GRACE)
    await arena.owner(
        "UPDATE run SET requester = jsonb_set(requester, '{subject}', '\"x\"') WHERE id = %s", asked.run
    )
    assert await arena.click(asked.card, GRACE) is Answered.OWN_REQUEST
    await arena.work()
    return 0


async def the_requester_of_the_run_is_changed_after_the_click(arena: Arena) -> int:
    asked = await arena.ask()
    await arena.click(asked.card, GRACE)
    other = (await arena.person(BEN)).subject
    await arena.owner(
        "UPDATE run SET requester = jsonb_set(requester, '{subject}', to_jsonb(%s::text)) WHERE id = %s",
        other,
        asked.run,
    )
    await arena.work()
    return 0


async def the_days_of_the_run_are_changed_after_the_click(arena: Arena) -> int:
    asked = await arena.ask()
    await arena.click(asked.card, GRACE)
    await arena.owner('UPDATE run SET slots = slots || \'{"days": "30"}\' WHERE id = %s', asked.run)
    await arena.work()
    return 0


async def the_target_of_the_run_is_changed_after_the_click(arena: Arena) -> int:
    asked = await arena.ask()
    prize = await arena.target(ADA)
    await arena.click(asked.card, GRACE)
    named = "group" if "group" in arena.scene.values("", "") else "target"
    await arena.owner("UPDATE run SET slots = slots || %s WHERE id = %s", Jsonb({named: prize}), asked.run)
    await arena.work()
    return 0


async def the_target_is_made_anew_after_the_click(arena: Arena) -> int:
    asked = await arena.ask()
    await arena.click(asked.card, GRACE)
    people = [ADA] if arena.scene.member_before else []
    await arena.make_anew(asked.target, *people)
    await arena.skip()
    await arena.work()
    return 0


async def the_world_has_done_it_by_itself_after_the_click(arena: Arena) -> int:
    asked = await arena.ask()
    await arena.click(asked.card, GRACE)
    await arena.members(asked.target, *([] if arena.scene.member_before else [ADA]))
    await arena.skip()
    await arena.work()
    return 0


async def the_clause_is_changed_after_the_click(arena: Arena) -> int:
    asked = await arena.ask()
    await arena.click(asked.card, GRACE)
    arena.desk.text = "Nobody gets anything."
    await arena.work()
    assert len(await arena.approvals(asked.run)) == 2
    return 0


async def the_clause_is_changed_before_the_click(arena: Arena) -> int:
    asked = await arena.ask()
    arena.desk.text = "Nobody gets anything."
    await arena.click(asked.card, GRACE)
    await arena.work()
    return 0


async def the_clause_is_gone(arena: Arena) -> int:
    asked = await arena.ask()
    await arena.click(asked.card, GRACE)
    arena.desk.missing = True
    await arena.work()
    return 0


def level(to: int, *, clicked: bool) -> Abuse:
    """Return the abuse in which the operation's level is set, before or after the click."""

    async def abuse(arena: Arena) -> int:
        asked = await arena.ask()
        if clicked:
            await arena.click(asked.card, GRACE)
        await arena.set_level(to)
        if not clicked:
            await arena.click(asked.card, GRACE)
        await arena.work()
        return 0

    abuse.__name__ = f"the_level_becomes_{to}_{'after' if clicked else 'before'}_the_click"
    return abuse


async def nobody_clicks_and_the_votes_say_that_they_did(arena: Arena) -> int:
    """Rows alone: whoever writes to the tables has no event of a decision in the record."""
    asked = await arena.ask()
    await _forge_vote(arena, asked)
    await arena.runs.advance(asked.run)
    return 0


async def a_denial_is_turned_into_an_approval(arena: Arena) -> int:
    """The record has a decision about this very digest, and it was no."""
    asked = await arena.ask()
    await arena.click(asked.card, BEN, Verdict.DENY, "no")
    arena.desk.waiting.clear()
    await arena.owner("UPDATE vote SET verdict = 'approve' WHERE approval = %s", asked.card)
    await arena.owner("UPDATE approval SET status = 'approved' WHERE id = %s", asked.card)
    await arena.runs.advance(asked.run)
    return 0


async def _forge_vote(arena: Arena, asked: Asked) -> None:
    grace = await arena.person(GRACE)
    await arena.owner(
        "INSERT INTO vote (tenant, approval, subject, human, holder, person, verdict)"
        " SELECT tenant, id, %s, %s, %s, %s, 'approve' FROM approval WHERE id = %s",
        grace.subject,
        grace.human,
        grace.human,
        Jsonb(asdict(approvals.actor(grace))),
        asked.card,
    )
    await arena.owner(
        "UPDATE approval SET status = 'approved', decided_at = moment() WHERE id = %s", asked.card
    )


async def the_intent_stands_in_the_ledger_before_the_click(arena: Arena) -> int:
    """With the payload of an attacker: it counts nowhere, and only what was approved is done, once."""
    asked = await arena.ask()
    prize = await arena.target(ADA)
    await _forge_intent(arena, asked, "intended", {"group": prize, "group_id": arena.watched[prize]})
    await arena.click(asked.card, GRACE)
    await arena.work()
    assert [one["group_name"] for one in await arena.changes()] == [asked.target]
    return 0


async def the_intent_in_the_ledger_waits_for_no_click(arena: Arena) -> int:
    """The very effect, as if it had been interrupted: nobody has approved it."""
    asked = await arena.ask()
    await _forge_intent(arena, asked, "intended", {})
    await arena.runs.advance(asked.run)
    assert await arena.click(asked.card, TOMAS) is Answered.NOT_ALLOWED
    await arena.work()
    return 0


async def the_effect_is_said_to_be_done(arena: Arena) -> int:
    """The row counts nowhere: what an approver clicks on is done, once."""
    asked = await arena.ask()
    await _forge_intent(arena, asked, "done", {})
    await arena.click(asked.card, GRACE)
    await arena.work()
    return 1


async def _forge_intent(arena: Arena, asked: Asked, state: str, changed: Mapping[str, str]) -> None:
    ((action, tenant),) = await arena.rows("SELECT action, tenant FROM approval WHERE id = %s", asked.card)
    (step,) = action["steps"]
    payload = {**step["parameters"], **changed}
    result = Jsonb({"group": "g", "person": "p", "changed": True}) if state == "done" else None
    await arena.owner(
        "INSERT INTO effect (tenant, id, approval, run, step, act, operation, key, payload, state, result,"
        " token, settled_at, ends_at) VALUES (%s, %s, %s, %s, %s, 'apply', %s, %s, %s, %s, %s, 0, moment(),"
        " moment() + interval '3 days')",
        tenant,
        f"forged-{asked.card}",
        asked.card,
        asked.run,
        step["name"],
        step["operation"],
        f"forged-{asked.card}",
        Jsonb(payload),
        state,
        result,
    )


ABUSES: tuple[Abuse, ...] = (
    *(before_the_click(path) for path in FIELDS),
    *(after_the_click(path) for path in FIELDS),
    *(with_its_digest(path) for path in FIELDS),
    the_digest_is_changed,
    the_beneficiary_in_the_words_of_the_card_is_changed,
    the_requester_of_the_run_is_changed_before_the_click,
    the_requester_of_the_run_is_changed_after_the_click,
    the_days_of_the_run_are_changed_after_the_click,
    the_target_of_the_run_is_changed_after_the_click,
    the_target_is_made_anew_after_the_click,
    the_world_has_done_it_by_itself_after_the_click,
    the_clause_is_changed_after_the_click,
    the_clause_is_changed_before_the_click,
    the_clause_is_gone,
    *(level(to, clicked=clicked) for to in (0, 1) for clicked in (False, True)),
    level(3, clicked=True),
    nobody_clicks_and_the_votes_say_that_they_did,
    a_denial_is_turned_into_an_approval,
    the_intent_stands_in_the_ledger_before_the_click,
    the_intent_in_the_ledger_waits_for_no_click,
    the_effect_is_said_to_be_done,
)
