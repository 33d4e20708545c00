"""Which acronyms a text explains."""

import pytest

from knowledge.glossary import explained


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("You have Paid Time Off (PTO) every year.", [("PTO", "paid time off")]),
        ("Plans of Improvement (PIs) are rare.", [("PI", "plans of improvement")]),
        ("Several requests for proposal (RFPs) came.", [("RFP", "requests for proposal")]),
        ("Research & Development (R&D) is small.", [("R&D", "research development")]),
        ("Our Terms of Service (TS) hold.", [("TS", "terms of service")]),
        ("Ask the SPOC (single point of contact) first.", [("SPOC", "single point of contact")]),
        ("Ask the SPOC (see below) first.", []),
        ("BCP: Business Continuity Plan, reviewed yearly.", [("BCP", "business continuity plan")]),
        ("BCP | Business continuity plan", [("BCP", "business continuity plan")]),
        ("BCP \u2013 Business Continuity Plan", [("BCP", "business continuity plan")]),
        ("BCP stands for Business Continuity Plan.", [("BCP", "business continuity plan")]),
        ("IT: Indeed, the printers are slow.", []),  # two letters are soon met by chance
        ("HR (people who care)", []),
        ("NASA and (NATO) met.", []),
    ],
)
def test_an_acronym_is_explained_where_words_beside_it_begin_with_its_letters(
    text: str, found: list[tuple[str, str]]
) -> None:
    assert list(explained(text)) == found
