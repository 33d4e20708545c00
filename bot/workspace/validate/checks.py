"""Small checks that compose: each yields what is wrong with a value, and where."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Check = Callable[[Any, str], Iterator[str]]


def at(problem: str, pointer: str) -> str:
    """Word a problem as Slack does."""
    return f"{problem} [json-pointer:{pointer}]"


def string(*, most: int | None = None, least: int = 0) -> Check:
    """A text of a length between `least` and `most` characters."""

    def check(value: Any, pointer: str) -> Iterator[str]:
        if not isinstance(value, str):
            yield at("must be a string", pointer)
        elif len(value) < least:
            yield at(f"must be more than {least - 1} characters", pointer)
        elif most is not None and len(value) > most:
            yield at(f"must be less than {most + 1} characters", pointer)

    return check


def matching(predicate: Callable[[str], bool], expected: str) -> Check:
    """A text that satisfies `predicate`."""

    def check(value: Any, pointer: str) -> Iterator[str]:
        if not isinstance(value, str) or not predicate(value):
            yield at(f"must be {expected}", pointer)

    return check


def boolean(value: Any, pointer: str) -> Iterator[str]:
    """True or false."""
    if not isinstance(value, bool):
        yield at("must be a boolean", pointer)


def integer(*, least: int | None = None, most: int | None = None) -> Check:
    """A whole number in a range."""

    def check(value: Any, pointer: str) -> Iterator[str]:
        if not isinstance(value, int) or isinstance(value, bool):
            yield at("must be an integer", pointer)
        elif (least is not None and value < least) or (most is not None and value > most):
            yield at(f"must be between {least} and {most}", pointer)

    return check


def number(value: Any, pointer: str) -> Iterator[str]:
    """Any number."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        yield at("must be a number", pointer)


def one_of(*allowed: Any) -> Check:
    """One of a closed set of values."""

    def check(value: Any, pointer: str) -> Iterator[str]:
        if isinstance(value, dict | list) or value not in allowed:
            yield at(f"must be one of {', '.join(map(str, allowed))}", pointer)

    return check


def array(item: Check, *, least: int = 0, most: int | None = None) -> Check:
    """A list of between `least` and `most` items."""

    def check(value: Any, pointer: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield at("must be an array", pointer)
            return
        if len(value) < least:
            yield at(f"no fewer than {least} items allowed", pointer)
        if most is not None and len(value) > most:
            yield at(f"no more than {most} items allowed", pointer)
        for index, each in enumerate(value):
            yield from item(each, f"{pointer}/{index}")

    return check


@dataclass(frozen=True, kw_only=True)
class Shape:
    """An object: its required and optional fields, and rules over the whole of it."""

    required: Mapping[str, Check]
    optional: Mapping[str, Check]
    rules: tuple[Check, ...] = ()

    def __call__(self, value: Any, pointer: str) -> Iterator[str]:
        """Yield what is wrong with `value`; the rules speak only of a value whose fields are right."""
        problems = list(self._fields(value, pointer))
        yield from problems
        if not problems:
            for rule in self.rules:
                yield from rule(value, pointer)

    def _fields(self, value: Any, pointer: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield at("must be an object", pointer)
            return
        for name in self.required:
            if value.get(name) is None:
                yield at(f"missing required field: {name}", pointer)
        fields = {**self.required, **self.optional}
        for name, each in value.items():
            if name not in fields:
                yield at(f"additional property: {name}", pointer)
            elif each is not None or name not in self.required:
                yield from fields[name](each, f"{pointer}/{name}")


def shape(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None, *rules: Check) -> Shape:
    """An object with these fields and no others."""
    return Shape(required=required, optional=optional or {}, rules=rules)


def typed(shapes: Mapping[str, Check]) -> Check:
    """An object whose `type` says which of `shapes` it has."""

    def check(value: Any, pointer: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield at("must be an object", pointer)
            return
        kind = value.get("type")
        if kind is None:
            yield at("missing required field: type", pointer)
        elif not isinstance(kind, str) or kind not in shapes:
            yield at(f"unsupported type: {kind}", f"{pointer}/type")
        else:
            yield from shapes[kind](value, pointer)

    return check


def any_of(*names: str) -> Check:
    """A rule: at least one of these fields is there."""

    def check(value: Any, pointer: str) -> Iterator[str]:
        if not any(value.get(name) for name in names):
            yield at(f"must define either `{'` or `'.join(names)}`", pointer)

    return check


def exactly_one(*names: str) -> Check:
    """A rule: one of these fields is there, and only one."""

    def check(value: Any, pointer: str) -> Iterator[str]:
        if sum(value.get(name) is not None for name in names) != 1:
            yield at(f"must define exactly one of `{'`, `'.join(names)}`", pointer)

    return check


def unique(field: str, items: str) -> Check:
    """A rule: the objects listed in `items` differ in `field`."""

    def check(value: Any, pointer: str) -> Iterator[str]:
        seen: set[Any] = set()
        for index, each in enumerate(value.get(items) or ()):
            key = each.get(field) if isinstance(each, dict) else None
            if isinstance(key, str) and key in seen:
                yield at(f"duplicate {field}: {key}", f"{pointer}/{items}/{index}/{field}")
            if isinstance(key, str):
                seen.add(key)

    return check
