"""What Cedar knows of an operation: its type, made from the payload, and a value of it. Pure.

str -> String, int -> Long, bool -> Bool, a decimal of at most four places -> decimal, any other -> String,
written without an exponent and without zeros at its end; a list -> Set, with `NAME_count` beside it, because
a set has no length; a record -> a record. What may be missing is optional: ask `context.parameters has NAME`
first. A payload that cannot be described so is refused: no operation runs that no policy can speak of.
"""

import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Annotated, Any, Literal, NewType, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from connectors.base import Operation, Payload, Ref, Referable

_PLACES = 4  # of a Cedar decimal
_LONG = range(-(2**63), 2**63)  # also of a Cedar decimal, counted in its last place
_DIGITS = 400  # before or after the point, of a decimal that is told as text
_NONE = type(None)


class Undescribable(Exception):
    """No policy can speak of this operation. The message says which field, and what to write instead."""


class Unfit(ValueError):
    """This payload holds what no policy can compare. The message never repeats the value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Held:
    """What a field, or an entry of a list, holds."""

    kind: Any
    optional: bool
    notes: tuple[Any, ...]  # the annotations beside the type

    @property
    def entry(self) -> Any:
        """The annotation of the entries, where it is a list; None where it is none."""
        arguments = get_args(self.kind)
        if get_origin(self.kind) is list or (get_origin(self.kind) is tuple and arguments[1:] == (...,)):
            return arguments[0]
        return None

    @property
    def places(self) -> int | None:
        """How many places a decimal may have, if Cedar has as many."""
        said = [getattr(one, "decimal_places", None) for one in self.notes]
        most = max((one for one in said if one is not None), default=None)
        return most if most is not None and most <= _PLACES else None

    @property
    def referable(self) -> bool:
        """Whether a reference may stand here, or for an entry."""
        return any(isinstance(one, Referable) for one in self.notes) or (
            self.entry is not None and _held(self.entry, "").referable
        )


def _held(annotation: Any, where: str, notes: Iterable[Any] = ()) -> _Held:
    """Take an annotation apart. Raises Undescribable where it allows several types."""
    known, optional = [*notes], False
    while True:
        origin = get_origin(annotation)
        if isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif origin is Annotated:
            annotation, *more = get_args(annotation)
            for note in more:
                known.extend(note.metadata if isinstance(note, FieldInfo) else [note])
        elif origin in {Union, types.UnionType, Literal}:
            parts = [one for one in get_args(annotation) if one is not None and one is not _NONE]
            kinds = {*map(type, parts)} if origin is Literal else parts
            if len(kinds) != 1:
                raise Undescribable(f"{where} holds one of several types: give each a field")
            optional |= len(parts) < len(get_args(annotation))
            (annotation,) = kinds
        else:
            return _Held(kind=annotation, optional=optional, notes=tuple(known))


@lru_cache(maxsize=1024)
def _fields(model: type[BaseModel]) -> tuple[tuple[str, _Held], ...]:
    """Return what a payload consists of. Raises Undescribable."""
    found = []
    if model.model_config.get("extra") == "allow":
        raise Undescribable(f"{model.__name__} takes any name: give each a field")
    for name, info in model.model_fields.items():
        where = f"{model.__name__}.{name}"
        if not name.isascii() or not name.isidentifier():
            raise Undescribable(f"{where}: the name of a field is written in ASCII letters, digits and _")
        held = _held(info.annotation, where, info.metadata)
        if held.entry is not None and f"{name}_count" in model.model_fields:
            raise Undescribable(f"{where}_count is how many {name} there are: give the field another name")
        found.append((name, held))
    return tuple(found)


def parameters(known: Mapping[str, type[str | int]]) -> str:
    """Return the Cedar type of what requests ask for: each by its type, and none of them required."""
    fields = ", ".join(f'"{name}"?: {"Long" if kind is int else "String"}' for name, kind in known.items())
    return f"\ntype Parameters = {{{fields}}};\n"


def record(model: type[BaseModel], *, partial: bool = False) -> str:
    """Return the Cedar record type of a payload; `partial`: fields that may hold a reference are optional.

    Raises Undescribable.
    """
    return _record(model, partial=partial, within=())


def _record(model: type[BaseModel], *, partial: bool, within: tuple[type[BaseModel], ...]) -> str:
    if model in within:
        raise Undescribable(f"{model.__name__} holds itself, to any depth: write out how deep it goes")
    lines = []
    for name, held in _fields(model):
        kind = _type(held, f"{model.__name__}.{name}", partial=partial, within=(*within, model))
        mark = "?" if held.optional or (partial and held.referable) else ""
        lines.append(f'"{name}"{mark}: {kind}')
        if held.entry is not None:
            lines.append(f'"{name}_count"{"?" if held.optional else ""}: Long')
    return "{" + ", ".join(lines) + "}"


def _type(held: _Held, where: str, *, partial: bool, within: tuple[type[BaseModel], ...]) -> str:
    kind = held.kind
    if held.entry is not None:
        entry = _held(held.entry, where)
        if entry.optional:
            raise Undescribable(f"{where}: an entry of a list cannot be missing")
        return f"Set<{_type(entry, where, partial=partial, within=within)}>"
    if isinstance(kind, type) and get_origin(kind) is None:
        if issubclass(kind, BaseModel):
            return _record(kind, partial=partial, within=within)
        if issubclass(kind, Decimal):
            return "String" if held.places is None else "decimal"
        for known, said in ((bool, "Bool"), (int, "Long"), (str, "String")):
            if issubclass(kind, known):
                return said
    raise Undescribable(
        f"{where}: Cedar has no type for {getattr(kind, '__name__', kind)}; write text, a whole number, a "
        "Decimal, yes or no, or lists and records of them"
    )


def value(data: BaseModel) -> dict[str, Any]:
    """Return a payload as a Cedar record. What is missing, and what is a reference still, is left out.

    A list that holds a reference is left out as well; how many entries it has is told. Raises Unfit.
    """
    told: dict[str, Any] = {}
    for name, held in _fields(type(data)):
        found = getattr(data, name)
        if found is None or isinstance(found, Ref):
            continue
        if held.entry is not None:
            told[f"{name}_count"] = len(found)
            if any(_unknown(found)):
                continue
        told[name] = _value(found, held)
    return told


def _unknown(found: Any) -> Iterator[bool]:
    """Yield, for each entry of a list, whether it is a reference still."""
    for one in found:
        if isinstance(one, tuple | list):
            yield from _unknown(one)
        else:
            yield isinstance(one, Ref)


def _value(found: Any, held: _Held) -> Any:
    if isinstance(found, BaseModel):
        return value(found)
    if held.entry is not None:
        entry = _held(held.entry, "")
        return [_value(one, entry) for one in found]
    if isinstance(found, Enum):
        found = found.value
    if isinstance(found, Decimal):
        return _decimal(found, held)
    if isinstance(found, bool | str):
        return found
    if not isinstance(found, int):
        raise Unfit("the payload holds what has no type in Cedar")
    if int(found) not in _LONG:
        raise Unfit("a whole number is larger than any policy can compare")
    return int(found)


def _decimal(found: Decimal, held: _Held) -> Any:
    if not found.is_finite():
        raise Unfit("a decimal is no number")
    if abs(found.adjusted()) > _DIGITS:
        raise Unfit("a decimal has more digits than any policy can compare")
    if held.places is None:
        text = f"{found:f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return "0" if text == "-0" else text
    text = f"{found:.{_PLACES}f}"
    if Decimal(text) != found:
        raise Unfit("a decimal has more places than its field")
    if int(text.replace(".", "")) not in _LONG:
        raise Unfit("a decimal is larger than any policy can compare")
    return {"__extn": {"fn": "decimal", "arg": text}}


Described = type[Operation[Any, Any]] | Operation[Any, Any]


def schema(operations: Iterable[Described]) -> str:
    """Return the part of the schema that speaks of these operations: three actions for each, by name.

    Raises Undescribable, also for two operations of one name.
    """
    known: dict[str, type[Payload]] = {}
    for one in operations:
        if known.setdefault(one.name, one.payload) is not one.payload:
            raise Undescribable(f"two operations are called {one.name}")
    return "\n".join(_actions(name, known[name]) for name in sorted(known))


def _actions(name: str, payload: type[Payload]) -> str:
    if not (name.isascii() and name.isprintable()) or {*name} & {'"', "\\"}:
        raise Undescribable(f"the name of the operation {name!r} is written in ASCII, without quotes and \\")
    try:
        at_approve, at_execute = record(payload, partial=True), record(payload)
    except Undescribable as error:
        raise Undescribable(f"the operation {name} cannot be described to the policies: {error}") from error
    return _ACTIONS.format(name=name, at_approve=at_approve, at_execute=at_execute)


_ACTIONS = """
action "approve:{name}" in [Action::"approve"] appliesTo {{
  principal: Person,
  resource: Approval,
  context: {{
    "parameters": {at_approve},
    "effect": String,
    "scope": String,
    "lasts"?: Long,
    "plan": Plan,
    "level": Long,
    "escalated": Bool,
    "holder"?: Holder,
  }},
}};

action "confirm:{name}" in [Action::"confirm"] appliesTo {{
  principal: Person,
  resource: Approval,
  context: {{
    "parameters": {at_approve},
    "effect": String,
    "scope": String,
    "lasts"?: Long,
    "plan": Plan,
    "level": Long,
    "reversible": Bool,
    "outside": Bool,
    "permitted": Bool,
  }},
}};

action "execute:{name}" in [Action::"execute"] appliesTo {{
  principal: Person,
  resource: Approval,
  context: {{
    "parameters": {at_execute},
    "effect": String,
    "scope": String,
    "lasts"?: Long,
    "plan": Plan,
    "level": Long,
    "requester_active": Bool,
    "escalated": Bool,
    "holder"?: Holder,
  }},
}};
"""


def plain(found: Mapping[str, Any], of: type[Payload]) -> dict[str, Any]:
    """Return the plain JSON of a payload as a Cedar record. Raises ValueError where it does not fit."""
    return value(of.model_validate(found))
