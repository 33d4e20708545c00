"""Policies that Cedar takes and that would never apply: a misspelt attribute, a group taken for an action."""

from collections.abc import Iterator, Mapping

import cedarpy
import pytest

from connectors.base import Payload
from connectors.directory import AddToGroup
from connectors.registry import SHIPPED
from graphs.policy import names
from graphs.policy.engine import Policy, PolicyInvalid

APPROVE = 'action in Action::"approve"'
BOTH = 'action in [Action::"approve", Action::"execute"]'


class Address(Payload):
    street: str
    zip: str | None = None


class Order(Payload):
    lines: tuple[str, ...]
    amount: int | None = None
    to: Address
    lines_counted: bool = False


class Buy(AddToGroup):
    """Another operation, whose parameters the shipped ones do not have."""

    name = "shop.buy"


Buy.payload = Order


def load(
    condition: str, action: str = APPROVE, principal: str = "principal", resource: str = "resource"
) -> Policy:
    return Policy.shipped(
        f'@id("own") @says("Ours.") forbid ({principal}, {action}, {resource}) when {{ {condition} }};',
        operations=[*SHIPPED, Buy],
    )


@pytest.mark.parametrize("action", [APPROVE, BOTH, 'action == Action::"execute:shop.buy"'])
@pytest.mark.parametrize(
    "path",
    [
        "context.parameters.amuont",
        "context.parameters.to.zpi",
        "context.parameters.lines_cuont",
        "context.parameters.amount_count",
        "context.parameters.days",
        "context.last",
        "context.terms",
        "context.plan.step",
        "principal.gruops",
        "resource.quorun",
        "resource.reviewers",
    ],
)
def test_a_misspelt_attribute_after_has_is_not_loaded(path: str, action: str) -> None:
    """Cedar itself takes each of these for a condition that never holds."""
    above, _, name = path.rpartition(".")
    for condition in (
        f"{above} has {name} && {path} == 7",
        f'{above} has "{name}"',
        f"!({above} has {name})",
        f"true || (if {above} has {name} then {path} > 3 else false)",
        f"[1, 2].contains(if {above} has {name} then 1 else 2)",
        f'{{"has": {above} has {name}}}["has"]',
    ):
        with pytest.raises(PolicyInvalid) as refused:
            load(condition, action)
        assert str(refused.value) == (
            f"the policy own asks for {path}, which no action in its scope has; is it misspelt?"
        )


def test_a_misspelt_attribute_in_the_middle_of_a_path_is_not_loaded() -> None:
    for path in (
        "context has paramters.amount",
        "context.parameters has too.zip",
        "context has parameters.to.zpi",
    ):
        with pytest.raises(PolicyInvalid, match="is it misspelt"):
            load(path)
    right = load('context has parameters.to.zip && context.parameters.to.zip == "x"')
    assert right.rules[-1].id == "own"


@pytest.mark.parametrize(
    ("condition", "action"),
    [
        ("context has parameters.amount", APPROVE),
        ("context.parameters has person", APPROVE),
        ("context.parameters has lines_count", BOTH),
        ("context.parameters.to has zip", 'action == Action::"approve:shop.buy"'),
        ("context.parameters has to && context.parameters.to has zip", APPROVE),
        ("context has requester_active && !context.requester_active", BOTH),
        ("context has holder && context.holder has groups", BOTH),
        ("context.plan has steps && context.plan has operations", APPROVE),
        ("context has lasts", 'action in [Action::"request", Action::"approve"]'),
        ("context.parameters has minutes", 'action in [Action::"request", Action::"approve"]'),
        ("context.parameters has amount", 'action in [Action::"request", Action::"execute:shop.buy"]'),
        ("context has parameters.minutes", "action"),
        ("context has parameters.amount", "action"),
        ("context has requester_active", "action"),
        ("resource has reviewers", "action"),
        ("principal has groups", "action"),
        ("resource is Review && resource has took_part", "action"),
    ],
)
def test_an_attribute_that_one_of_the_actions_has_may_be_asked_after(condition: str, action: str) -> None:
    assert load(condition, action).rules[-1].id == "own"


@pytest.mark.parametrize(
    ("condition", "action", "principal", "resource"),
    [
        ("context has parameters.colour", "action", "principal", "resource"),
        ("resource has colour", "action", "principal", "resource"),
        (
            "context.parameters has amount",
            'action == Action::"approve:directory.add_to_group"',
            "principal",
            "resource",
        ),
        ("context has requester_active", APPROVE, "principal", "resource"),
        ("context has parameters", 'action == Action::"read"', "principal", "resource"),
        ("context has level", 'action in [Action::"read", Action::"review"]', "principal", "resource"),
        ("context.parameters has person", 'action == Action::"request"', "principal", "resource"),
        ("principal has groups", "action", "principal is Service", "resource"),
        ("resource has reviewers", "action", "principal", "resource is Approval"),
        ("resource has reviewers", "action", "principal", 'resource == Approval::"x"'),
        ("action has name", "action", "principal", "resource"),
    ],
)
def test_an_attribute_that_only_others_have_is_not_loaded(
    condition: str, action: str, principal: str, resource: str
) -> None:
    with pytest.raises(PolicyInvalid, match="which no action in its scope has; is it misspelt"):
        load(condition, action, principal, resource)


