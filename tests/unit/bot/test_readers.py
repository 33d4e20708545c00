"""What a person reads follows from what the directory says of them."""

from datetime import date

from bot.readers import reader_of
from connectors.directory import Person

DAY = date(2026, 6, 1)


def person(country: str) -> Person:
    return Person(
        id="1",
        issuer="dir",
        user_name="ada",
        name="Ada",
        email="ada@larkfield.example",
        title="",
        active=True,
        manager=None,
        groups=frozenset({"g1", "g2"}),
        country=country,
    )


def test_a_person_reads_what_is_for_their_groups_and_their_country() -> None:
    reader = reader_of(person("NL"), DAY, {"finance": "g1", "people-team": "g9"})
    assert (reader.audiences, reader.regions, reader.today) == ({"finance", "everyone"}, {"NL"}, DAY)


def test_where_the_directory_names_no_country_no_region_is_left_out() -> None:
    assert reader_of(person(""), DAY, {}).regions is None
