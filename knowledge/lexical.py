"""The lexical index: BM25 over stemmed words.

Passages are grouped by who may read their documents, and a reader's scores are made of the groups that admit
them alone: how rare a word is, and whether it is known at all, tells nothing about what they may not read.
That is what the usual libraries, whose scores are finished when the index is built, cannot do.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import Stemmer  # type: ignore[import-not-found]  # a compiled module without stubs
from numpy.typing import NDArray

WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
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
    plain = text.casefold()
    if not plain.isascii():
        marks = unicodedata.normalize("NFKD", plain)
        plain = "".join(mark for mark in marks if not unicodedata.combining(mark))
    return [word.replace("\u2019", "'") for word in WORD.findall(plain)]


def terms(text: str) -> list[str]:
    """Return the stems of a text's words that say something."""
    kept = [word.removesuffix("'s") for word in words(text) if word not in STOP]
    stems: list[str] = _stemmer().stemWords(kept)
    return stems


K1, B = 1.2, 0.75  # of BM25, as Lucene has it
_ARRAYS = ("starts", "places", "counts", "lengths", "order", "bounds")
Integers = NDArray[np.int64]


class Lexical:
    """The words of one edition's passages.

    `order` holds the passages' numbers, group by group; group g is `order[bounds[g]:bounds[g + 1]]`. Word w
    stands `counts[n]` times in the passage at place `places[n]` of that order, for n from `starts[w]` to
    `starts[w + 1]`.
    """

    def __init__(self, words: Sequence[str], arrays: dict[str, NDArray[np.int32]]) -> None:
        self._words = words
        self._arrays = arrays
        self._known = {word: number for number, word in enumerate(words)}

    @classmethod
    def build(cls, texts: Sequence[str], groups: Sequence[int] | None = None) -> Lexical:
        """Index texts; `groups` names the group of each, from 0 on. Without it they are one group."""
        group = np.zeros(len(texts), dtype=np.int64) if groups is None else np.asarray(groups, dtype=np.int64)
        order = np.argsort(group, kind="stable")
        known: dict[str, int] = {}
        found, counts, sizes = [], [], []
        for number in order:
            stems = [known.setdefault(stem, len(known)) for stem in terms(texts[number])]
            different, times = np.unique(np.array(stems, dtype=np.int64), return_counts=True)
            found.append(different)
            counts.append(times)
            sizes.append(len(stems))
        words = sorted(known)
        rank = np.empty(len(words), dtype=np.int64)
        rank[[known[word] for word in words]] = np.arange(len(words))
        ids = rank[np.concatenate(found)] if words else np.zeros(0, dtype=np.int64)
        places = np.repeat(np.arange(len(texts)), [len(one) for one in found])
        by_word = np.argsort(ids, kind="stable")
        arrays = {
            "starts": np.concatenate([[0], np.cumsum(np.bincount(ids, minlength=len(words)))]),
            "places": places[by_word],
            "counts": np.concatenate(counts)[by_word],
            "lengths": np.array(sizes),
            "order": order,
            "bounds": np.concatenate([[0], np.cumsum(np.bincount(group))]),
        }
        return cls(words, {name: array.astype(np.int32) for name, array in arrays.items()})

    def save(self, folder: Path) -> None:
        """Write the index into a new folder."""
        folder.mkdir()
        (folder / "words.json").write_text(json.dumps(self._words, ensure_ascii=False), encoding="utf-8")
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", self._arrays[name])

    @classmethod
    def open(cls, folder: Path) -> Lexical:
        """Open a saved index; its arrays stay on disk until they are used. Raises OSError and ValueError."""
        words = json.loads((folder / "words.json").read_text(encoding="utf-8"))
        return cls(words, {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _ARRAYS})

    def seen(self, groups: Collection[int] | None = None) -> Seen:
        """Return the index as those see it whom these groups admit; all of it without `groups`."""
        bounds = self._arrays["bounds"]
        admitted = range(len(bounds) - 1) if groups is None else sorted(groups)
        ranges: list[tuple[int, int]] = []
        for first, last in ((int(bounds[group]), int(bounds[group + 1])) for group in admitted):
            if ranges and ranges[-1][1] == first:
                ranges[-1] = (ranges[-1][0], last)
            else:
                ranges.append((first, last))
        return Seen(self._known, self._arrays, ranges)


class Seen:
    """The lexical index as far as a reader's groups reach. Scores are zero outside."""

    def __init__(
        self, known: dict[str, int], arrays: dict[str, NDArray[np.int32]], ranges: Sequence[tuple[int, int]]
    ) -> None:
        self._known = known
        self._starts, self._places, self._counts = arrays["starts"], arrays["places"], arrays["counts"]
        self._order = arrays["order"]
        self._edges = np.array(ranges, dtype=np.int64).reshape(-1)
        lengths = arrays["lengths"]
        self._size = sum(last - first for first, last in ranges)
        total = sum(int(lengths[first:last].sum()) for first, last in ranges)
        mean = total / self._size if total else 1.0
        self._norm = (K1 * (1 - B + B * lengths / mean)).astype(np.float32)

    def scores(self, stems: Sequence[str]) -> NDArray[np.float32]:
        """Return each passage's score for these stems, in the order of the edition."""
        placed = np.zeros(len(self._order), dtype=np.float32)
        for stem in stems:
            runs = list(self._runs(stem))
            rarity = np.float32(self._rarity(sum(last - first for first, last in runs)))
            for first, last in runs:
                places, times = self._places[first:last], self._counts[first:last].astype(np.float32)
                placed[places] += rarity * times / (times + self._norm[places])
        scores = np.empty_like(placed)
        scores[self._order] = placed
        return scores

    def count(self, stem: str) -> int:
        """Return how many passages hold a stem."""
        return sum(last - first for first, last in self._runs(stem))

    def rarity(self, stem: str) -> float:
        """Return a stem's inverse document frequency; a stem that occurs nowhere is the rarest."""
        return self._rarity(self.count(stem))

    def _rarity(self, count: int) -> float:
        return math.log(1 + (self._size - count + 0.5) / (count + 0.5))

    def _runs(self, stem: str) -> Iterator[tuple[int, int]]:
        """Yield where, among the places of all words, those of a stem stand that are seen."""
        number = self._known.get(stem)
        if number is None:
            return
        start = int(self._starts[number])
        cuts = np.searchsorted(self._places[start : int(self._starts[number + 1])], self._edges) + start
        for first, last in zip(cuts[::2], cuts[1::2], strict=True):
            if first < last:
                yield int(first), int(last)
