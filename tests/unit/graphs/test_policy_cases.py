"""The cases that ship with the policies: they pass, and no policy could be changed without one failing."""

import pytest

from graphs.policy import cases
from graphs.policy.cases import CasesInvalid
from graphs.policy.engine import Policy

SHIPPED = Policy.shipped()
ONE = """
cases:
  - case: The bot ends what was granted
    who: bot
    does: revert
    to:
      Approval:
        {workflow: w, operation: o, requester: [a], beneficiary: [a], authors: [], approvers: [g], quorum: 1,
         escalation: [], confirmed: false}
    expected: allow
    by: [declared-reversals-run]
"""


@pytest.mark.parametrize("outcome", cases.run(SHIPPED, cases.shipped()), ids=lambda one: one.case.name)
def test_the_shipped_policies_say_what_their_cases_expect(outcome: cases.Outcome) -> None:
    assert outcome.passed, outcome.ruling


def test_every_policy_decides_a_case_and_nearly_every_refusal_has_a_name() -> None:
    decided = {name for case in cases.shipped() for name in case.by}
    assert decided == {rule.id for rule in SHIPPED.rules}


def test_a_case_fails_for_another_answer_and_for_another_reason() -> None:
    (case,) = cases.read(ONE)
    assert cases.run(SHIPPED, [case])[0].passed
    for changed in ({"expected": "forbid"}, {"by": ()}, {"by": ("approvers-decide",)}):
        assert not cases.run(SHIPPED, [case.model_copy(update=changed)])[0].passed


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cases: [", "not YAML"),
        ("", "the file: "),
        ("cases: []", "cases: "),
        (ONE.replace("who: bot", "who: everybody"), "cases.0.who"),
        (ONE.replace("revert", "destroy"), "cases.0.does"),
        (ONE.replace("by:", "because:"), "cases.0"),
        (ONE.replace("Approval", "Planet"), "cases.0.to"),
    ],
)
def test_a_file_that_is_no_file_of_cases_says_where(text: str, says: str) -> None:
    with pytest.raises(CasesInvalid, match=says):
        cases.read(text)
