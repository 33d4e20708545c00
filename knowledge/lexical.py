"""The lexical index: BM25 over stemmed words."""

from __future__ import annotations

import logging
import math
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import bm25s  # type: ignore[import-untyped]  # ships no stubs
import numpy as np
import Stemmer  # type: ignore[import-not-found]  # a compiled module without stubs
from numpy.typing import NDArray

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
# Words that say nothing about a topic. Negations, numbers and question words of amount stay.
_STOP = """
a an and are as at be been being but by can could did do does for from had has have he her him his how i
if in into is it its just may me might my of on or our ours shall she should so some such than that the
their them then there these they this those to up us was we were what when where which while who whom
why will with would you your yours i'm i've i'd i'll it's that's what's who's where's when's how's
there's let's we're you're they're am im ive ok okay please hi hello hey also any get got
"""
STOP = frozenset(_STOP.split())


@lru_cache(maxsize=1)
def _stemmer() -> Stemmer.Stemmer:
    return Stemmer.Stemmer("english")


def words(text: str) -> list[str]:
    """Return a text's words, lower case, without accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(mark for mark in plain if not unicodedata.combining(mark))
    return [word.replace("\u2019", "'") for word in _WORD.findall(plain)]


def terms(text: str) -> list[str]:
    """Return the stems of a text's words that say something."""
    kept = [word.removesuffix("'s") for word in words(text) if word not in STOP]
    stems: list[str] = _stemmer().stemWords(kept)
    return stems


class Lexical:
    """BM25 over the passages of one edition."""

    def __init__(self, index: bm25s.BM25) -> None:
        self._index = index
        self._size = int(index.scores["num_docs"])

    @classmethod
    def build(cls, texts: Sequence[str]) -> Lexical:
        """Index texts in order."""
        logging.getLogger("bm25s").setLevel(logging.WARNING)  # it asks for DEBUG by itself
        index = bm25s.BM25(k1=1.2, b=0.75)
        index.index([terms(text) or [""] for text in texts], show_progress=False)
        return cls(index)

    def save(self, folder: Path) -> None:
        """Write the index into a new folder."""
        self._index.save(str(folder))

    @classmethod
    def open(cls, folder: Path) -> Lexical:
        """Open a saved index; its arrays stay on disk until they are used."""
        return cls(bm25s.BM25.load(str(folder), mmap=True))

    def scores(self, stems: Sequence[str]) -> NDArray[np.float32]:
        """Return each passage's score for these stems."""
        known = [stem for stem in stems if stem in self._index.vocab_dict]
        if not known:
            return np.zeros(self._size, dtype=np.float32)
        scores: NDArray[np.float32] = self._index.get_scores(known)
        return scores

    def count(self, stem: str) -> int:
        """Return how many passages hold a stem."""
        place = self._index.vocab_dict.get(stem)
        if place is None:
            return 0
        bounds = self._index.scores["indptr"]
        return int(bounds[place + 1] - bounds[place])

    def rarity(self, stem: str) -> float:
        """Return a stem's inverse document frequency; a stem that occurs nowhere is the rarest."""
        count = self.count(stem)
        return math.log(1 + (self._size - count + 0.5) / (count + 0.5))

    @property
    def vocabulary(self) -> dict[str, int]:
        """Stem to place."""
        found: dict[str, int] = self._index.vocab_dict
        return found
