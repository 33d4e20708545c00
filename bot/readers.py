"""Whom an answer is for, as the directory knows them."""

from datetime import date

from connectors.directory import Person
from knowledge.edition import Reader


def reader_of(person: Person, today: date) -> Reader:
    """Return what a person may read on a day: what is for their groups, and holds where they work."""
    return Reader(
        today=today,
        audiences=person.groups | {"everyone"},
        regions=frozenset({person.country}) if person.country else None,
    )
