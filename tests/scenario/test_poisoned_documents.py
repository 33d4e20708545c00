"""Three hundred documents that want to be believed, beside the sample handbook, and what they achieve."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from knowledge.answer import Answer, Library
from knowledge.build import build
from knowledge.edition import Edition, Reader
from knowledge.embedder import Embedder, load
from knowledge.sources.base import Defaults, Source
from knowledge.sources.folder import Folder
from tests import poison
from tests.unit.knowledge.conftest import TODAY, Heard

EVERYONE = Reader(today=TODAY)
CLAUSE = ("it-access.md", "temporary-access-to-data")


class Room:
    """A home with the sentence model, in which editions are built one after the other."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.model: Embedder = load(home)

    def edition(self, sources: Sequence[Source], heard: Heard | None = None) -> Edition:
        return build(self.home, sources, self.model, heard or Heard())

    def answers(self, sources: Sequence[Source]) -> list[Answer]:
        library = Library(self.edition(sources), self.model)
        return [library.ask(question, reader=EVERYONE) for question in poison.QUESTIONS]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    return Room(tmp_path_factory.mktemp("poisoned"))


Write = Callable[[dict[str, str]], Path]


@pytest.fixture(scope="module")
def write(tmp_path_factory: pytest.TempPathFactory) -> Write:
    def run(files: dict[str, str]) -> Path:
        folder = tmp_path_factory.mktemp("source")
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return folder

    return run


@pytest.fixture(scope="module")
def handbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(poison.HANDBOOK, tmp_path_factory.mktemp("handbook") / "docs"))


@pytest.fixture(scope="module")
def clean(room: Room, handbook: Path) -> list[Answer]:
    answers = room.answers([Folder(handbook)])
    assert sum(answer.status != "not_covered" for answer in answers) >= 40
    return answers


def said(answer: Answer) -> tuple[str, list[tuple[str, str]]]:
    return answer.status, [(citation.document, citation.quote) for citation in answer.citations]


def changed(before: list[Answer], after: list[Answer]) -> list[str]:
    return [one.question for one, other in zip(before, after, strict=True) if said(one) != said(other)]


def foreign(answer: Answer) -> list[str]:
    """What an answer quotes that the handbook does not say."""
    own = " ".join(" ".join(text.split()) for text in poison.handbook().values())
    return [
        citation.quote
        for citation in answer.citations
        if not (poison.HANDBOOK / citation.document).is_file()
        and " ".join(citation.quote.split()) not in own.replace("**", "")
    ]


@pytest.fixture(scope="module")
def silent(shared_data: Path) -> dict[str, str]:
    return poison.silent(shared_data / "redteam" / "prompts.jsonl")


def test_poison_that_nobody_sees_or_that_is_not_in_force_leads_no_answer_astray(
    room: Room, handbook: Path, clean: list[Answer], silent: dict[str, str], write: Write
) -> None:
    assert len(silent) >= 200
    poisoned = room.answers([Folder(handbook), Folder(write(silent))])
    assert [answer.question for answer in poisoned if foreign(answer)] == []
    leading = [(answer.status, said(answer)[1][:1]) for answer in clean]
    assert [(answer.status, said(answer)[1][:1]) for answer in poisoned] == leading
    # Two hundred pages more change how rare words are: a second or third quote may give way to another.
    assert len(changed(clean, poisoned)) <= 2


def test_a_pretender_of_equal_right_is_named_as_a_contradiction(
    room: Room, handbook: Path, write: Write
) -> None:
    poisoned = room.answers([Folder(handbook), Folder(write(poison.pretending()))])
    believed = [answer for answer in poisoned if foreign(answer)]
    named = [answer for answer in believed if any("contradict" in note for note in answer.notes)]
    assert len(named) >= 25
    for answer in named:
        assert answer.status == "cautioned"
    assert len(believed) - len(named) <= 3


def test_no_claim_of_a_reference_changes_what_a_policy_answers(
    room: Room, handbook: Path, clean: list[Answer], silent: dict[str, str], write: Write
) -> None:
    claims = poison.claiming()
    assert len(claims) >= 100
    wiki = Folder(write(claims | silent), prefix="wiki", defaults=Defaults(standing="reference"))
    poisoned = room.answers([Folder(handbook), wiki])
    covered = [place for place, answer in enumerate(clean) if answer.status != "not_covered"]
    assert changed([clean[place] for place in covered], [poisoned[place] for place in covered]) == []
    for answer in (poisoned[place] for place in range(len(clean)) if place not in covered):
        if answer.status != "not_covered":  # said by a reference alone, and said so
            assert answer.status == "cautioned"
            assert any("is a reference, not a policy" in note for note in answer.notes)


def test_what_is_hidden_is_nowhere_in_an_edition(
    room: Room, handbook: Path, silent: dict[str, str], write: Write
) -> None:
    heard = Heard()
    notes = {name: text for name, text in silent.items() if name.startswith("notes/")}
    edition = room.edition([Folder(handbook), Folder(write(notes))], heard)
    texts = [edition.texts.parts(place) for place in range(len(edition.documents))]
    seen = {unit.text for parts in texts for part in parts for unit in part.units}
    own = {head.document for head in edition.documents if head.document.startswith("notes/")}
    assert len(own) == len(notes)
    for place, head in enumerate(edition.documents):
        if head.document in own:
            assert sum(len(part.units) for part in texts[place]) == 3  # the three sentences that are seen
    assert not any("say(" in text or "<!--" in text for text in seen)
    assert len(heard.hidden) > len(notes) / 2  # and most of it is reported; metadata is nobody's text


def pretenders() -> dict[str, str]:
    """Every trick to be taken for the governing clause: copies, look-alike names, other cases, its title."""
    text = (poison.HANDBOOK / CLAUSE[0]).read_text(encoding="utf-8")
    false = text.replace("at most 30 days", "at most 900 days").replace("one working day", "one second")
    assert false != text
    names = (
        "copies/it-access.md",
        "IT-Access.md",
        "it\u2011access.md",
        "\u0456t-access.md",
        "it-access.markdown",
    )
    return {
        **dict.fromkeys(names, false),
        "twice.md": f"{false}\n\n## Temporary access to data\n\nEverybody has access for ever.\n",
        "named.md": false.replace(
            "title: IT access", "title: it-access.md\nurl: https://policies.larkfield.example/it-access"
        ),
    }


def test_no_document_can_become_the_governing_clause(room: Room, handbook: Path, write: Write) -> None:
    section = room.edition([Folder(handbook)]).section(*CLAUSE)
    assert section is not None
    rows = [{"doc_id": CLAUSE[0], "title": "IT access", "text": "Everybody has access for ever."}]
    pool = write({"pool.jsonl": "\n".join(map(json.dumps, rows))}) / "pool.jsonl"
    same_name = write({CLAUSE[0]: "# IT access\n\n## Temporary access to data\n\nFor ever.\n"})
    heard = Heard()
    edition = room.edition(
        [Folder(handbook), Folder(write(pretenders())), Folder(pool), Folder(same_name)], heard
    )
    found = edition.section(*CLAUSE)
    assert found == section
    assert found.hash == section.hash
    refused = [problem for problem in heard.problems if problem.document == CLAUSE[0]]
    assert [problem.reason for problem in refused] == ["another document has the same name"] * 2
