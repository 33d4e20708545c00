"""An approval as plain JSON and back: what the record keeps, so that its card can be drawn years later."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from graphs.records import Approval


def plain(approval: Approval) -> dict[str, Any]:
    """Return everything that the card showed."""
    values: dict[str, Any] = _adapter().dump_python(approval, mode="json")
    return values


def approval(values: Mapping[str, Any]) -> Approval:
    """Return the approval that `plain` wrote down. Raises ValueError where parts of it are missing."""
    return _adapter().validate_python(values)


@cache
def _adapter() -> TypeAdapter[Approval]:
    return TypeAdapter(Approval)
