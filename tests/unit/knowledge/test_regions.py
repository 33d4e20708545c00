"""Regions: a document for one country does not speak to people in another."""

from dataclasses import replace

from knowledge.answer import Library
from knowledge.edition import Edition, Reader
from tests.unit.knowledge.conftest import EVERYONE, Ingest, Words

NL = "---\nregions: [nl]\n---\n# Leave in the Netherlands\n\nParental leave zebra lasts 26 weeks.\n"
DE = "---\nregions: de, at\n---\n# Leave in Germany\n\nParental leave zebra lasts 36 months.\n"
ALL = "# Holidays\n\nPublic holidays are free.\n"


def names(edition: Edition, reader: Reader) -> set[str]:
    return {edition.documents[edition.owners[place]].document for place in edition.readable(reader)}


def test_a_document_of_another_region_is_not_among_the_passages(ingest: Ingest) -> None:
    edition = ingest({"nl.md": NL, "de.md": DE, "all.md": ALL})
    assert names(edition, replace(EVERYONE, regions=frozenset({"NL"}))) == {"nl.md", "all.md"}
    assert names(edition, replace(EVERYONE, regions=frozenset({"AT"}))) == {"de.md", "all.md"}
    assert names(edition, replace(EVERYONE, regions=frozenset({"US"}))) == {"all.md"}
    assert names(edition, EVERYONE) == {"nl.md", "de.md", "all.md"}


def test_an_answer_says_where_it_holds_when_nobody_knows_where_the_reader_works(
    ingest: Ingest, words: Words
) -> None:
    library = Library(ingest({"nl.md": NL, "all.md": ALL}), words)
    question = "How long does parental leave zebra last?"
    unknown = library.ask(question, reader=EVERYONE)
    assert unknown.citations
    assert "holds for NL only" in " ".join(unknown.notes)
    known = library.ask(question, reader=replace(EVERYONE, regions=frozenset({"NL"})))
    assert known.citations
    assert known.notes == ()
    abroad = library.ask(question, reader=replace(EVERYONE, regions=frozenset({"DE"})))
    assert not any(citation.document == "nl.md" for citation in abroad.citations)
