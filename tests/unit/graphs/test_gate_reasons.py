"""Whoever goes on after a crash says of a failed effect what was said of it before."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from graphs.admission import Changed, Refused
from graphs.effects import Effect
from graphs.gate import _failed_before, _why
from graphs.records import Void

EFFECT = Effect(
    id="e",
    approval="a",
    run="r",
    act="apply",
    operation="directory.add_to_group",
    key="k",
    payload={},
    state="failed",
    found=False,
    result=None,
    intended_at=datetime(2026, 3, 2, tzinfo=UTC),
    settled_at=None,
    ends_at=None,
    resolved=None,
    step="grant",
)


@pytest.mark.parametrize(
    "why",
    [
        Refused("connector_refused", system="directory", error="connector.not_found"),
        Refused("window_passed"),
        Refused("person_inactive", gone="yes"),
        Changed(why=Void(key="voter_lost", facts={"by": "Grace"})),
    ],
    ids=str,
)
def test_the_reason_of_a_failed_effect_is_that_of_its_record(why: Refused | Changed) -> None:
    kept = replace(EFFECT, result=json.loads(json.dumps(_why(why))))
    again = _failed_before(kept)
    assert type(again) is type(why)
    if isinstance(why, Refused) and isinstance(again, Refused):
        assert (again.key, again.facts) == (why.key, why.facts)
    if isinstance(why, Changed) and isinstance(again, Changed):
        assert again.why == why.why


def test_an_effect_that_an_earlier_release_recorded_names_its_system() -> None:
    again = _failed_before(replace(EFFECT, result={"error": "the directory has no such record"}))
    assert isinstance(again, Refused)
    assert (again.key, again.facts) == ("connector_refused", {"system": "directory"})
