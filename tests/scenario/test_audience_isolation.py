"""Nobody outside a document's audience gets a word of it, nor notices that it is there.

The strongest form of the promise: what an outsider is told is, to the byte, what they would be told if the
document had never been read. Only the edition's id and the timings may differ.
"""

import io
import json
import logging
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from bot.commands import knowledge
from bot.shelf import Shelf
from knowledge.answer import Answer, Library
from knowledge.build import build
from knowledge.edition import Reader
from knowledge.serving import CurrentFile
from knowledge.sources.folder import Folder
from tests.unit.knowledge.conftest import TODAY, Heard, Words

# What only restricted documents say: names, a word that many questions misspell, an acronym with its meaning.
CANARIES = ("brimquill", "nightjar", "tolvenstad", "quiet", "falcon", "ledger", "qfl", "severance", "owlmoor")
MISSPELT = ("brimqill", "nihgtjar", "tolvenstadt", "falkon", "severence", "owlmor", "QFL", "QFLs")
OPEN = (
    "leave",
    "travel",
    "receipt",
    "holiday",
    "manager",
    "approval",
    "laptop",
    "expense",
    "contract",
    "notice",
)
SMALL = ("the", "is", "how", "many", "days", "for", "what", "when")
GROUPS = ("people-team", "board")
REGIONS = ("NL", "CA")


@dataclass(frozen=True)
class Page:
    """A document to be: its front matter and its sentences."""

    audience: tuple[str, ...]
    regions: tuple[str, ...]
    owner: str
    title: str
    heading: str
    sentences: tuple[str, ...]

    def text(self) -> str:
        audience = f"[{', '.join(self.audience)}]" if self.audience else "everyone"
        regions = f"regions: [{', '.join(self.regions)}]\n" if self.regions else ""
        front = f"---\ntitle: {self.title}\nowner: {self.owner}\naudience: {audience}\n{regions}---\n"
        return f"{front}\n# {self.title}\n\n## {self.heading}\n\n{' '.join(self.sentences)}\n"

    def is_for(self, reader: Reader) -> bool:
        asked = not self.audience or bool(set(self.audience) & reader.audiences)
        return asked and (
            not self.regions or reader.regions is None or bool(set(self.regions) & reader.regions)
        )


def sentence(words: Sequence[str]) -> str:
    return f"{' '.join(words).capitalize()}."


def pages(
    said: Sequence[str], audience: st.SearchStrategy[tuple[str, ...]], *extra: str
) -> st.SearchStrategy[Page]:
    spoken = st.lists(st.sampled_from([*said, *SMALL]), min_size=3, max_size=9).map(sentence)
    return st.builds(
        Page,
        audience=audience,
        regions=st.sampled_from([(), (), (REGIONS[0],)]),
        owner=st.sampled_from([f"{word}@larkfield.example" for word in said[:3]]),
        title=st.sampled_from([word.capitalize() for word in said]),
        heading=st.sampled_from([word.capitalize() for word in said]),
        sentences=st.lists(st.one_of(spoken, *map(st.just, extra)), min_size=1, max_size=4).map(tuple),
    )


open_pages = pages(OPEN, st.just(()))
restricted_pages = pages(
    (*CANARIES, *OPEN),
    st.sampled_from([("people-team",), ("board",), GROUPS]),
    "The quiet falcon ledger (QFL) is opened by the board.",
    "Brimquill pays severance of nine months.",
)
readers = st.builds(
    Reader,
    today=st.just(TODAY),
    audiences=st.sampled_from([frozenset({"everyone"}), *(frozenset({"everyone", one}) for one in GROUPS)]),
    regions=st.sampled_from([None, frozenset(REGIONS[:1]), frozenset(REGIONS[1:])]),
)
questions = st.lists(
    st.sampled_from([*OPEN, *CANARIES, *MISSPELT, *SMALL, "expence", "recieptt"]), min_size=1, max_size=6
).map(" ".join)


@contextmanager
def library(kept: Sequence[tuple[int, Page]]) -> Iterator[tuple[Library, Shelf]]:
    """Build an edition of pages, each under the same name wherever it is built."""
    room = Path(tempfile.mkdtemp())
    try:
        (room / "source").mkdir()
        for number, page in kept:
            (room / "source" / f"page-{number:02}.md").write_text(page.text())
        edition = build(room / "home", [Folder(room / "source")], Words(), Heard())
        try:
            yield Library(edition, Words()), Shelf(room / "home", Words(), CurrentFile(room / "home"))
        finally:
            edition.close()
    finally:
        shutil.rmtree(room)


