"""What docs/policy.md shows can be used as it stands there."""

import re
from pathlib import Path

import pytest

from connectors.directory import AddToGroup
from connectors.registry import SHIPPED
from graphs.policy import cases
from graphs.policy.engine import Policy
from tests.figures.policy import Order

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "policy.md").read_text(encoding="utf-8")


def shown(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


SHOWN, OWN = shown("cedar")


def test_the_policy_that_is_explained_is_one_that_ships() -> None:
    assert SHOWN in Policy.shipped().text


def test_the_policies_of_ones_own_load_and_the_case_about_them_passes() -> None:
    policy = Policy.shipped(OWN)
    assert policy.group_names == {"security"}
    (text,) = shown("yaml")
    (outcome,) = cases.run(policy, cases.read(text))
    assert outcome.passed, outcome.ruling


def case(**changed: object) -> cases.Case:
    (text,) = shown("yaml")
    (known,) = cases.read(text)
    ((kind, attributes),) = known.to.items()
    to = {kind: {**attributes, "operation": changed.pop("operation", attributes["operation"])}}
    context = {**known.context, "lasts": 3600, **changed}
    return known.model_copy(update={"to": to, "context": context, "expected": "forbid"})


@pytest.mark.parametrize(
    ("asked", "by"),
    [
        (
            case(operation="directory.remove_from_group", plan={"operations": [], "steps": 2}),
            "removals-alone",
        ),
        (case(effect="destructive"), "destructive-needs-two"),
        (case(lasts=7 * 86_400 + 1), "long-access"),
    ],
)
def test_each_of_them_forbids_what_it_says(asked: cases.Case, by: str) -> None:
    (outcome,) = cases.run(Policy.shipped(OWN), [asked.model_copy(update={"by": (by,)})])
    assert outcome.passed, outcome.ruling


class Buy(AddToGroup):
    """An operation whose payload holds what the document speaks of."""

    name = "shop.buy"


Buy.payload = Order


@pytest.mark.parametrize(
    "condition", re.findall(r"`(context\.parameters\.\w[^`]*(?:>|greaterThan)[^`]*)`", TEXT)
)
def test_the_conditions_in_the_table_of_types_load(condition: str) -> None:
    own = '@id("own") @says("Ours.") forbid (principal, action == Action::"approve:shop.buy", resource)'
    policy = Policy.shipped(f"{own} when {{ {condition} }};", operations=[*SHIPPED, Buy])
    assert policy.rules[-1].id == "own"


def test_everything_that_the_policies_are_told_of_a_step_is_in_the_table() -> None:
    """And nothing else."""
    named = re.findall(r"^\| `(\w+)` \| [^|]*\|$", TEXT.partition("| `context.` | |")[2], re.MULTILINE)
    told = set(
        re.findall(r'^    "(\w+)"', Policy.shipped().schema.partition('action "execute:')[2], re.MULTILINE)
    )
    assert set(named) == told
