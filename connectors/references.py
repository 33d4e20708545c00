"""References: a value of a payload that only an earlier step of the same plan can give.

In an approval a reference stands as `{"$ref": "step.field"}`. Nothing is called with one: the gate puts what
the earlier step left behind in its place, as the record has it, and a payload that still holds one has no
canonical form, so that no permit is made out for it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_NAME = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_KEY = "$ref"  # no field of a payload can be called so


@dataclass(frozen=True, slots=True)
class Ref:
    """What the result of an earlier step says under one name."""

    step: str
    field: str

    @classmethod
    def parse(cls, text: str) -> "Ref":
        """Return the reference that "step.field" names. Raises ValueError."""
        if not _NAME.fullmatch(text):
            raise ValueError(f"a reference is written step.field, in small letters, and not {text!r}")
        step, _, field = text.partition(".")
        return cls(step, field)

    @property
    def plain(self) -> dict[str, str]:
        """Return it as JSON has it."""
        return {_KEY: f"{self.step}.{self.field}"}


@dataclass(frozen=True, kw_only=True)
class Referable:
    """Declares that a text of a payload may be a reference, and what it has to look like once it is known."""

    pattern: str
    most: int  # characters

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Take a reference as it is, and hold everything else to the pattern."""
        return core_schema.no_info_wrap_validator_function(
            self._taken,
            handler(source),
            serialization=core_schema.plain_serializer_function_ser_schema(_plain, when_used="json"),
        )

    def _taken(self, value: Any, otherwise: Callable[[Any], Any]) -> Any:
        if isinstance(value, Ref):
            return value
        if isinstance(value, Mapping) and value.keys() == {_KEY}:
            return Ref.parse(str(value[_KEY]))
        text = otherwise(value)
        if len(text) > self.most or not re.fullmatch(self.pattern, text):
            raise PydanticCustomError("referable", "does not look like what may be referred to")
        return text


def _plain(value: Any) -> Any:
    return value.plain if isinstance(value, Ref) else value


def refs(template: Any) -> Iterator[Ref]:
    """Yield the references in the plain JSON of a payload."""
    if isinstance(template, Mapping):
        if template.keys() == {_KEY}:
            yield Ref.parse(str(template[_KEY]))
            return
        template = [*template.values()]
    if isinstance(template, list):
        for inner in template:
            yield from refs(inner)


def resolved(template: Any, results: Mapping[str, Mapping[str, Any]]) -> Any:
    """Return the plain JSON with what the steps left behind in place of the references. Raises KeyError."""
    if isinstance(template, Mapping):
        if template.keys() == {_KEY}:
            ref = Ref.parse(str(template[_KEY]))
            return results[ref.step][ref.field]
        return {name: resolved(inner, results) for name, inner in template.items()}
    if isinstance(template, list):
        return [resolved(inner, results) for inner in template]
    return template
