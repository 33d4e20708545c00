"""What a requester filled in, against what a workflow must know. Pure."""

from collections.abc import Iterable, Mapping

from graphs.records import Field


def examine(fields: Iterable[Field], values: Mapping[str, str]) -> Mapping[str, str]:
    """Return what is wrong, as the key of the problem by the field's name. Empty: all is there and fits."""
    found = {field.name: _problem(field, values.get(field.name, "").strip()) for field in fields}
    return {name: problem for name, problem in found.items() if problem}


def _problem(field: Field, value: str) -> str | None:
    if not value:
        return "required"
    match field.kind:
        case "choice":
            return None if value in field.options else "not_an_option"
        case "number":
            return _number_problem(field, value)
        case "text":
            return "too_long" if field.most is not None and len(value) > field.most else None


def _number_problem(field: Field, value: str) -> str | None:
    if not (value.isascii() and value.isdigit() and len(value) <= 9):
        return "not_a_number"
    if field.least is not None and int(value) < field.least:
        return "too_small"
    if field.most is not None and int(value) > field.most:
        return "too_large"
    return None
