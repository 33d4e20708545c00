"""A question in the documents' words: typing errors, acronyms, and other words for the same thing."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

from knowledge.lexical import STOP, terms, words

_SYNONYMS = Path(__file__).with_name("synonyms.txt")
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
_ACRONYM = re.compile(r"\(([A-Z][A-Z0-9&]{1,6})s?\)")
_SHORTEST = 5  # letters of a word whose spelling is corrected
_LONG = 8  # from here on two errors are forgiven
_OTHERS = 2  # words for the same thing that are read with a word


def acronyms(texts: Iterable[str]) -> dict[str, str]:
    """Return the acronyms that texts explain, "Paid Time Off (PTO)", with what most of them say it means.

    Left out are those that the texts go on to use by themselves: there the acronym itself finds what is asked
    for, and its meaning beside it would only make the question look better covered.
    """
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    texts = list(texts)
    for text in texts:
        for match in _ACRONYM.finditer(text):
            meaning = _meaning(match[1], text[: match.start()])
            if meaning:
                found[match[1]][meaning] += 1
    whole = Counter(word for text in texts for word in _WORD.findall(text) if word in found)
    return {
        short: meanings.most_common(1)[0][0]
        for short, meanings in sorted(found.items())
        if whole[short] <= meanings.total()
    }


def _meaning(short: str, before: str) -> str:
    """Return the words just before an acronym whose first letters it is made of, or nothing."""
    said = re.findall(r"[^\W_]+", before[-120:])
    letters = short.replace("&", "").casefold()
    last = said[-len(letters) :]
    if "".join(word[0] for word in last).casefold() == letters:
        return " ".join(last).casefold()
    return ""


def vocabulary(texts: Iterable[str]) -> dict[str, int]:
    """Return how often each word stands in texts, as less than nothing where never in small letters."""
    total: Counter[str] = Counter()
    small: set[str] = set()
    for text in texts:
        total.update(words(text))
        small.update(word for word in _WORD.findall(text) if word == word.lower())
    return {word: count if word in small else -count for word, count in sorted(total.items())}


class Wording:
    """How the documents of one edition say things."""

    def __init__(self, acronyms: dict[str, str], vocabulary: dict[str, int]) -> None:
        self._acronyms = acronyms
        self._vocabulary = vocabulary
        self._stems = frozenset(terms(" ".join(vocabulary)))
        self._near: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
        for word in vocabulary:
            if word.isalpha():
                self._near[word[0], len(word)].append(word)

    @classmethod
    def of(cls, texts: Sequence[str]) -> Wording:
        """Learn from texts."""
        return cls(acronyms(texts), vocabulary(texts))

    @classmethod
    def open(cls, path: Path) -> Wording:
        """Read what was saved. Raises OSError and ValueError."""
        data = json.loads(path.read_text(encoding="utf-8"))
        return cls(data["acronyms"], data["vocabulary"])

    def save(self, path: Path) -> None:
        """Write it down."""
        data = {"acronyms": self._acronyms, "vocabulary": self._vocabulary}
        path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")

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
