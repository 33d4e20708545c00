"""What an earlier step of a plan leaves behind, as the policies see it."""

from typing import Any

import pytest

from tests.unit.graphs.test_policy_types import NOTE, REF, approve, execute, loaded, payload, plain


def test_a_reference_is_not_there_at_the_decision_and_never_at_the_execution() -> None:
    policy = loaded(payload(note=NOTE), "context.parameters has note", 'context.parameters.note == "x"')
    assert approve(policy, {"note": REF}).allowed
    assert approve(policy, {"note": "x"}).policies == ("own",)
    assert execute(policy, {"note": "x"}).policies == ("own",)
    assert execute(policy, {"note": REF}).fault == "unclear"


@pytest.mark.parametrize(
    ("annotation", "sent", "known"),
    [
        (NOTE | None, REF, "x"),
        (tuple[NOTE, ...], ["x", REF], ["x", "y"]),
        (tuple[tuple[NOTE, ...], ...], [["x"], [REF]], [["x"], ["y"]]),
        (payload(note=NOTE), {"note": REF}, {"note": "x"}),
        (payload(notes=list[NOTE]), {"notes": [REF]}, {"notes": ["x"]}),
        (tuple[payload(note=NOTE), ...], [{"note": REF}], [{"note": "x"}]),  # type: ignore[misc]  # made at run time
    ],
)
def test_a_reference_may_stand_wherever_it_is_declared(annotation: Any, sent: Any, known: Any) -> None:
    policy = plain(payload(field=annotation))
    assert approve(policy, {"field": sent}).allowed
    assert execute(policy, {"field": sent}).fault == "unclear"
    assert approve(policy, {"field": known}).allowed
    assert execute(policy, {"field": known}).allowed


def test_how_long_a_list_is_is_told_even_while_it_holds_a_reference() -> None:
    policy = loaded(payload(notes=tuple[NOTE, ...]), "context.parameters.notes_count > 2")
    assert approve(policy, {"notes": ["x", REF, "y"]}).policies == ("own",)
    assert approve(policy, {"notes": ["x", REF]}).allowed
