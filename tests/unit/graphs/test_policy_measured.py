"""The policies beside an independent oracle and their mutants; `make figures ARGS=policy` does more."""

import pytest

from graphs.policy.engine import Policy
from tests import mutants
from tests.figures import policy as figures

SHIPPED = Policy.shipped()


def test_an_independent_oracle_agrees_and_every_rule_has_its_say() -> None:
    found = figures.agreement(SHIPPED, count=4_000)
    assert found.wrong == ()
    rules = {*(rule.id for rule in SHIPPED.rules), "no permit", "unclear"}
    assert all(found.decided[name] >= 20 for name in rules), found.decided


@pytest.mark.parametrize("part", [slice(0, None, 2), slice(1, None, 2)], ids=["one half", "the other"])
def test_no_policy_and_no_clause_can_be_removed_or_turned_round_unnoticed(part: slice) -> None:
    hunted = figures.hunt(SHIPPED, part=part)
    assert hunted.killed > 100
    assert set(hunted.survived) == {one.what for one in [*mutants.of(SHIPPED.text)][part]} & set(
        figures.EQUIVALENT
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("context.level < 2", "context.level < 1"),
        (" ||\n  principal.identities.containsAny(resource.beneficiary)", ""),
        ("containsAny(resource.authors)", "containsAny(resource.requester)"),
        ("unless { context.requester_active }", "when { context.requester_active }"),
        ("principal.groups.containsAny(resource.approvers)", "principal.groups.contains(resource.operation)"),
    ],
)
def test_the_oracle_notices_a_planted_mistake(old: str, new: str) -> None:
    planted = Policy(schema=SHIPPED.schema, text=SHIPPED.text.replace(old, new, 1))
    assert planted.text != SHIPPED.text
    assert figures.agreement(planted, count=2_000).wrong


def test_an_engine_that_cannot_be_trusted_allows_nothing() -> None:
    assert figures.trusted_though_broken(SHIPPED, count=100) == (200, 0)
