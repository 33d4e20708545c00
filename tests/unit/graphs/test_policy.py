"""The shipped policies, and an engine that refuses whenever it cannot be sure."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import cedarpy
import pytest

from connectors.base import Payload
from connectors.directory import AddToGroup, Person
from connectors.registry import SHIPPED as SHIPPED_OPERATIONS
from connectors.registry import DirectorySettings, connect
from graphs.policy.engine import Attribute, Policy, PolicyInvalid, Resource, Ruling

SHIPPED = Policy.shipped()
DAY = 86_400  # seconds
CONTEXT = {
    "parameters": {"group": "billing-db", "person": "ada"},
    "effect": "write",
    "scope": "groups:write",
    "lasts": 3 * DAY,
    "plan": {"operations": ["directory.add_to_group"], "steps": 1},
    "level": 2,
    "escalated": False,
}
LONG = """
@id("long-access") @says("More than a week needs security.")
forbid (principal, action in Action::"approve", resource)
when { context has lasts && context.lasts > 7 * 86400 }
unless { principal.groups.contains("security") };
"""


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


GRACE = person("grace", "data-owners")


def approval(
    requester: str = "dir#ada", beneficiary: str = "dir#ada", operation: str = "directory.add_to_group"
) -> Resource:
    attributes: dict[str, Attribute] = {
        "workflow": "it_access",
        "operation": operation,
        "requester": [requester],
        "beneficiary": [beneficiary],
        "authors": [],
        "approvers": ["data-owners"],
        "quorum": 1,
        "escalation": [],
        "confirmed": False,
    }
    return "Approval", "card", attributes


def approve(who: Person, policy: Policy = SHIPPED, *, days: int = 3) -> Ruling:
    return policy.rule("approve", who, approval(), {**CONTEXT, "lasts": days * DAY})


# What the policies say is in graphs/policy/cases.yaml, and tests/unit/graphs/test_policy_cases.py runs it.


def test_a_ruling_names_the_policies_that_decided() -> None:
    assert approve(GRACE).policies == ("approvers-decide",)
    assert approve(person("ada", "data-owners", active=False)).policies == (
        "inactive-people-do-nothing",
        "nobody-decides-on-their-own-request",
    )
    assert approve(person("tomas")).policies == ()


def test_a_policy_that_does_not_fit_the_schema_is_not_loaded() -> None:
    misspelt = SHIPPED.text.replace("principal.groups", "principal.gruops")
    with pytest.raises(PolicyInvalid, match="gruops"):
        Policy(schema=SHIPPED.schema, text=misspelt)


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ('@id("approvers-decide")', "", "needs an @id"),
        (
            '@says("Members of the groups that the request names may decide.")',
            "",
            "needs an @id and an @says",
        ),
        ('@id("approvers-decide")', '@id("employees-request")', "two policies"),
        ("(principal, action ==", "(principal == ?principal, action ==", "templates"),
        ("permit (", "permits (", "unexpected|invalid"),
    ],
)
def test_policies_that_people_could_not_tell_apart_are_not_loaded(old: str, new: str, match: str) -> None:
    with pytest.raises(PolicyInvalid, match=match):
        Policy(schema=SHIPPED.schema, text=SHIPPED.text.replace(old, new, 1))


def test_a_schema_that_cannot_be_read_is_not_loaded() -> None:
    with pytest.raises(PolicyInvalid):
        Policy(schema="entity", text=SHIPPED.text)


def test_policies_of_the_installation_are_added_and_can_only_forbid() -> None:
    policy = Policy.shipped(LONG)
    assert approve(GRACE, policy, days=7).allowed
    assert approve(GRACE, policy).allowed
    assert approve(GRACE, policy, days=8).policies == ("long-access",)
    assert approve(person("ben", "data-owners", "security"), policy, days=8).allowed
    assert policy.hash != SHIPPED.hash
    with pytest.raises(PolicyInvalid, match="only forbid"):
        Policy.shipped(LONG.replace("forbid", "permit"))
    with pytest.raises(PolicyInvalid, match="two policies"):
        Policy.shipped(LONG.replace("long-access", "approvers-decide"))


def test_a_policy_that_names_a_group_is_about_the_group_that_the_name_stands_for() -> None:
    policy = Policy.shipped(LONG)
    assert policy.group_names == {"security"}
    policy = replace(policy, groups={"security": "g-17"})
    assert approve(person("ben", "data-owners", "g-17"), policy, days=8).allowed
    assert not approve(person("ben", "data-owners", "security"), policy, days=8).allowed


@pytest.mark.parametrize(
    "condition",
    [
        'principal.groups.contains("interns")',
        'principal.groups.containsAny(["interns"])',
        '["interns"].containsAny(principal.groups)',
        'principal.groups.containsAll(["interns"]) && true',
        'principal.groups == ["interns"]',
        'resource.approvers.contains("interns")',
        'resource.escalation.contains("interns")',
        'context has holder && context.holder.groups.contains("interns")',
    ],
)
def test_groups_are_found_however_a_policy_names_them(condition: str) -> None:
    policy = Policy.shipped(
        '@id("own") @says("Ours.") forbid (principal, action in Action::"approve", resource) when { '
        + condition
        + " };"
    )
    assert policy.group_names == {"interns"}
    named = replace(policy, groups={"interns": "g-17"})
    who = person("ben", "g-17") if "principal" in condition else person("ben", "data-owners")
    attributes = {**approval()[2], "approvers": ["data-owners", "g-17"], "escalation": ["g-17"]}
    context = {
        **CONTEXT,
        "holder": {"identities": ["dir#ines"], "active": True, "groups": ["data-owners", "g-17"]},
    }
    assert named.rule("approve", who, ("Approval", "card", attributes), context).policies == ("own",)


# Whatever goes wrong is a refusal.


@pytest.mark.parametrize("effect", ["forbid", "permit"])
def test_an_error_while_evaluating_is_a_refusal(effect: str) -> None:
    """Cedar by itself skips a `forbid` that fails, and allows."""
    failing = (
        f'@id("overflow") @says("-") {effect} (principal, action in Action::"approve", resource)'
        " when { context.level * 9223372036854775807 > 0 };"
    )
    policy = Policy(schema=SHIPPED.schema, text=f"{SHIPPED.text}\n{failing}")
    ruling = approve(GRACE, policy)
    assert (ruling.allowed, ruling.fault) == (False, "unclear")


MISFITS: list[Mapping[str, Any]] = [{}, {"approvers": 3}, {**approval()[2], "more": "x"}]


@pytest.mark.parametrize("attributes", MISFITS)
def test_a_resource_that_does_not_fit_the_schema_is_refused(attributes: Mapping[str, Any]) -> None:
    ruling = SHIPPED.rule("approve", GRACE, ("Approval", "card", attributes), CONTEXT)
    assert (ruling.allowed, ruling.fault) == (False, "unclear")


@pytest.mark.parametrize(
    "context",
    [
        None,
        {},
        {"level": 2, "escalated": False},
        {**CONTEXT, "level": "2"},
        {**CONTEXT, "parameters": {"unknown": "x"}},
        {**CONTEXT, "parameters": {"group": "billing-db"}},
        {**CONTEXT, "parameters": None},
        {**CONTEXT, "lasts": "3"},
        {**CONTEXT, "lasts": None},
        {**CONTEXT, "lasts": 1.5},
        {**CONTEXT, "lasts": 2**63},
        {**CONTEXT, "plan": {"steps": 1}},
        {**CONTEXT, "terms": {}},
        {**CONTEXT, "requester_active": True},
        {name: value for name, value in CONTEXT.items() if name != "effect"},
        {name: value for name, value in CONTEXT.items() if name != "scope"},
    ],
)
def test_a_context_that_does_not_fit_the_schema_is_refused(context: Any) -> None:
    assert SHIPPED.rule("approve", GRACE, approval(), context).fault == "unclear"


class Panic(BaseException):
    """What a panic of the engine arrives as: no Exception."""


@pytest.mark.parametrize("error", [RuntimeError, ValueError, MemoryError, Panic, ImportError])
def test_an_engine_that_is_missing_or_breaks_refuses(
    monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error("gone")

    monkeypatch.setattr(cedarpy, "is_authorized", broken)
    ruling = approve(GRACE)
    assert (ruling.allowed, ruling.fault, ruling.policies) == (False, "failed", ())
    assert ruling.facts == {"policies": "", "policy": SHIPPED.hash, "fault": "failed"}


def test_an_answer_that_comes_late_is_a_refusal() -> None:
    ticks = itertools.count(step=1.1)
    policy = replace(SHIPPED, timer=lambda: next(ticks))
    ruling = approve(GRACE, policy)
    assert (ruling.allowed, ruling.fault) == (False, "late")


def test_whoever_stops_the_process_is_not_held_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cedarpy, "is_authorized", stopped)
    with pytest.raises(KeyboardInterrupt):
        approve(GRACE)


def test_the_hash_names_these_policies_and_this_schema() -> None:
    other = Policy(schema=SHIPPED.schema, text=f"{SHIPPED.text}\n// a comment\n")
    assert len(SHIPPED.hash) == 64
    assert other.hash != SHIPPED.hash


async def test_the_policies_know_every_parameter_of_every_registered_operation() -> None:
    """An operation that they do not know would be refused."""
    nowhere = DirectorySettings(url="http://127.0.0.1:9", token="none", write_token="none")
    async with connect(directory=nowhere) as (connectors, _):
        operations = [*connectors.registry]
    for operation in operations:
        told = {
            name: 1 if field.annotation is int else "x"
            for name, field in operation.payload.model_fields.items()
        }
        asked = approval(operation=operation.name), {**CONTEXT, "parameters": told}
        assert SHIPPED.rule("approve", GRACE, *asked).allowed, operation.name


# A plan is asked about step by step.


def step(operation: str = "directory.add_to_group", **told: Any) -> tuple[Resource, Mapping[str, Any]]:
    plan = {"operations": ["directory.add_to_group", "directory.remove_from_group"], "steps": 2}
    return approval(operation=operation), {**CONTEXT, "plan": plan, **told}


def test_a_plan_is_allowed_if_every_step_is_and_the_first_refusal_is_the_answer() -> None:
    policy = Policy.shipped(
        """
        @id("removals") @says("Nobody is removed.")
        forbid (principal, action == Action::"approve:directory.remove_from_group", resource);
        @id("long") @says("At most a day.")
        forbid (principal, action in Action::"approve", resource)
        when { context has lasts && context.lasts > 86400 };
        """
    )
    short, long, removal = (
        step(lasts=DAY),
        step(lasts=DAY + 1),
        step("directory.remove_from_group", lasts=DAY),
    )
    assert policy.rule_all("approve", GRACE, [short, short]).policies == ("approvers-decide",)
    assert policy.rule_all("approve", GRACE, [short, short]).allowed
    assert policy.rule_all("approve", GRACE, [short, removal, long]).policies == ("removals",)
    assert policy.rule_all("approve", GRACE, [short, long, removal]).policies == ("long",)
    assert not policy.rule_all("approve", GRACE, [short, removal]).allowed


def test_a_plan_without_steps_is_refused() -> None:
    assert not SHIPPED.rule_all("approve", GRACE, []).allowed


def test_a_step_that_cannot_be_evaluated_refuses_the_plan() -> None:
    ruling = SHIPPED.rule_all("approve", GRACE, [step(), step(level="2"), step()])
    assert (ruling.allowed, ruling.fault) == (False, "unclear")


def test_what_is_told_of_the_plan_is_told_at_each_step() -> None:
    policy = Policy.shipped(
        """
        @id("both") @says("Not both in one plan.")
        forbid (principal, action in [Action::"approve", Action::"execute"], resource)
        when {
          context.plan.steps > 1 &&
          context.plan.operations.containsAll(["directory.add_to_group", "directory.remove_from_group"])
        };
        """
    )
    assert policy.rule("approve", GRACE, *step()).policies == ("both",)
    assert approve(GRACE, policy).allowed


# A parameter is compared as it is sent, whatever its name: it is no group of the directory.


def test_a_parameter_that_is_called_groups_is_not_resolved() -> None:
    class Tagged(Payload):
        groups: tuple[str, ...]

    class Tag(AddToGroup):
        name = "tickets.tag"

    Tag.payload = Tagged
    policy = Policy.shipped(
        """
        @id("own") @says("Ours.") forbid (principal, action == Action::"approve:tickets.tag", resource)
        when { context.parameters.groups.contains("urgent") && !principal.groups.contains("security") };
        """,
        operations=[*SHIPPED_OPERATIONS, Tag],
    )
    assert policy.group_names == {"security"}
    policy = replace(policy, groups={"security": "g-17"})
    for groups, by in ((["urgent"], ("own",)), (["g-17"], ("approvers-decide",))):
        asked = approval(operation="tickets.tag"), {**CONTEXT, "parameters": {"groups": groups}}
        assert policy.rule("approve", GRACE, *asked).policies == by
