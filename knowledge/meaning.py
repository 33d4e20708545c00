"""A sentence as the words that carry its meaning, so that two wordings of one statement read the same.

What may differ between them is closed and small: articles and forms of "to be", contractions, how a number
is written, the phrases below and those of `equivalents.txt`. All else is kept, in order: every number, name,
negation, modal verb and preposition.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

_EQUIVALENTS = Path(__file__).with_name("equivalents.txt")

_TOKEN = re.compile(
    r"(?P<number>\d+(?:[.:]\d+)*)"
    r"|(?P<word>[^\W\d_]+(?:'[^\W\d_]+)*|[/&%°])"
    r"|(?P<stop>[.,;:()!?\u2014\u2013|\n]|(?<=\s)-(?=\s))"
    r"|(?P<joint>[-\s'\"])"
    r"|(?P<odd>.)"
)
_QUOTES = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2011": "-", "\xa0": " "}
)
# In this order, before a text is cut into words.
_REWRITTEN = (
    (re.compile(r"^\s*(?:yes|no)\s*[,.:;!\u2014\u2013-]\s*", re.IGNORECASE), ""),
    (re.compile(r"\b(?:[A-Za-z]\.){2,}"), lambda match: match[0].replace(".", "")),
    (re.compile(r"(?<=\d),(?=\d{3})"), ""),
    (re.compile(r"(?<=\d):00\b"), ""),
    (re.compile(r"(?<=\d)\s?[-\u2013]\s?(?=\d)"), " to "),
    (re.compile(r"\$\s?(\d+(?:\.\d+)?)"), r"\1 dollar"),
    (re.compile(r"€\s?(\d+(?:\.\d+)?)"), r"\1 euro"),
    (re.compile(r"£\s?(\d+(?:\.\d+)?)"), r"\1 pound"),
    (re.compile(r"(?<=\d)\s?\$"), " dollar"),
    (re.compile(r"(?<=\d)\s?€"), " euro"),
    (re.compile(r"(?<=\d)\s?£"), " pound"),
    (re.compile(r"(?<=[\w,)] )May\b"), "MAY-MONTH"),
    (re.compile(r"\bwon't\b", re.IGNORECASE), "will not"),
    (re.compile(r"\bcan(?:'t| not)\b", re.IGNORECASE), "cannot"),
    (re.compile(r"(?<=\w)n't\b", re.IGNORECASE), " not"),
    (re.compile(r"(?<=\w)'re\b", re.IGNORECASE), " are"),
    (re.compile(r"(?<=\w)'ll\b", re.IGNORECASE), " will"),
    (re.compile(r"(?<=\w)'ve\b", re.IGNORECASE), " have"),
    (re.compile(r"\b(it|that|there|what|who)'s\b", re.IGNORECASE), r"\1 is"),
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FIGURES = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15,
    "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
    "ninety": 90,
}  # fmt: skip
PERIODS = _words("minute hour day week month quarter year")
_UNITS = PERIODS | _words("dollar euro pound percent mile kilometer kilometre")
# Written in capitals for emphasis; other words in capitals are names: "IT" is not "it".
_LOUD = _words("MUST NOT NO ALL ONLY NEVER ALWAYS SHOULD SHALL MAY CANNOT AND OR EVERY ANY")
_FREE = _words("a an the is are am be been being will also")
_ARTICLES = _words("a an the")  # a sentence may begin with one; with "do" or "is" it would ask
_BEING = _words("is are am be been being")

# What words and phrases of one meaning are known by; no word of a text looks like this.
MUST = "=must"
MAY = "=may"
ALLOWED = "=allowed"
CANNOT = "=cannot"
NOT = "=not"
IF = "=if"
UNLESS = "=unless"
BEFORE = "=before"
AFTER = "=after"
UNTIL = "=until"
BECAUSE = "=because"
EXAMPLE = "=example"
ATLEAST = "=atleast"
ATMOST = "=atmost"
OVER = "=over"
UNDER = "=under"
PER = "=per"
STAFF = "=staff"
YOU = "=you"
YOUR = "=your"
_PHRASES = {
    MUST: "must, shall, have to, has to, need to, needs to, required to",
    MAY: "may, can",
    ALLOWED: "allowed to, permitted to",
    CANNOT: "cannot",
    NOT: "not, no, do not, does not",
    IF: "if, when, whenever, in case, in the event that",
    UNLESS: "unless, except if, except when, except for when",
    BEFORE: "before, prior to, ahead of",
    AFTER: "after",
    UNTIL: "until, till",
    BECAUSE: "because",
    EXAMPLE: "for example, eg, such as, including",
    ATLEAST: "at least, minimum of, no less than, no fewer than, not less than",
    ATMOST: "at most, up to, maximum of, no more than, not more than, not exceeding",
    OVER: "more than",
    UNDER: "less than, fewer than",
    PER: "per, each, every",
    STAFF: "employee, employees, team member, team members, staff, staff member, staff members, "
    "members of staff, worker, workers, everyone, everybody",
    YOU: "you, yourself",
    YOUR: "your",
    "to": "to, in order to",
    "they": "they, he or she",
    "their": "their, his or her",
    "them": "them, him or her",
    "or": "or, /",
    "percent": "percent, per cent, %",
}
_BEFORE_NUMBERS = {"over": OVER, "above": OVER, "exceeding": OVER, "under": UNDER, "below": UNDER}


@dataclass(frozen=True, slots=True)
class Token:
    """A word that carries meaning: `word` is what it is known by, `said` is how it stands in the text.

    `ends`: a comma, or a full stop or the like, follows it. `progressive`: a form of "to be" is before it;
    `one`: "a" or "an" is.
    """

    word: str
    said: str
    ends: Literal["", ",", "."] = ""
    progressive: bool = False
    one: bool = False

    @property
    def is_number(self) -> bool:
        """Whether it is a number."""
        return self.word[:1].isdigit()

    @property
    def keys(self) -> frozenset[str]:
        """All that it is known by: itself, and the groups of equivalents that it belongs to."""
        return _groups().get(self.word, frozenset()) | {self.word}


def read(text: str) -> list[Token] | None:
    """Return the words that carry a text's meaning, in order; None where a sign in it has no meaning here."""
    text = unicodedata.normalize("NFC", text).translate(_QUOTES)
    for pattern, better in _REWRITTEN:
        text = pattern.sub(better, text)
    tokens: list[Token] = []
    for match in _TOKEN.finditer(text):
        if match.lastgroup == "odd":
            return None
        if match.lastgroup in {"number", "word"}:
            said = _cased(match[0])
            tokens.append(Token(said, said))
        elif match.lastgroup == "stop" and tokens:
            tokens[-1] = replace(tokens[-1], ends="." if match[0] in ".;:!?|\n" else ",")
    return list(_carrying(_phrased(list(_counted(tokens)))))


