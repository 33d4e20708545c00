"""Plans of several steps to draw."""

from typing import Any

from bot.course import Course, State
from graphs.records import (
    Approval,
    ApprovalStatus,
    Doubt,
    Milestone,
    Party,
    PlanStep,
    Run,
    RunStatus,
    Verdict,
)
from tests.unit.bot import records
from tests.unit.bot.records import DAY, NOON

ACME = Party(system="crm", id="C-1042", name="Acme B.V.")


def three() -> tuple[PlanStep, ...]:
    """Return a step that is taken back, one past which all goes forward, and one that ends by itself."""
    return (
        PlanStep(
            name="rma",
            operation="ledger.open_return",
            sends={
                "customer": "C-1042",
                "items": [{"sku": "PX-7", "count": 2}, {"sku": "PX-9", "count": 1}],
                "notes": [],
            },
            before="No return is open for Acme B.V.",
            after="A return of 3 devices is open for Acme B.V.",
        ),
        PlanStep(
            name="refund",
            operation="ledger.refund",
            sends={"return": {"$ref": "rma.number"}, "amount": "129.90", "currency": "EUR"},
            undo="pivot",
            effect="destructive",
            reversible=False,
        ),
        PlanStep(
            name="loan",
            operation="directory.add_to_group",
            sends={"group": "loan-portal", "person": "ada-id"},
            before="Ada Okafor is not a member of loan-portal",
            after="Ada Okafor is a member of loan-portal",
            undo="leave",
            lasts=14 * DAY,
        ),
    )


def planned(**changes: Any) -> Approval:
    """Return an approval of three steps, for a customer."""
    given: dict[str, Any] = {
        "title": "Return and refund",
        "workflow": "returns",
        "steps": three(),
        "then": "done",
        "beneficiary": ACME,
        "lines": (),
    }
    return records.approval(**{**given, **changes})


def without_pivot() -> tuple[PlanStep, ...]:
    """Return three steps, all of which but the second are taken back if a later one fails."""
    first, _, third = three()
    return (
        first,
        PlanStep(
            name="label",
            operation="shipping.make_label",
            sends={"return": {"$ref": "rma.number"}},
            undo="leave",
        ),
        PlanStep(name="loan", operation=third.operation, sends=third.sends, after=third.after),
    )


def stopped(**states: State) -> Course:
    """Return an approved plan that stopped at its third step."""
    known: dict[str, State] = {"rma": "undone", "label": "done", "loan": "failed"}
    approval = planned(
        steps=without_pivot(),
        status=ApprovalStatus.APPROVED,
        votes=records.decided(Verdict.APPROVE).votes,
        decided_at=NOON,
    )
    return Course(approval=approval, states={**known, **states}, stopped=True)


def refused(**changes: Any) -> Run:
    """Return the run of a plan that stopped, as its requester sees it."""
    keys = ("requested", "approved", "undone", "refused")
    given: dict[str, Any] = {
        "title": "Return and refund",
        "workflow": "returns",
        "values": {"customer": "C-1042"},
        "status": RunStatus.REFUSED,
        "reason": "connector_refused",
        "facts": {"system": "directory", "error": "connector.denied", "stands": "done"},
        "milestones": tuple(
            Milestone(key=key, at=NOON, facts={"operation": "ledger.open_return"}) for key in keys
        ),
    }
    return records.run(**{**given, **changes})


def doubtful(**changes: Any) -> Doubt:
    """Return a doubt about the second of three steps."""
    given: dict[str, Any] = {
        "id": "d9Kx2Lw7uZq4Rt6yBn3Mvg",
        "approval": planned(
            status=ApprovalStatus.APPROVED, votes=records.decided(Verdict.APPROVE).votes, decided_at=NOON
        ),
        "act": "apply",
        "step": "refund",
        "sends": {"return": "RMA-7", "amount": "129.90", "currency": "EUR"},
        "key": "k5Jf8Sg1aPo3Ie7uYt9Wqw",
        "intended_at": NOON,
        "opened_at": NOON,
        "undoable": False,
    }
    return Doubt(**{**given, **changes})
