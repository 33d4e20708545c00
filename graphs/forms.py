"""What a requester filled in, against what a workflow must know. Pure.

A value is kept as text. Each kind has one canonical text, which a workflow gets and an approver sees:
`3`, `500.00 EUR`, `2026-12-05`, `14:30`, `yes`, and a JSON list for several choices.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal

from graphs.records import Field, FieldKind

_LONGEST = 20_000  # characters of any value
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[0-9]{2}:[0-9]{2}")
_AMOUNT = re.compile(r"(?P<number>[0-9]{1,12}(?:\.(?P<places>[0-9]{1,9}))?)(?:\s*(?P<unit>[^\s0-9.,'].*))?")
_YES_OR_NO = {"yes": True, "no": False}


class Unfit(ValueError):
    """A value that does not fit its field. `key` names what is wrong."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


@dataclass(frozen=True, slots=True)
class Amount:
    """So much of a currency or a unit, exactly."""

    number: Decimal
    unit: str


Value = str | int | bool | date | time | Amount | tuple[str, ...]


def examine(fields: Iterable[Field], values: Mapping[str, str]) -> Mapping[str, str]:
    """Return what is wrong, as the key of the problem by the field's name. Empty: all is there and fits."""
    found = {field.name: _problem(field, values.get(field.name, "")) for field in fields}
    return {name: problem for name, problem in found.items() if problem}


def canonical(fields: Iterable[Field], values: Mapping[str, str]) -> dict[str, str]:
    """Return the fields' values that are there in their canonical text; what does not fit stays as it is."""
    return {field.name: _canonical(field, values[field.name]) for field in fields if values.get(field.name)}


def read(field: Field, text: str) -> Value:
    """Return what a text says, by the kind of its field. Raises Unfit, and nothing else."""
    text = text.strip()
    if not text:
        raise Unfit("required")
    if len(text) > _LONGEST:
        raise Unfit("too_long")
    return _READERS[field.kind](field, text)


def write(field: Field, value: Value) -> str:
    """Return the canonical text of a value that `read` gave for the same field."""
    match value:
        case bool():
            return "yes" if value else "no"
        case Amount():
            return f"{value.number:.{field.places}f} {value.unit}"
        case tuple():
            return json.dumps(value, ensure_ascii=False)
        case time():
            return value.isoformat("minutes")
        case _:
            return str(value)


def shown(field: Field, text: str) -> str:
    """Return a value as people read it."""
    try:
        value = read(field, text)
    except Unfit:
        return text
    return ", ".join(value) if isinstance(value, tuple) else text


def _problem(field: Field, text: str) -> str | None:
    try:
        read(field, text)
    except Unfit as unfit:
        return unfit.key
    return None


def _canonical(field: Field, text: str) -> str:
    try:
        return write(field, read(field, text))
    except Unfit:
        return text


def _check_bounds(field: Field, number: int | Decimal) -> None:
    if field.least is not None and number < field.least:
        raise Unfit("too_small")
    if field.most is not None and number > field.most:
        raise Unfit("too_large")


def _one_of(field: Field, text: str) -> str:
    if text not in field.options:
        raise Unfit("not_an_option")
    return text


def _several(field: Field, text: str) -> tuple[str, ...]:
    """Read a JSON list, or one choice a line. They come in the order of the options, each once."""
    chosen = {_one_of(field, each) for each in chosen_of(text)}
    if len(chosen) < (field.least or 1):
        raise Unfit("too_few")
    if field.most is not None and len(chosen) > field.most:
        raise Unfit("too_many")
    return tuple(option for option in dict.fromkeys(field.options) if option in chosen)


def chosen_of(text: str) -> list[str]:
    """Return the choices that a text holds, whether or not they are options."""
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError):
        listed = None
    if isinstance(listed, list) and all(isinstance(each, str) for each in listed):
        return listed
    return [line.strip() for line in text.splitlines() if line.strip()]


def _number(field: Field, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise Unfit("not_a_number")
    number = int(text)
    _check_bounds(field, number)
    return number


def _amount(field: Field, text: str) -> Amount:
    """Read a number with a decimal point and its unit, which may be left out where there is only one.

    A comma is refused: "1,500" is one and a half to some readers, and fifteen hundred to others.
    """
    found = _AMOUNT.fullmatch(text)
    if found is None:
        raise Unfit("not_an_amount")
    if len(found["places"] or "") > field.places:
        raise Unfit("too_precise")
    said = (found["unit"] or "").casefold()
    units = [unit for unit in field.options if unit == found["unit"]] or [
        unit for unit in field.options if said in ("", unit.casefold())
    ]
    if len(units) != 1:
        raise Unfit("which_unit")
    number = Decimal(found["number"])
    _check_bounds(field, number)
    return Amount(number, units[0])


def _date(_: Field, text: str) -> date:
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass  # a day that no calendar has
    raise Unfit("not_a_date")


def _time(_: Field, text: str) -> time:
    try:
        if _TIME.fullmatch(text):
            return time.fromisoformat(text)
    except ValueError:
        pass
    raise Unfit("not_a_time")


def _yes_no(_: Field, text: str) -> bool:
    if (answer := _YES_OR_NO.get(text.lower())) is None:
        raise Unfit("not_yes_or_no")
    return answer


def _text(field: Field, text: str) -> str:
    if field.most is not None and len(text) > field.most:
        raise Unfit("too_long")
    if field.least is not None and len(text) < field.least:
        raise Unfit("too_short")
    if field.pattern and not re.fullmatch(field.pattern, text):
        raise Unfit("not_in_pattern")
    return text


_READERS: Mapping[FieldKind, Callable[[Field, str], Value]] = {
    "choice": _one_of,
    "date": _date,
    "money": _amount,
    "number": _number,
    "quantity": _amount,
    "several": _several,
    "text": _text,
    "time": _time,
    "yes_no": _yes_no,
}
