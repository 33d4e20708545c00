"""Whether two statements about the same thing say different things: other numbers, dates or amounts, or a no.

A false alarm costs trust in every answer, so two sentences must share most of their words, and all that one
says in a kind of figure must differ from all that the other says in it: in every kind that both speak of, or
in one where the sentences are the same but for their figures.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from knowledge.lexical import STOP, terms
from knowledge.quotes import Quote, quoted, stems_of

SHARED = 0.7  # of the words of the shorter statement, those that the other must share
ALIKE = 0.5  # and of the words of both together
NEAR = 4.0  # how far below the best quote one may score that contradicts another
MOST = 3  # quotes in an answer
FEWEST = 3  # words that must be shared, unless the sentences are alike but for their figures
_NAMES = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen twenty
"""
_WORDS = {name: str(value) for value, name in enumerate(_NAMES.split())} | {
    "thirty": "30",
    "forty": "40",
    "fifty": "50",
    "sixty": "60",
    "ninety": "90",
    "hundred": "100",
}
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_AMOUNT = r"(?P<amount>\d[\d,.']*\d|\d)"
_CODE = "EUR|USD|CAD|GBP|CHF|AUD"
_MONEY = re.compile(
    rf"(?P<before>[$€£¥]|\b(?:{_CODE}))\s?{_AMOUNT}"
    rf"|{_AMOUNT.replace('amount', 'sum')}\s?(?P<after>[$€£¥]|(?:{_CODE}|euros?|dollars?)\b)"
)
_DATE = re.compile(rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}\b", re.IGNORECASE)
_DATE_TOO = re.compile(rf"\b{_MONTH}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b(?!\s*[:%])", re.IGNORECASE)
_CLOCK = re.compile(r"\b(\d{1,2})(?:[:.](\d\d))?\s?(am|pm|a\.m\.|p\.m\.)|\b(\d{1,2}):(\d\d)\b", re.IGNORECASE)
_COUNT = re.compile(
    rf"(?<![\w.])(?P<count>\d[\d,.']*\d|\d|(?:{'|'.join(_WORDS)})\b)\)?(?P<percent>\s?%)?"
    r"(?P<rest>(?:[\s-]+[a-z]+){0,3})",
    re.IGNORECASE,
)
_MEASURES = frozenset(
    terms(
        "second minute hour day week month year quarter time character letter digit percent kilometre"
        " kilometer mile metre meter people person employee guest item copy night session attempt"
    )
)
_NO = re.compile(
    r"\b(?:not|never|no|none|nor|cannot|prohibited|forbidden|banned|disallowed|ineligible|denied)\b|n['\u2019]t\b",
    re.IGNORECASE,
)
# Words that set two statements apart: "the first review" and "the second review" do not disagree.
_APART = frozenset(
    terms(
        "first second third fourth last next previous minimum maximum least most full part short long"
        " early late internal external domestic international paid unpaid new old junior senior single double"
    )
)
_ALLOWED = frozenset(terms("allowed permitted"))  # as "prohibited" is a no, these are only its absence
_NAME = re.compile(r"(?<=[a-z,;0-9)] )(?:[A-Z][\w&-]*|[A-Z]{2,})")
_SAME = {"€": "eur", "$": "usd", "£": "gbp", "¥": "jpy", "euro": "eur", "dollar": "usd"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """What a sentence says, taken apart."""

    words: frozenset[str]  # stems, without figures and negations
    names: frozenset[str]  # words written as names inside the sentence
    figures: dict[str, frozenset[str]]  # kind, such as `day` or `eur`, to values
    negative: bool


@lru_cache(maxsize=4096)
def statement(text: str) -> Statement:
    """Take a sentence apart."""
    figures: defaultdict[str, set[str]] = defaultdict(set)
    rest = _without(text, figures)
    words = frozenset(
        stem
        for stem in terms(_NO.sub(" ", rest))
        if not stem.isdigit() and stem not in _WORDS and stem not in _ALLOWED
    )
    return Statement(
        words=words,
        names=frozenset(
            stem for name in _NAME.findall(rest) for stem in terms(name) if name.lower() not in STOP
        ),
        figures={kind: frozenset(values) for kind, values in figures.items()},
        negative=bool(_NO.search(text)),
    )


def _without(text: str, figures: defaultdict[str, set[str]]) -> str:
    """Gather the figures of a text and return what is left of it."""

    def money(match: re.Match[str]) -> str:
        unit = (match["before"] or match["after"]).casefold().removesuffix("s")
        figures[_SAME.get(unit, unit)].add(_value(match["amount"] or match["sum"]))
        return " "

    def day(match: re.Match[str]) -> str:
        figures["date"].add(f"{match['month'][:3].casefold()} {int(match['day'])}")
        return " "

    def clock(match: re.Match[str]) -> str:
        hour, minute = int(match[1] or match[4]), match[2] or match[5] or "00"
        hour += 12 if (match[3] or "").casefold().startswith("p") and hour < 12 else 0
        figures["clock"].add(f"{hour}:{minute}")
        return " "

    for pattern, taken in ((_MONEY, money), (_DATE, day), (_DATE_TOO, day), (_CLOCK, clock)):
        text = pattern.sub(taken, text)
    for match in _COUNT.finditer(text):
        kind = (
            "percent" if match["percent"] else next((s for s in terms(match["rest"]) if s in _MEASURES), "")
        )
        if kind:
            figures[kind].add(_value(_WORDS.get(match["count"].casefold(), match["count"])))
    return text


def _value(amount: str) -> str:
    """Return a number in one form: 1,500.00 and 1500 are the same."""
    plain = re.sub(r"[,'](?=\d{3}\b)", "", amount)
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _alike(first: frozenset[str], second: frozenset[str]) -> bool:
    """Tell whether statements with these words are about the same thing."""
    shared = len(first & second)
    if (first ^ second) & _APART:
        return False
    if first == second:
        return shared >= FEWEST - 1
    fewer = min(len(first), len(second))
    return shared >= max(FEWEST, SHARED * fewer) and shared >= ALIKE * len(first | second)


def disagree(one: str, other: str) -> bool:
    """Tell whether two sentences say different things about the same thing."""
    first, second = statement(one), statement(other)
    if not _alike(first.words, second.words):
        return False
    if first.names - second.names - second.words or second.names - first.names - first.words:
        return False  # about other places, products or people
    kinds = first.figures.keys() & second.figures.keys()
    others = [kind for kind in kinds if not first.figures[kind] & second.figures[kind]]
    if kinds:
        return len(others) == len(kinds) or (bool(others) and first.words == second.words)
    return first.negative != second.negative and first.words == second.words


def contradicted(
    kept: Sequence[Quote], found: Sequence[Quote]
) -> tuple[list[Quote], list[tuple[Quote, Quote]]]:
    """Return quotes, each followed by what contradicts it in another document, and these pairs."""
    pairs: list[tuple[Quote, Quote]] = []
    for quote in kept:
        if not any(quote is other for _, other in pairs):
            other = _other_side(quote, found, kept[0].score - NEAR)
            if other is not None:
                pairs.append((quote, other))
    in_pairs = [quote for pair in pairs for quote in pair]
    places = {(quote.span.document, quote.span.part, quote.place) for quote in in_pairs}
    rest = [quote for quote in kept if (quote.span.document, quote.span.part, quote.place) not in places]
    return (in_pairs + rest[: max(0, MOST - len(in_pairs))]) if pairs else list(kept), pairs


def _other_side(quote: Quote, found: Sequence[Quote], least: float) -> Quote | None:
    stems = stems_of(quote.unit.text)
    for other in found:
        if other.score < least:
            return None
        held = stems_of(other.unit.text)
        if (
            other.span.document != quote.span.document
            and 2 * len(stems & held) >= min(len(stems), len(held))
            and disagree(quoted(quote.unit), quoted(other.unit))
        ):
            return other
    return None