def _cased(said: str) -> str:
    """Return a word in small letters, unless its capitals make it another word."""
    return said if len(said) > 1 and said.isupper() and said not in _LOUD else said.lower()


def _counted(tokens: Sequence[Token]) -> Iterator[Token]:
    """Yield tokens with their numbers in figures."""
    tens: Token | None = None  # twenty, before it is known whether five follows
    for token in tokens:
        value = _FIGURES.get(token.word)
        if tens is not None and value is not None and 0 < value < 10:
            yield replace(token, word=str(_TENS[tens.word] + value))
            tens = None
            continue
        if tens is not None:
            yield replace(tens, word=str(_TENS[tens.word]))
            tens = None
        if token.word in _TENS:
            tens = token
        else:
            yield token if value is None else replace(token, word=str(value))
    if tens is not None:
        yield replace(tens, word=str(_TENS[tens.word]))


def _phrased(tokens: list[Token]) -> Iterator[Token]:
    """Yield tokens with phrases of several words as one, the longest first; none goes across punctuation."""
    place = 0
    while place < len(tokens):
        for length in range(min(4, len(tokens) - place), 0, -1):
            words = tokens[place : place + length]
            known = _known().get(" ".join(token.word for token in words))
            if known and not any(token.ends for token in words[:-1]):
                said = " ".join(token.said for token in words)
                yield Token(known, said, words[-1].ends)
                place += length
                break
        else:
            token = tokens[place]
            numbered = tokens[place + 1 : place + 2] and tokens[place + 1].is_number
            word = _BEFORE_NUMBERS.get(token.word, token.word) if numbered else token.word
            if token.word in {"a", "an"} and _counts(tokens, place):
                word = PER
            yield replace(token, word=word)
            place += 1


def _counts(tokens: Sequence[Token], place: int) -> bool:
    """Tell whether an article means "per", as in "2 days a week" and "50 dollars a day"."""
    around = tokens[place - 2 : place] if place >= 2 else ()
    after = tokens[place + 1 : place + 2]
    return (
        bool(around and after)
        and around[0].is_number
        and around[1].word.removesuffix("s") in _UNITS
        and after[0].word in PERIODS
    )


def _carrying(tokens: Iterator[Token]) -> Iterator[Token]:
    """Yield tokens without the words that may be added and left out at will."""
    held: Token | None = None
    free: set[str] = set()
    for token in tokens:
        if token.word in _FREE and (held is not None or token.word in _ARTICLES):
            free.add(token.word)
            if token.ends and held is not None:
                held = replace(held, ends=token.ends)
            continue
        if held is not None:
            yield held
        held = replace(token, progressive=bool(free & _BEING), one=bool(free & {"a", "an"}))
        free = set()
    if held is not None:
        yield held


@cache
def _known() -> dict[str, str]:
    """Phrase to what it is known by."""
    found = {phrase.strip(): word for word, said in _PHRASES.items() for phrase in said.split(",")}
    for group in _lines():
        found.update({phrase: group[0] for phrase in group[1:] if " " in phrase})
    return found


@cache
def _groups() -> dict[str, frozenset[str]]:
    """Word to the groups of equivalents that it belongs to."""
    found: dict[str, frozenset[str]] = {}
    for group in _lines():
        for word in group:
            found[word] = found.get(word, frozenset()) | {f"~{group[0]}"}
    return found


@cache
def _lines() -> tuple[tuple[str, ...], ...]:
    lines = _EQUIVALENTS.read_text(encoding="utf-8").splitlines()
    return tuple(
        tuple(word.strip() for word in line.split(",")) for line in lines if line and not line.startswith("#")
    )
