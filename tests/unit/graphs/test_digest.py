"""An approval is bound to everything that it covers."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Change
from connectors.directory import Membership
from graphs.digests import differences, digest
from graphs.plans import Deadlines, Proposal, Proposed, Step, Undo
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
    milestones=(),
    reason=None,
    facts={},
    due_at=None,
    created_at=NOW,
)


def proposed(name: str, undo: Undo = "undo", lasts: timedelta | None = None) -> Proposed:
    return Proposed(
        step=Step(
            name=name,
            operation="directory.add_to_group",
            payload=Membership(group="billing-db", person="ada"),
            undo=undo,
            lasts=lasts,
        ),
        change=Change(
            target="Ada in billing-db", before="no", after="yes", needed=True, basis=(("member", "no"),)
        ),
        effect="write",
        scope="groups:write",
        reversible=True,
    )


PROPOSAL = Proposal(
    steps=(proposed("open"), proposed("grant", "pivot", timedelta(days=3))),
    clause=CLAUSE,
    beneficiary=ADA,
    approvers={"data-owners": "group-1", "security": "group-2"},
    quorum=2,
    lines=(),
    reason="",
    deadlines=Deadlines(),
    then="granted",
    escalation={"it-leads": "group-3"},
)


def action() -> dict[str, Any]:
    return PROPOSAL.action(RUN, version=1, level=2, decide_by=NOW)


def altered(value: Any) -> Any:
    if isinstance(value, list):
        return [*value, "x"]
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else value + "x"


Path = tuple[str | int, ...]


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every value that a digest covers, by where it stands."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for place, inner in enumerate(value):
            yield from leaves(inner, (*path, place))
    else:
        yield path


def place_of(value: Any, path: Path) -> Any:
    for key in path[:-1]:
        value = value[key]
    return value


def test_an_approval_covers_every_part_of_the_promise() -> None:
    assert set(action()) == {
        "format", "workflow", "version", "steps", "then", "requester", "beneficiary", "authors", "approvers",
        "quorum", "escalation", "clause", "level", "decide_by", "execute_within",
    }  # fmt: skip
    assert set(action()["steps"][1]) == {
        "name", "operation", "parameters", "undo", "effect", "scope", "reversible", "target", "preconditions",
        "lasts",
    }  # fmt: skip


@pytest.mark.parametrize("path", list(leaves(action())), ids=lambda path: ".".join(map(str, path)))
def test_any_change_changes_the_digest_and_is_named(path: Path) -> None:
    changed = action()
    place = place_of(changed, path)
    place[path[-1]] = altered(place[path[-1]])
    assert digest("main", changed) != digest("main", action())
    named = [one.name for one in differences(action(), changed)]
    assert named
    if path[-1] != "name":  # a step or a group of another name is another one, part by part
        assert [one.rpartition(".")[2] for one in named] == [path[-1]]


def test_steps_in_another_order_are_another_plan() -> None:
    changed = action()
    changed["steps"].reverse()
    assert digest("main", changed) != digest("main", action())
    assert [one.name for one in differences(action(), changed)] == ["steps.(order)"]


@pytest.mark.parametrize("change", [list.pop, lambda steps: steps.append({**steps[0], "name": "more"})])
def test_a_step_more_or_less_is_another_plan(change: Callable[[list[Any]], object]) -> None:
    changed = action()
    change(changed["steps"])
    assert digest("main", changed) != digest("main", action())
    assert differences(action(), changed)


def test_another_tenant_has_another_digest() -> None:
    assert digest("main", action()) != digest("other", action())


def test_the_order_of_keys_does_not_matter() -> None:
    assert digest("main", dict(reversed(action().items()))) == digest("main", action())


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3))
def test_parameters_cannot_imitate_each_other(parameters: dict[str, str]) -> None:
    """Moving a value from one parameter to another never gives the same digest."""
    one, other = action(), action()
    one["steps"][0]["parameters"], other["steps"][0]["parameters"] = (
        parameters,
        {f"{key}x": value for key, value in parameters.items()},
    )
    assert (digest("main", one) == digest("main", other)) is (not parameters)


def sent(**parameters: Any) -> dict[str, Any]:
    return {"steps": [{"name": "order", "parameters": parameters}]}


def test_what_differs_in_a_list_of_records_is_named_by_its_place() -> None:
    items = [{"name": "probe", "quantity": 2}, {"name": "probe", "quantity": 3}]
    fewer = [items[0], {**items[1], "quantity": 2}]
    (one,) = differences(sent(items=items), sent(items=fewer))
    assert (one.name, one.before, one.after) == ("steps.order.parameters.items[2].quantity", "3", "2")
    named = [one.name for one in differences(sent(items=items), sent(items=items[:1]))]
    assert named == [f"steps.order.parameters.items{part}" for part in (".count", "[2].name", "[2].quantity")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"tags": ["a, b"]}, {"tags": ["a", "b"]}),
        ({"tags": []}, {}),
        ({"tags": ["a", "b"]}, {"tags": ["b", "a"]}),
        ({"tags": [["a"], []]}, {"tags": [[], ["a"]]}),
        ({"to": {"zip": "1"}}, {"to": {"zip": "2"}}),
        ({"to": None}, {"to": "x"}),
        ({"follows": {"$ref": "a.b"}}, {"follows": {"$ref": "a.c"}}),
    ],
)
def test_parameters_that_differ_are_never_said_to_be_alike(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert differences(sent(**before), sent(**after))
