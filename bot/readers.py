"""Whom an answer is for, as the directory knows them."""

from collections.abc import Iterable, Mapping
from datetime import date

from connectors.directory import Person
from knowledge.documents import EVERYONE, PUBLIC
from knowledge.edition import Reader
from knowledge.texts import Head


def reader_of(person: Person, today: date, groups: Mapping[str, str]) -> Reader:
    """Return what a person may read on a day: what is for their groups, and holds where they work.

    `groups` are those that documents name as their audience, each with the directory's id: a person reads
    what is for a group that they are in, and nothing of a group that is only called the same.
    """
    return Reader(
        today=today,
        audiences=frozenset({name for name, group in groups.items() if group in person.groups} | {EVERYONE}),
        regions=frozenset({person.country}) if person.country else None,
    )


def audiences(documents: Iterable[Head]) -> frozenset[str]:
    """Return the groups that documents name as their audience."""
    return frozenset().union(*(head.terms.audience for head in documents)) - {EVERYONE, PUBLIC}
