"""The shipped policies, and an engine that refuses whenever it cannot be sure."""

import pytest

from connectors.directory import Person
from graphs.policy.engine import Policy, PolicyInvalid

SHIPPED = Policy.shipped()


def person(name: str, *groups: str, active: bool = True) -> Person:
    return Person(
        id=name,
        issuer="dir",
        user_name=name,
        name=name.title(),
        email=f"{name}@larkfield.example",
        title="",
        active=active,
        manager=None,
        groups=frozenset(groups),
    )


def approval(requester: str = "dir#ada", beneficiary: str = "dir#ada") -> tuple[str, str, dict[str, str]]:
    attributes = {
        "workflow": "it_access",
        "operation": "directory.add_to_group",
        "requester": requester,
        "beneficiary": beneficiary,
        "approvers": "data-owners",
    }
    return "Approval", "card", attributes


@pytest.mark.parametrize(
    ("who", "allowed"),
    [
        (person("grace", "data-owners"), True),
        (person("grace", "data-owners", active=False), False),
        (person("grace"), False),
        (person("grace", "Data-Owners"), False),
        (person("ada", "data-owners"), False),
    ],
)
def test_active_members_of_the_group_decide_and_nobody_on_their_own_request(
    who: Person, allowed: bool
) -> None:
    assert SHIPPED.rule("approve", who, approval()).allowed is allowed


def test_the_beneficiary_does_not_decide_either() -> None:
    ruling = SHIPPED.rule("approve", person("grace", "data-owners"), approval(beneficiary="dir#grace"))
    assert (ruling.allowed, ruling.policies) == (False, ("nobody-decides-on-their-own-request",))


@pytest.mark.parametrize(
    ("level", "requester_active", "who", "allowed"),
    [
        (2, True, person("grace", "data-owners"), True),
        (4, True, person("grace", "data-owners"), True),
        (1, True, person("grace", "data-owners"), False),
        (2, False, person("grace", "data-owners"), False),
        (2, True, person("grace"), False),
        (2, True, person("grace", "data-owners", active=False), False),
        (2, True, person("ada", "data-owners"), False),
    ],
)
def test_an_approved_action_runs_while_everything_about_it_still_holds(
    level: int, requester_active: bool, who: Person, allowed: bool
) -> None:
    context = {"level": level, "requester_active": requester_active}
    assert SHIPPED.rule("execute", who, approval(), context).allowed is allowed


def test_only_the_bot_itself_carries_out_a_declared_reversal() -> None:
    assert SHIPPED.rule("revert", None, approval()).allowed
    assert not SHIPPED.rule("revert", person("grace", "data-owners"), approval()).allowed
    assert not SHIPPED.rule("approve", None, approval()).allowed


def test_only_active_people_request() -> None:
    workflow = ("Workflow", "it_access", {"name": "it_access"})
    assert SHIPPED.rule("request", person("ada"), workflow).allowed
    assert not SHIPPED.rule("request", person("jun", active=False), workflow).allowed


def test_a_policy_that_does_not_fit_the_schema_is_not_loaded() -> None:
    misspelt = SHIPPED.text.replace("principal.groups", "principal.gruops")
    with pytest.raises(PolicyInvalid, match="gruops"):
        Policy(schema=SHIPPED.schema, text=misspelt)


def test_an_error_while_evaluating_is_a_refusal() -> None:
    """Cedar by itself skips a `forbid` that fails, and allows."""
    failing = (
        '@id("overflow") forbid (principal, action == Action::"execute", resource)'
        " when { context.level * 9223372036854775807 > 0 };"
    )
    policy = Policy(schema=SHIPPED.schema, text=f"{SHIPPED.text}\n{failing}")
    context = {"level": 2, "requester_active": True}
    assert not policy.rule("execute", person("grace", "data-owners"), approval(), context).allowed


@pytest.mark.parametrize("attributes", [{}, {"approvers": 3}, {**approval()[2], "more": "x"}])
def test_a_resource_that_does_not_fit_the_schema_is_refused(attributes: dict[str, str]) -> None:
    ruling = SHIPPED.rule("approve", person("grace", "data-owners"), ("Approval", "card", attributes))
    assert not ruling.allowed


def test_the_hash_names_these_policies_and_this_schema() -> None:
    other = Policy(schema=SHIPPED.schema, text=f"{SHIPPED.text}\n// a comment\n")
    assert len(SHIPPED.hash) == 64
    assert other.hash != SHIPPED.hash
