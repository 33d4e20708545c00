"""A question in the documents' words: typing errors, acronyms, and other words for the same thing."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from knowledge.learnt import Learnt, acronyms, vocabulary
from knowledge.lexical import STOP, terms, words

_SYNONYMS = Path(__file__).with_name("synonyms.txt")
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
_SHORTEST = 5  # letters of a word whose spelling is corrected
_LONG = 8  # from here on two errors are forgiven
_OTHERS = 2  # words for the same thing that are read with a word


class Wording:
    """How documents say things."""

    def __init__(self, acronyms: dict[str, str], vocabulary: dict[str, int]) -> None:
        self._acronyms = acronyms
        self._vocabulary = vocabulary
        self._stems = frozenset(terms(" ".join(vocabulary)))
        self._near: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
        for word in vocabulary:
            if word.isalpha():
                self._near[word[0], len(word)].append(word)

    @classmethod
    def of(cls, learnt: Sequence[Learnt]) -> Wording:
        """Return the wording of all documents that something was learnt from."""
        return cls(acronyms(learnt), vocabulary(learnt))

    def reworded(self, text: str, common: Callable[[str], bool]) -> str:
        """Return a question in words that the documents have.

        Acronyms get their meaning beside them. A word that is in no document gets words for the same thing
        beside it or, where nobody knows the word (`common` says whether it is an everyday one), gives way to
        the word of the documents that it is a misspelling of.
        """
        spelt = _WORD.sub(lambda match: self._spelt(match[0], common), text)
        return self._beside(_WORD.sub(lambda match: self._explained(match[0]), spelt))

    def _explained(self, word: str) -> str:
        meaning = self._acronyms.get(word.upper().removesuffix("'S"))
        written = word.isupper() or (len(word) > 2 and self._vocabulary.get(word.casefold(), 0) <= 0)
        return f"{word} ({meaning})" if meaning and written else word

    def _spelt(self, word: str, common: Callable[[str], bool]) -> str:
        low = word.casefold()
        if len(low) < _SHORTEST or not low.isalpha() or self._says(low) or low.upper() in self._acronyms:
            return word
        if common(low) or any(low in group for group in _single_synonyms()):
            return word
        limit = 2 if len(low) >= _LONG else 1
        near = [
            (errors, -abs(self._vocabulary[other]), other)
            for length in range(len(low) - limit, len(low) + limit + 1)
            for other in self._near.get((low[0], length), [])
            if (errors := misspelt(low, other)) <= limit
        ]
        return min(near)[2] if near else word

    def _says(self, phrase: str) -> bool:
        """Tell whether the documents hold all words of a phrase, in any form."""
        return self._stems.issuperset(terms(phrase))

    def _beside(self, text: str) -> str:
        """Return a text with words for the same thing beside it, for those that are in no document."""
        plain = f" {' '.join(words(text))} "
        added: list[str] = []
        for group in _synonyms():
            asked = [one for one in group if re.search(rf" {re.escape(one.casefold())}s? ", plain)]
            if asked and not any(self._says(one) for one in asked):
                added += [one for one in group if one not in asked and self._says(one)][:_OTHERS]
        return f"{text} ({', '.join(added)})" if added else text


@cache
def _synonyms() -> tuple[tuple[str, ...], ...]:
    lines = _SYNONYMS.read_text(encoding="utf-8").splitlines()
    return tuple(
        tuple(one.strip() for one in line.split(",")) for line in lines if line and not line.startswith("#")
    )


@cache
def _single_synonyms() -> tuple[frozenset[str], ...]:
    return tuple(frozenset(words(" ".join(group))) - STOP for group in _synonyms())


def misspelt(one: str, other: str) -> int:
    """Return how many letters are missing, added, wrong or swapped with the next between two words."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for down, letter in enumerate(one, start=1):
        older, before, row = before, row, [down]
        for right, match in enumerate(other, start=1):
            cost = min(before[right] + 1, row[-1] + 1, before[right - 1] + (letter != match))
            swapped = down > 1 and right > 1 and letter == other[right - 2] and one[down - 2] == match
            row.append(min(cost, older[right - 2] + 1) if swapped else cost)
    return row[-1]
