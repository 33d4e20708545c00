"""Whose values are they? What an event tells of several people is kept apart, each person's by itself."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

HOUSE = ""  # the subject of what concerns no person: the installation itself
PARAMETERS = ("payload", "sends")  # what is sent to an outside system: one part, whole

_PERSON = frozenset({"subject", "name", "email", "human"})

Owners = frozenset[str]  # subjects; what belongs to several opens with the keys of all of them


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Some of an event's values, in their places, and whose they are."""

    owners: Owners
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class People:
    """Everybody that an event may speak of: subject -> the words that name them."""

    words: Mapping[str, frozenset[str]]

    @classmethod
    def found_in(cls, *records: object) -> "People":
        """Find the people that these records name, wherever in them they stand."""
        words: dict[str, set[str]] = {}
        for person in (one for record in records for one in persons(record)):
            subject = subject_of(person)
            known = {subject, subject.partition("#")[2], *(str(value) for value in person.values() if value)}
            words.setdefault(subject, set()).update(word for word in known if len(word) > 2)
        return cls(words={subject: frozenset(known) for subject, known in words.items()})

    def owners(self, value: object, otherwise: Owners) -> Owners:
        """Return whose a value is: theirs whom it names alone; of a longer text, `otherwise` as well."""
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        named = {subject for subject, known in self.words.items() if any(word in text for word in known)}
        if any(text == word for subject in named for word in self.words[subject]):
            return frozenset(named)
        return frozenset(named) | otherwise


def persons(value: object) -> Iterator[Mapping[str, Any]]:
    """Yield every person that stands in plain JSON."""
    if is_person(value):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from persons(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from persons(inner)


def is_person(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether this is a person as the records name them."""
    return isinstance(value, Mapping) and "name" in value and value.keys() <= _PERSON


def subject_of(person: Mapping[str, Any]) -> str:
    """Return the subject of a person; of somebody without one, as on a command line, the name."""
    return str(person.get("subject") or person["name"])


def split(detail: Mapping[str, Any], people: People, otherwise: Owners) -> list[Part]:
    """Divide an event's values among the people that they speak of; what names nobody is `otherwise`'s."""
    whole = [name for name in PARAMETERS if name in detail]
    parts = [
        Part(owners=people.owners(detail[name], otherwise), values={name: detail[name]}) for name in whole
    ]
    shared: dict[Owners, Part] = {}
    for path, value in _leaves({name: value for name, value in detail.items() if name not in whole}):
        owners = _owners(value, people, otherwise)
        _put(shared.setdefault(owners, Part(owners=owners)).values, path, value)
    return [*parts, *shared.values()]


def merged(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Put the parts of an event together again, as far as they are there."""
    whole: dict[str, Any] = {}
    for part in parts:
        for path, value in _leaves(part):
            _put(whole, path, value)
    return whole


def _owners(value: object, people: People, otherwise: Owners) -> Owners:
    if is_person(value):
        return frozenset({subject_of(value)})
    return people.owners(value, otherwise)


def _leaves(value: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, inner in value.items():
        if isinstance(inner, Mapping) and inner and not is_person(inner):
            yield from _leaves(inner, (*path, name))
        else:
            yield (*path, name), inner


def _put(into: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    for name in path[:-1]:
        into = into.setdefault(name, {})
    into[path[-1]] = value
