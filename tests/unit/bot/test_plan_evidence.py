"""What is read of a plan outside Slack: the evidence pack, the SIEM's events, and the command line."""

import json
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bot.audit import ocsf, pack
from bot.blocks.parts import Message
from bot.commands import audit, policy, steps
from graphs import cards
from graphs.audit import Event
from graphs.policy.engine import Policy
from graphs.records import Approval
from tests.unit.bot import plans, records
from tests.unit.bot.slack_schemas import check_message, sayings


def event(kind: str, facts: Mapping[str, Any], detail: Mapping[str, Any] | None, **changes: Any) -> Event:
    given: dict[str, Any] = {
        "seq": 7,
        "at": records.NOON,
        "run": "r7",
        "trace": "r7",
        "actor": None,
        "approvers": (),
        "policies": (),
        "policy": None,
        "level": 2,
        "outcome": kind.rpartition(".")[2],
        "parameters": None,
        "versions": {},
        "erased": False,
        "hash": "ab" * 32,
    }
    return Event(kind=kind, facts=facts, detail=detail, **{**given, **changes})


def asked(approval: Approval) -> Event:
    """Return the event of an approval that was asked for, as this release writes it."""
    shown = cards.plain(approval)
    clause = shown.pop("clause")
    return event("approval.requested", {"approval": approval.id}, {"card": shown, "clause": clause})


def asked_before(**changes: Any) -> Event:
    """Return the same as it was written before there were plans."""
    found = asked(records.approval())
    assert found.detail is not None
    shown = {
        **found.detail["card"],
        "operation": "directory.add_to_group",
        "sends": {"group": "billing-db", "person": "ada-id"},
        "terms": {"days": 3},
        "before": "Ada Okafor is not a member of billing-db",
        "after": "Ada Okafor is a member of billing-db",
        **changes,
    }
    for name in ("steps", "then"):
        shown.pop(name)
    return event("approval.requested", found.facts, {**found.detail, "card": shown})


def drawn(*events: Event) -> list[Message]:
    return [Message(text=found["text"], blocks=tuple(found["blocks"])) for _, found in pack._cards(events)]


def test_the_pack_draws_the_cards_of_earlier_releases_as_those_of_this_one(shared_data: Path) -> None:
    before, now, several = drawn(asked_before(), asked(records.approval()), asked(plans.planned()))
    assert before == now
    for message in (before, several):
        check_message(shared_data, message)
    assert "Ends by itself 3 days after it is done." in sayings(before)
    assert "*Step 2 of 3: ledger.refund*" in sayings(several)
    assert "Acme B.V. (crm C-1042)" in sayings(several)


def test_a_card_of_which_parts_were_erased_is_left_out_of_the_pack() -> None:
    found = asked_before()
    assert found.detail is not None
    for name in ("sends", "before", "requester"):
        card = {key: value for key, value in found.detail["card"].items() if key != name}
        assert drawn(event("approval.requested", found.facts, {**found.detail, "card": card})) == []


@pytest.mark.parametrize(
    ("connector", "operation", "service"),
    [
        (
            "directory.add_to_group, ledger.refund 1.4.0",
            "directory.add_to_group, ledger.refund",
            "directory, ledger",
        ),
        ("ledger.open_return, ledger.refund 1.4.0", "ledger.open_return, ledger.refund", "ledger"),
        ("directory.add_to_group 1.4.0", "directory.add_to_group", "directory"),
    ],
)
def test_a_siem_reads_every_operation_of_a_plan(connector: str, operation: str, service: str) -> None:
    body = {
        "kind": "effect.done",
        "seq": 3,
        "at": records.NOON.isoformat(),
        "outcome": "done",
        "facts": {"step": "refund", "act": "apply"},
        "versions": {"connector": connector},
    }
    found = ocsf.activity(body, digest="ab", tenant="larkfield")
    assert found["api"] == {"operation": operation, "service": {"name": service}, "version": "1.4.0"}
    assert found["unmapped"]["operations"] == operation.split(", ")
    assert found["unmapped"]["facts"]["step"] == "refund"


def printed(*events: Event) -> str:
    written = StringIO()
    audit.write(Console(file=written, width=200, highlight=False), events)
    return written.getvalue()


def test_the_story_of_a_plan_lists_its_steps_and_says_which_one_an_effect_is_of() -> None:
    found = asked(plans.planned())
    facts = {"approval": plans.planned().id, "step": "refund", "act": "apply"}
    done = event("effect.done", facts, {"payload": {"items": [{"sku": "PX-7\n3. evil"}]}})
    said = printed(found, done)
    assert "step  1. ledger.open_return: A return of 3 devices is open for Acme B.V." in said
    assert "step  2. ledger.refund (destructive; cannot be undone; no way back from here)" in said
    assert "ends by itself after 14 days" in said
    assert "step  2 of 3 (refund)" in said
    assert r"items[1].sku PX-7\n3. evil" in said


def test_the_story_of_one_step_names_no_step() -> None:
    facts = {"approval": records.approval().id, "step": "grant", "act": "apply"}
    for found in (asked(records.approval()), asked_before()):
        said = printed(found, event("effect.done", facts, {}))
        assert "does  directory.add_to_group: Ada Okafor is a member of billing-db" in said
        assert "step" not in said


def test_json_has_the_steps_in_todays_form_whichever_release_wrote_them() -> None:
    (before,) = audit._plain(asked_before())["steps"]
    (now,) = audit._plain(asked(records.approval()))["steps"]
    assert before == now
    several = json.loads(json.dumps(audit._plain(asked(plans.planned()))))["steps"]
    assert [one["number"] for one in several] == [1, 2, 3]
    assert several[1]["sends"]["return"] == {"$ref": "rma.number"}
    assert "steps" not in audit._plain(event("run.started", {}, {}))


def test_a_line_for_a_terminal_is_one_line_with_what_cannot_be_seen_written_out() -> None:
    for line in steps.listed([records.step(after="a\n2. b\x1b[2J"), records.step()]):
        assert "\n" not in line
        assert "\x1b" not in line


def test_explain_lists_the_steps_on_which_somebody_could_decide(capsys: pytest.CaptureFixture[str]) -> None:
    rules = Policy.shipped()
    found = policy._Explained(approval=plans.planned(), people=())
    assert [one["operation"] for one in found.plain(rules)["steps"]] == [
        "ledger.open_return",
        "ledger.refund",
        "directory.add_to_group",
    ]
    policy._print(found, rules)
    said = capsys.readouterr().out
    assert said.startswith("Return and refund: 3 steps, in this order\n  1. ledger.open_return: ")
    policy._print(policy._Explained(approval=records.approval(), people=()), rules)
    assert capsys.readouterr().out.startswith("Access to data: Ada Okafor is a member of billing-db\n")
