"""An employee's words, read as the documents' words."""

from collections.abc import Callable
from pathlib import Path

import pytest

from knowledge.answer import Library
from knowledge.edition import Edition, open_current
from knowledge.errors import DamagedEdition
from knowledge.learnt import acronyms, learn
from knowledge.wording import Wording, misspelt
from tests.unit.knowledge.conftest import EVERYONE, Words

TEXTS = (
    "Paid time off (PTO) is asked for early. Paid time off is granted by the manager.",
    "The Security Team (IT) keeps receipts. Annual leave is long. It is paid by the company.",
)


def nobody_knows(word: str) -> bool:
    return False


@pytest.fixture
def wording() -> Wording:
    return Wording.of([learn(TEXTS)])


def test_an_acronym_means_what_the_documents_say_before_it() -> None:
    assert acronyms([learn(TEXTS)]) == {"PTO": "paid time off"}


def test_an_acronym_that_documents_use_in_place_of_its_meaning_is_left_as_it_is() -> None:
    assert acronyms([learn(["A performance plan (PP) is short. A PP ends. A PP is written."])]) == {}


def test_an_acronym_is_read_with_its_meaning_however_it_is_typed(wording: Wording) -> None:
    assert (
        wording.reworded("When do I ask for PTO?", nobody_knows) == "When do I ask for PTO (paid time off)?"
    )
    assert wording.reworded("my pto", nobody_knows) == "my pto (paid time off)"


def test_an_unknown_word_gives_way_to_the_one_it_misspells(wording: Wording) -> None:
    assert wording.reworded("lost my receits", nobody_knows) == "lost my receipts"
    assert wording.reworded("the comapny", nobody_knows) == "the company"


def test_an_everyday_word_is_no_misspelling(wording: Wording) -> None:
    assert wording.reworded("lost my receits", lambda word: word == "receits") == "lost my receits"


def test_other_first_letters_short_words_and_forms_of_known_words_stay(wording: Wording) -> None:
    assert wording.reworded("deceipts grant mane granting", nobody_knows) == "deceipts grant mane granting"


def test_a_word_that_no_document_has_is_read_with_one_for_the_same_thing(wording: Wording) -> None:
    assert wording.reworded("How many vacation days?", nobody_knows) == (
        "How many vacation days? (annual leave, paid time off)"
    )
    assert wording.reworded("How much annual leave?", nobody_knows) == "How much annual leave?"


def test_errors_are_counted_in_letters_and_a_swap_is_one() -> None:
    assert misspelt("lenght", "length") == 1
    assert misspelt("recipt", "receipt") == 1
    assert misspelt("expence", "expense") == 1
    assert misspelt("cat", "dogs") == 4
    assert misspelt("", "ab") == 2


Ingest = Callable[[dict[str, str | bytes]], Edition]


def test_a_misspelt_question_is_answered(ingest: Ingest, words: Words) -> None:
    library = Library(ingest({"e.md": "# Expenses\n\nEvery receipt is kept for seven years.\n"}), words)
    answer = library.ask("receipt kept seven years", reader=EVERYONE)
    mistyped = library.ask("reciept kept seven years", reader=EVERYONE)
    assert mistyped.question == "reciept kept seven years"
    assert mistyped.answer == answer.answer != ""


def test_an_edition_without_its_words_is_damaged(ingest: Ingest, tmp_path: Path) -> None:
    ingest({"e.md": "# Expenses\n\nEvery receipt is kept.\n"})
    edition = open_current(tmp_path / "home")
    (edition.folder / "wording.json").write_text("{")
    with pytest.raises(DamagedEdition, match=r"Ingest again\."):
        edition.view(EVERYONE)