@pytest.mark.parametrize("group", ["approve", "execute"])
def test_a_group_of_actions_is_no_action(group: str) -> None:
    says = (
        f'the policy own compares the action with Action::"{group}", which is a group: '
        f'each operation has an action of its own; write `action in Action::"{group}"`'
    )
    with pytest.raises(PolicyInvalid) as refused:
        load("true", f'action == Action::"{group}"')
    assert str(refused.value) == says
    for condition in (
        f'action == Action::"{group}"',
        f'action != Action::"{group}"',
        f'Action::"{group}" == action',
        f'[Action::"{group}", Action::"read"].contains(action)',
        f'!(action == Action::"{group}") && action in Action::"{group}"',
        f'Action::"{group}" in action',
        f'[1].contains(if action == Action::"{group}" then 1 else 2)',
        f'{{"in": action == Action::"{group}"}}["in"]',
    ):
        with pytest.raises(PolicyInvalid) as refused:
            load(condition, "action")
        assert str(refused.value) == says, condition


@pytest.mark.parametrize(
    "condition",
    [
        'action in Action::"approve"',
        'action in [Action::"approve", Action::"execute"]',
        'action is Action in Action::"approve"',
        'action == Action::"approve:shop.buy" || action == Action::"read"',
    ],
)
def test_a_condition_may_ask_whether_an_action_is_in_a_group(condition: str) -> None:
    assert load(condition, "action").rules[-1].id == "own"


@pytest.mark.parametrize("action", ['action == Action::"approve:shop.by"', 'action in [Action::"aprove"]'])
def test_an_action_that_there_is_not_is_not_loaded(action: str) -> None:
    with pytest.raises(PolicyInvalid, match="the policy own: unrecognized action"):
        load("true", action)


def test_what_does_not_fit_the_schema_names_its_policy() -> None:
    with pytest.raises(PolicyInvalid, match=r"the policy own: attribute `parameters\.amuont` in context"):
        load("context.parameters.amuont == 7")


def test_annotations_and_names_that_look_like_operators_are_neither() -> None:
    policy = Policy.shipped(
        """
        @id("own") @says("Ours.") @contains("x") @has("y") @in("z")
        forbid (principal, action in Action::"approve", resource)
        when { {"has": 1, "in": 2, "contains": "interns"}["contains"] == "interns" };
        """
    )
    assert policy.group_names == frozenset()


# Cedar and the names that are read from its schema agree.


def _paths(tree: names.Tree, above: str) -> Iterator[str]:
    for name, below in tree.items():
        yield f"{above}.{name}"
        yield from _paths(below, f"{above}.{name}")


def _has(path: str) -> str:
    """Return a condition that holds if there is this path, and that does not load if there cannot be."""
    variable, *rest = path.split(".")
    steps = [".".join((variable, *rest[:length])) for length in range(len(rest) + 1)]
    asked = [f"{above} has {name}" for above, name in zip(steps, rest, strict=False)]
    return " && ".join([*asked, f"{path} == {path}"])


def test_cedar_knows_every_name_that_is_read_from_the_schema() -> None:
    policy = Policy.shipped(operations=[*SHIPPED, Buy])
    schema = cedarpy.Schema.from_str(policy.schema)
    known = names.read(str(schema))
    kinds: Mapping[str, names.Tree] = known.entities
    assert len(known.questions) == 5 + 3 * 3
    assert kinds.keys() == {"Approval", "Person", "Review", "Run", "Service", "Workflow"}
    for action, question in known.questions.items():
        paths = [
            *_paths(question.context, "context"),
            *(path for kind in question.principals for path in _paths(kinds[kind], "principal")),
            *(path for kind in question.resources for path in _paths(kinds[kind], "resource")),
        ]
        for path in paths:
            text = f'forbid (principal, action == Action::"{action}", resource) when {{ {_has(path)} }};'
            found = cedarpy.validate_policies(text, schema)
            assert found.validation_passed, (path, found.errors)
    deepest = known.questions["execute:shop.buy"].context
    assert {"context.parameters.to.zip", "context.holder.groups", "context.plan.steps"} <= {
        *_paths(deepest, "context")
    }
