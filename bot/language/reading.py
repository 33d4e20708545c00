"""A Slack message as it is read: what the person wrote themselves, cut into sentences and words.

Everything here takes time in proportion to the length of the text.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from bot.language.vocabulary import REAL_WORDS

Span = tuple[int, int]

_LEADING_MENTIONS = re.compile(r"(?:\s*<@[UW][A-Z0-9]+(?:\|[^<>\n]*)?>[\s,:]*)+")
_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>\n]*)?>")
_LABELLED = re.compile(r"<(?:https?://|mailto:|#|!)[^<>|\n]*\|([^<>\n]*)>")
_BROADCAST = re.compile(r"<!(\w+)(?:\^[^<>|\n]*)?>")
_FENCE = re.compile(r"```[^`]*(?:```|\Z)")
_QUOTED_LINE = re.compile(r"^[ \t]*>.*$", re.MULTILINE)
_OPEN, _CLOSE = "\N{LEFT SINGLE QUOTATION MARK}", "\N{RIGHT SINGLE QUOTATION MARK}"
_DASHES = (
    "\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{FIGURE DASH}\N{EN DASH}\N{EM DASH}\N{HORIZONTAL BAR}\N{MINUS SIGN}"
)
_APOSTROPHES = _OPEN + _CLOSE + "\N{MODIFIER LETTER APOSTROPHE}"
_QUOTES = (
    re.compile(r"`([^`\n]*)`"),
    re.compile(r"\"([^\"\n]*)\""),
    re.compile("[“„«]([^“”„«»\n]*)[”“»]"),
    re.compile(r"(?<!\w)'([^'\n]*)'(?!\w)"),
    re.compile(f"{_OPEN}([^{_OPEN}{_CLOSE}\n]*){_CLOSE}(?!\\w)"),
)
_TOKEN = re.compile(r"@?\w+(?:['._/-]\w+)*|\n+|[^\w\s]")
_ENDS = frozenset(".!?…")
_STRETCHED = re.compile(r"([^\W\d_])\1{2,}")
_HIDDEN = "\x00"  # stands where someone else's words stood; part of no word


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """One word or mark: `form` in lower case and plain letters, `span` where it stands in the text."""

    form: str
    span: Span


@dataclass(frozen=True, kw_only=True, slots=True)
class Sentence:
    """Words up to a full stop, a question mark or the end of the line. `asks`: with a question mark."""

    words: tuple[Word, ...]
    asks: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """`text` without leading mentions, Slack's escapes and invisible characters; spans point into it."""

    text: str
    sentences: tuple[Sentence, ...]


def read(text: str) -> Message:
    """Read a message as Slack delivers it. What stands in quotes or in a quoted line is in no sentence."""
    own = _plain(text)
    return Message(text=own, sentences=tuple(_sentences(_own_words(own))))


def spelled(words: Iterable[Word], spelling: Mapping[str, str]) -> tuple[str, ...]:
    """The forms of `words`, with the misspellings in `spelling` put right."""
    return tuple(_spell(word.form, spelling) for word in words)


def misspellings(vocabulary: Iterable[str]) -> dict[str, str]:
    """Likely slips of the pen -> the word meant: a letter lost, doubled, or swapped with its neighbour.

    Letters are never exchanged for others: `feed` is not a slip for `need`. Each word also stands for itself.
    """
    words = frozenset(vocabulary)
    found = {word: word for word in words}
    for word in sorted(words):
        if len(word) >= 4 and word.isalpha():
            for slip in _slips(word):
                if slip not in REAL_WORDS:
                    found.setdefault(slip, word)
    return found


def _slips(word: str) -> Iterable[str]:
    for at in range(1, len(word)):
        if len(word) >= 5:
            yield word[:at] + word[at + 1 :]
        yield word[: at + 1] + word[at:]
        if at + 1 < len(word):
            yield word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _spell(form: str, spelling: Mapping[str, str]) -> str:
    """ "acess" -> "access", "pleeease" -> "please", "hiii" -> "hi"."""
    if not _STRETCHED.search(form):
        return spelling.get(form, form)
    once = _STRETCHED.sub(r"\1", form)
    return spelling.get(_STRETCHED.sub(r"\1\1", form)) or spelling.get(once, once)


def _plain(text: str) -> str:
    text = text.removeprefix(leading[0]) if (leading := _LEADING_MENTIONS.match(text)) else text
    text = _BROADCAST.sub(r"@\1", _LABELLED.sub(r"\1", _MENTION.sub(r"@\1", text)))
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    text = unicodedata.normalize("NFC", text)
    return "".join(letter for letter in text if letter in "\n\t" or _is_visible(letter)).strip()


@lru_cache(maxsize=4096)
def _is_visible(letter: str) -> bool:
    return unicodedata.category(letter) not in {"Cc", "Cf", "Cs"}


@lru_cache(maxsize=4096)
def _fold(letter: str) -> str:
    """The same letter, plain and small, where that is one character; else the letter itself."""
    if letter in _DASHES:
        return "-"
    if letter in _APOSTROPHES:
        return "'"
    plain = unicodedata.normalize("NFKC", letter).casefold()
    return plain if len(plain) == 1 else letter


def _own_words(text: str) -> str:
    """The text folded, as long as it was, without what is quoted. One quoted word alone is a name."""
    for pattern in (_FENCE, _QUOTED_LINE):
        text = pattern.sub(lambda found: _HIDDEN * len(found[0]), text)
    for pattern in _QUOTES:
        text = pattern.sub(_unquote, text)
    return "".join(_fold(letter) for letter in text)


def _unquote(found: re.Match[str]) -> str:
    inner = found[1]
    return f" {inner} " if inner and not re.search(r"\s", inner) else _HIDDEN * len(found[0])


def _sentences(text: str) -> Iterable[Sentence]:
    words: list[Word] = []
    for found in _TOKEN.finditer(text):
        mark = found[0]
        if mark in _ENDS or mark.startswith("\n"):
            if words:
                yield Sentence(words=tuple(words), asks=mark == "?")
            words = []
        else:
            words.append(Word(form=mark, span=found.span()))
    if words:
        yield Sentence(words=tuple(words), asks=False)
