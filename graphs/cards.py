"""An approval as plain JSON and back: what the record keeps, so that its card can be drawn years later."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from graphs.plans import ONLY
from graphs.records import Approval, PlanStep


def plain(approval: Approval) -> dict[str, Any]:
    """Return everything that the card showed."""
    values: dict[str, Any] = _adapter().dump_python(approval, mode="json")
    return values


def approval(values: Mapping[str, Any]) -> Approval:
    """Return the approval that `plain` wrote down. Raises ValueError where parts of it are missing."""
    return _adapter().validate_python(as_now(values))


def as_now(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a card as it is written today: before there were plans, it had one effect."""
    found = {**values, "approvers": _by_name(values.get("approvers"))}
    if isinstance(second := values.get("escalation"), Mapping):
        found["escalation"] = {**second, "groups": _by_name(second.get("groups"))}
    if "steps" in values or not values.keys() >= _ONE_EFFECT:
        return found
    terms = found.pop("terms", {})
    lasts = int(terms.get("days", 0)) * 86_400 + int(terms.get("minutes", 0)) * 60
    only = PlanStep(
        name=ONLY,
        operation=found.pop("operation"),
        sends=found.pop("sends"),
        before=found.pop("before"),
        after=found.pop("after"),
        lasts=lasts or None,
    )
    return {**found, "steps": [asdict(only)], "then": ""}


_ONE_EFFECT = frozenset({"operation", "sends", "before", "after"})


def _by_name(groups: Any) -> Any:
    """Return groups by their names: some releases wrote the names alone."""
    return dict.fromkeys(groups, "") if isinstance(groups, list) else groups


@cache
def _adapter() -> TypeAdapter[Approval]:
    return TypeAdapter(Approval)
