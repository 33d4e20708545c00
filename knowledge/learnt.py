"""What documents teach about words: kept apart by who may read them, put together for a reader."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from knowledge.glossary import explained
from knowledge.lexical import words

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
_CAPITALS = re.compile(r"[A-Z][A-Z0-9]{1,6}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Learnt:
    """Counts, so that those of several groups of documents can be added up."""

    meanings: dict[str, dict[str, int]]  # acronym -> how often it is said to mean what
    capitals: dict[str, int]  # how often each word that may be an acronym stands there
    words: dict[str, int]  # how often each word stands there, less than nothing where never in small letters


def learn(texts: Iterable[str]) -> Learnt:
    """Return what texts teach."""
    meanings: defaultdict[str, Counter[str]] = defaultdict(Counter)
    capitals: Counter[str] = Counter()
    total: Counter[str] = Counter()
    small: set[str] = set()
    for text in texts:
        for short, meaning in explained(text):
            meanings[short][meaning] += 1
        total.update(words(text))
        for word in _WORD.findall(text):
            if word == word.lower():
                small.add(word)
            elif _CAPITALS.fullmatch(word):
                capitals[word] += 1
    return Learnt(
        meanings={short: dict(sorted(said.items())) for short, said in sorted(meanings.items())},
        capitals=dict(sorted(capitals.items())),
        words={word: count if word in small else -count for word, count in sorted(total.items())},
    )


def acronyms(learnt: Sequence[Learnt]) -> dict[str, str]:
    """Return the acronyms that documents explain, "Paid Time Off (PTO)", with what most of them say it means.

    Left out are those that the documents go on to use by themselves: there the acronym itself finds what is
    asked for, and its meaning beside it would only make the question look better covered.
    """
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    whole: Counter[str] = Counter()
    for one in learnt:
        whole.update(one.capitals)
        for short, meanings in one.meanings.items():
            found[short].update(meanings)
    return {
        short: min(meanings, key=lambda meaning: (-meanings[meaning], meaning))
        for short, meanings in sorted(found.items())
        if whole[short] <= meanings.total()
    }


def vocabulary(learnt: Sequence[Learnt]) -> dict[str, int]:
    """Return how often each word stands in documents, as less than nothing where never in small letters."""
    total: Counter[str] = Counter()
    small: set[str] = set()
    for one in learnt:
        for word, count in one.words.items():
            total[word] += abs(count)
            if count > 0:
                small.add(word)
    return {word: count if word in small else -count for word, count in sorted(total.items())}


def save(path: Path, groups: Sequence[Learnt]) -> None:
    """Write down what each group of documents teaches."""
    data = [{"meanings": one.meanings, "capitals": one.capitals, "words": one.words} for one in groups]
    path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")


def read(path: Path) -> list[Learnt]:
    """Return what was saved. Raises OSError, ValueError, KeyError and TypeError."""
    return [Learnt(**one) for one in json.loads(path.read_text(encoding="utf-8"))]
