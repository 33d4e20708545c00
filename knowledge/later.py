"""The sentence model, loaded at the first text: an ingest that finds nothing new never needs it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from knowledge.embedder import MiniLM, Reading, Spanned, Vectors

NAME = "all-minilm-l6-v2-int8-1"  # a new number when the graph or its quantisation changes


def fingerprint(hashes: dict[str, str]) -> str:
    """Return what names a model: its name, and the hash of its graph."""
    return f"{NAME}:{hashes['model.onnx'][:16]}"


class Later:
    """An embedder that knows its fingerprint at once and loads when it is needed."""

    def __init__(self, home: Path) -> None:
        self._home = home

    @cached_property
    def _model(self) -> MiniLM:
        from knowledge import embedder  # noqa: PLC0415 - the reason for this class

        return embedder.load(self._home)

    @cached_property
    def fingerprint(self) -> str:
        """Names the model. Read from beside it; loading it checks that it is true."""
        try:
            path = self._home / "models" / NAME / "hashes.json"
            return fingerprint(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError):
            return self._model.fingerprint

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one row for each text, in order."""
        return self._model.embed(texts)

    def knows(self, word: str) -> bool:
        """Tell whether a word in small letters is an everyday one, and not a misspelling."""
        return self._model.knows(word)

    def read(self, texts: Sequence[Spanned], done: Callable[[int], None] | None = None) -> list[Reading]:
        """Read texts with spans of interest."""
        return self._model.read(texts, done)
