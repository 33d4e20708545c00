"""A small, quick embedder and a way to ingest a handful of files."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from knowledge.build import build
from knowledge.edition import Edition, Reader
from knowledge.embedder import WIDTH, Reading, Spanned, Vectors
from knowledge.lexical import terms
from knowledge.sources.base import Problem
from knowledge.sources.folder import Folder
from knowledge.tokens import shortened

TODAY = date(2026, 6, 1)
EVERYONE = Reader(today=TODAY)


class Words:
    """Vectors of words: texts are as near as the words they share. No model, no wait."""

    fingerprint = "words-1"

    def __init__(self) -> None:
        self.embedded: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        return np.stack([_vector(text) for text in texts])

    def knows(self, word: str) -> bool:
        return word in {"zebra", "volcano"}

    def read(self, texts: Sequence[Spanned], done: Callable[[int], None] | None = None) -> list[Reading]:
        self.embedded += [text for text, _ in texts]
        return [_reading(text, spans) for text, spans in texts]


def _reading(text: str, spans: Sequence[tuple[int, int]]) -> Reading:
    pieces = [text[: spans[0][0]] if spans else text, *(text[start:end] for start, end in spans)]
    said = [[_vector(stem) for stem in terms(piece)] for piece in pieces]
    return Reading(
        whole=_vector(text),
        spans=np.array([_vector(text[start:end]) for start, end in spans]).reshape(-1, WIDTH),
        tokens=shortened(np.array([vector for piece in said for vector in piece]).reshape(-1, WIDTH)),
        counts=np.array([len(piece) for piece in said], dtype=np.int32),
    )


def _vector(text: str) -> Vectors:
    vector = np.zeros(WIDTH, dtype=np.float32)
    for stem in terms(text):
        vector[int.from_bytes(hashlib.sha256(stem.encode()).digest()[:4]) % WIDTH] += 1
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


@dataclass
class Heard:
    """What a build said."""

    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    steps: list[tuple[str, int, int]] = field(default_factory=list)
    hidden: dict[str, dict[str, int]] = field(default_factory=dict)

    def step(self, name: str, done: int, total: int) -> None:
        self.steps.append((name, done, total))

    def problem(self, problem: Problem) -> None:
        self.problems.append(problem)

    def removed(self, document: str, hidden: Mapping[str, int]) -> None:
        self.hidden[document] = dict(hidden)

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def words() -> Words:
    return Words()


@pytest.fixture
def heard() -> Heard:
    return Heard()


Ingest = Callable[[dict[str, str | bytes]], Edition]


@pytest.fixture
def ingest(tmp_path: Path, words: Words, heard: Heard) -> Ingest:
    """Write files into one source folder and build an edition of it in `tmp_path/home`."""
    source = tmp_path / "source"

    def run(files: dict[str, str | bytes]) -> Edition:
        for name, content in files.items():
            path = source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return build(tmp_path / "home", [Folder(source)], words, heard)

    return run
