"""An approval is bound to everything that it covers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Change
from connectors.directory import Membership
from graphs.approvals import Proposal
from graphs.digests import differences, digest
from graphs.records import Actor, Clause, Run, RunStatus

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
ADA = Actor(subject="dir#ada", name="Ada", email="ada@larkfield.example")
BEN = Actor(subject="dir#ben", name="Ben", email="ben@larkfield.example")
CLAUSE = Clause(
    document="it.md", anchor="a", title="IT", section="A", text="t", hash="ab" * 32, url=None, edition="e"
)
RUN = Run(
    id="r",
    workflow="it_access",
    title="Access",
    status=RunStatus.CHECKING,
    requester=ADA,
    authors=(BEN,),
    origin={},
    values={},
    missing=(),
    problems={},
    steps=(),
    reason=None,
    facts={},
    due_at=None,
    created_at=NOW,
)
PROPOSAL = Proposal(
    operation="directory.add_to_group",
    payload=Membership(group="billing-db", person="ada"),
    terms={"days": 3},
    change=Change(
        target="Ada in billing-db", before="no", after="yes", needed=True, basis=(("member", "no"),)
    ),
    clause=CLAUSE,
    beneficiary=ADA,
    approvers={"data-owners": "group-1", "security": "group-2"},
    quorum=2,
    lines=(),
    reason="",
    decide_within=timedelta(hours=24),
    execute_within=timedelta(minutes=15),
    escalate_after=timedelta(hours=18),
    escalation={"it-leads": "group-3"},
)


def action() -> dict[str, Any]:
    return PROPOSAL.action(RUN, version=1, level=2, decide_by=NOW)


def altered(value: Any) -> Any:
    if isinstance(value, list):
        return [*value, "x"]
    return value + 1 if isinstance(value, int) else value + "x"


def leaves(value: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for key, inner in value.items():
        found += leaves(inner, (*path, key)) if isinstance(inner, dict) else [(*path, key)]
    return found


def test_an_approval_covers_every_part_of_the_promise() -> None:
    assert set(action()) == {
        "workflow", "version", "operation", "parameters", "terms", "target", "requester", "beneficiary",
        "authors", "approvers", "quorum", "escalation", "clause", "level", "preconditions", "decide_by",
        "execute_within",
    }  # fmt: skip


@pytest.mark.parametrize("path", leaves(action()), ids=".".join)
def test_any_change_changes_the_digest_and_is_named(path: tuple[str, ...]) -> None:
    changed = action()
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = altered(place[path[-1]])
    assert digest("main", changed) != digest("main", action())
    assert [one.name for one in differences(action(), changed)] == [".".join(path)]


def test_another_tenant_has_another_digest() -> None:
    assert digest("main", action()) != digest("other", action())


def test_the_order_of_keys_does_not_matter() -> None:
    assert digest("main", dict(reversed(action().items()))) == digest("main", action())


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3))
def test_parameters_cannot_imitate_each_other(parameters: dict[str, str]) -> None:
    """Moving a value from one parameter to another never gives the same digest."""
    one, other = action(), action()
    one["parameters"], other["parameters"] = (
        parameters,
        {f"{key}x": value for key, value in parameters.items()},
    )
    assert (digest("main", one) == digest("main", other)) is (not parameters)