def told(answer: Answer) -> dict[str, Any]:
    """Return all that an answer says but for the edition's id and how long it took."""
    said = answer.as_json() | {
        "owner": answer.owner,
        "whole": [
            {name: getattr(one, name) for name in one.__slots__ if name != "edition"}
            for one in (*answer.citations, *answer.passages)
        ],
    }
    del said["edition"], said["timings_ms"]
    for citation in said["citations"]:
        del citation["edition"]
    return json.loads(json.dumps(said))  # type: ignore[no-any-return]  # plain JSON


def rounded(value: Any) -> Any:
    """Return figures to six places: the last bits of a product depend on how many rows a matrix has."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list) else value


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    shown=st.lists(open_pages, min_size=1, max_size=4),
    kept=st.lists(restricted_pages, min_size=1, max_size=4),
    reader=readers,
    asked=st.lists(st.tuples(questions, st.lists(questions, max_size=2)), min_size=1, max_size=6),
)
@example(
    shown=[
        Page((), (), "it@larkfield.example", "Laptop", "Notice", ("Laptop approval is for the manager.",))
    ],
    kept=[
        Page(
            ("board",),
            (),
            "owlmoor@larkfield.example",
            "Quiet",
            "Ledger",
            ("The quiet falcon ledger (QFL) is it.",),
        )
    ],
    reader=Reader(today=TODAY),
    asked=[("falkon approval", []), ("what is QFL", ["severence"]), ("falcon", ["quiet ledger"])],
)
def test_an_outsider_is_told_what_they_would_be_told_without_the_document(
    shown: list[Page], kept: list[Page], reader: Reader, asked: list[tuple[str, list[str]]]
) -> None:
    numbered = list(enumerate([*kept[:2], *shown, *kept[2:]]))
    own = [(number, page) for number, page in numbered if page.is_for(reader)]
    if not own:
        return
    with library(numbered) as (whole, _), library(own) as (alone, _):
        for question, history in asked:
            with_it = told(whole.ask(question, reader=reader, history=history))
            without = told(alone.ask(question, reader=reader, history=history))
            assert rounded(with_it) == rounded(without), (question, history)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    shown=st.lists(open_pages, min_size=1, max_size=3),
    kept=st.lists(restricted_pages, min_size=1, max_size=4),
    asked=st.lists(questions, min_size=1, max_size=6),
)
def test_no_canary_reaches_an_outsider_by_any_way(
    shown: list[Page], kept: list[Page], asked: list[str]
) -> None:
    numbered = list(enumerate([*shown, *kept]))
    outsider = Reader(today=TODAY)
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with library(numbered) as (whole, shelf):
            for question in asked:
                answer = whole.ask(question, reader=outsider)
                said = told(answer)
                del said["question"]  # their own words
                assert not canaries(json.dumps(said)), (question, said)
                printed = Console(file=io.StringIO(), width=200)
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(knowledge, "Console", lambda printed=printed, **_: printed)
                    knowledge._print_answer(answer)
                assert isinstance(printed.file, io.StringIO)
                assert not canaries(printed.file.getvalue())
            for number, page in numbered[len(shown) :]:
                for anchor in ("", page.title.lower(), page.heading.lower()):
                    assert shelf.section(f"page-{number:02}.md", anchor, outsider) is None
            assert not canaries(heard.getvalue())
            with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is, it must not tell
                whole.ask("brimquill " * 900, reader=outsider)
            assert "owlmoor" not in str(caught.value)
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


def canaries(text: str) -> list[str]:
    low = text.lower()
    return [word for word in CANARIES if word in low]


def test_a_source_of_documents_for_others_answers_nothing_at_all() -> None:
    page = Page(
        ("board",), (), "owlmoor@larkfield.example", "Falcon", "Ledger", ("Severance is nine months.",)
    )
    with library([(0, page)]) as (whole, _):
        answer = whole.ask("severance months", reader=Reader(today=TODAY))
    assert (answer.status, answer.passages, answer.owner, answer.confidence) == ("not_covered", (), "", 0.0)


def test_insiders_do_get_it() -> None:
    page = Page(
        ("board",), (), "owlmoor@larkfield.example", "Falcon", "Ledger", ("Severance is nine months.",)
    )
    with library([(0, page)]) as (whole, _):
        answer = whole.ask("severence months", reader=Reader(today=TODAY, audiences=frozenset({"board"})))
    assert "Severance is nine months." in answer.answer
