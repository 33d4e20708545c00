"""Handbooks that nobody wrote, of any size: as files for an ingest, and as an edition with random vectors."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np

from knowledge.build import build
from knowledge.documents import Block, Document, Terms, parts_of
from knowledge.edition import open_current
from knowledge.embedder import WIDTH, Reading, Spanned, Vectors
from knowledge.errors import KnowledgeError
from knowledge.sources.base import Entry, Problem
from knowledge.tokens import SHORT
from tests.unit.knowledge.conftest import Heard

SECTIONS = 40  # of a document, each a passage
GROUPS = ("everyone", "everyone", "people-team", "finance", "it")  # audiences, in turn
_SYLLABLES = (
    "ba",
    "con",
    "der",
    "fi",
    "gu",
    "hol",
    "in",
    "ker",
    "lo",
    "mas",
    "nor",
    "pe",
    "qui",
    "ras",
    "tu",
    "ver",
)
_WORDS = 20_000


def words(count: int, chance: np.random.Generator) -> list[str]:
    """Return words as a text has them: few of them often, most of them rarely."""
    ranks = np.minimum(chance.zipf(1.3, size=count), _WORDS) - 1
    return [_word(int(rank)) for rank in ranks]


def _word(rank: int) -> str:
    said = ""
    while True:
        said += _SYLLABLES[rank % len(_SYLLABLES)]
        rank //= len(_SYLLABLES)
        if not rank:
            return said


def sentence(chance: np.random.Generator) -> str:
    """Return about sixteen words with a number among them."""
    said = words(15, chance)
    return f"{' '.join(said).capitalize()} {chance.integers(1, 999)}."


def write_files(folder: Path, documents: int, sections: int = 7) -> None:
    """Write Markdown files, the same ones each time."""
    folder.mkdir(parents=True)
    for number in range(documents):
        chance = np.random.default_rng(number)
        text = [f"# Policy {number} {' '.join(words(3, chance))}\n"]
        for section in range(sections):
            text.append(f"## Section {section} {' '.join(words(2, chance))}\n")
            text.append(" ".join(sentence(chance) for _ in range(6)) + "\n")
        (folder / f"policy-{number:04}.md").write_text("\n".join(text), encoding="utf-8")


class Documents:
    """A source of as many documents as it takes for that many passages."""

    name, state = "synthetic", ""

    def __init__(self, passages: int) -> None:
        self._count = passages // SECTIONS

    def entries(self) -> Iterator[Entry | Problem]:
        """Yield one entry for each document."""
        for number in range(self._count):
            name = f"policy-{number:05}.md"
            digest = hashlib.sha256(name.encode()).hexdigest()
            yield Entry(document=name, sha256=digest, reader=lambda number=number: _document(number))  # type: ignore[misc]


def _document(number: int) -> Document:
    chance = np.random.default_rng(number)
    title = f"Policy {number} {' '.join(words(2, chance))}"
    blocks = []
    for section in range(SECTIONS):
        blocks.append(Block(kind="heading", level=2, text=f"Section {section} {' '.join(words(2, chance))}"))
        blocks.append(Block(kind="paragraph", text=" ".join(sentence(chance) for _ in range(4))))
    return Document(
        document=f"policy-{number:05}.md",
        title=title,
        terms=Terms(owner="owner@x.example", audience=frozenset({GROUPS[number % len(GROUPS)]})),
        parts=parts_of(blocks),
        sha256=hashlib.sha256(title.encode()).hexdigest(),
    )


class Chance:
    """Vectors of chance, of the shapes that the model makes."""

    fingerprint = "chance-1"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one row for each text."""
        return np.stack([self._reading(place, 1).whole for place in range(len(texts))])

    def knows(self, word: str) -> bool:
        """Know no word."""
        return not word

    def read(self, texts: Sequence[Spanned], done: Callable[[int], None] | None = None) -> list[Reading]:
        """Return readings of about six tokens for every span."""
        return [self._reading(place, len(spans)) for place, (_, spans) in enumerate(texts)]

    @staticmethod
    def _reading(seed: int, spans: int) -> Reading:
        chance = np.random.default_rng(seed)
        rows = chance.standard_normal((spans + 1, WIDTH), dtype=np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        counts = np.array([8] + [24] * spans, dtype=np.int32)
        tokens = chance.integers(-40, 40, size=(int(counts.sum()), SHORT), dtype=np.int8)
        return Reading(whole=rows[0], spans=rows[1:].astype(np.float16), tokens=tokens, counts=counts)


def edition(home: Path, passages: int) -> None:
    """Make an edition of that many passages serve in a home of its own, unless it is there already."""
    try:
        found = open_current(home)
    except KnowledgeError:
        pass
    else:
        found.close()
        return
    kept: list[Vectors] = []
    with (
        patch("knowledge.vectors.write", lambda folder, matrix, *_: kept.append(matrix)),
        patch("knowledge.vectors.read", lambda folder: kept[-1]),
        patch("knowledge.cache.read", lambda path, embedder, texts, done, note: embedder.read(texts)),
    ):
        build(home, [Documents(passages)], Chance(), Heard()).close()
