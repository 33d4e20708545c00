"""Does a sentence say what its passage says? Nothing else of a model's text reaches a reader.

A sentence is supported if it reads, in the words that carry meaning, as a sentence of the passage does:
whole, in order, nothing added. Only this may differ: a leading or closing condition may change places with
the main clause; reasons, purposes and examples may be left out; "you" may stand for the employee.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from knowledge.meaning import (
    AFTER,
    ALLOWED,
    ATLEAST,
    ATMOST,
    BECAUSE,
    BEFORE,
    CANNOT,
    EXAMPLE,
    IF,
    MAY,
    MUST,
    NOT,
    OVER,
    PER,
    PERIODS,
    STAFF,
    UNDER,
    UNLESS,
    UNTIL,
    YOU,
    YOUR,
    Token,
    read,
)
from knowledge.sentences import split

LONGEST = 700  # characters of a sentence
_ADDRESS = re.compile(r"://|www\.|\bmailto\b|\w@\w|[^\W\d_]{2,}\.[^\W\d_]{2,}", re.IGNORECASE)
_BRACKETS = re.compile(r"\s*\((?:(?:e\.\s?g\.|for example|such as|including)[^()]*|(?P<short>[A-Z]{2,6}))\)")
_PLAIN = re.compile(r"[^\W_]|[ .,;:()'\"\u2018\u2019\u201c\u201d\u2013\u2014/&%°$€£-]")
_CONDITIONS = frozenset({IF, UNLESS, BEFORE, AFTER, UNTIL, "once", "while", "where", "although", "except"})
_CHOICES = frozenset({"or", "nor", "either", "neither"})
_BINDING = _CONDITIONS | _CHOICES | {
    MUST, MAY, ALLOWED, CANNOT, NOT, ATLEAST, ATMOST, OVER, UNDER, PER, "only", "should", "never", "without",
    "within", "any", "all", "both", "none", "forbidden", "prohibited", "required",
}  # fmt: skip
_ASIDE = frozenset({BECAUSE, EXAMPLE, "to", "so"})  # how a reason, a purpose or examples begin
_LEFT_OUT = frozenset({
    "strictly", "however", "therefore", "additionally", "furthermore", "moreover", "please", "simply",
    "kindly", "that", "this", "these", "those", "there",
})  # fmt: skip
_JOINING = frozenset({"and", "but"})
_PAUSED = frozenset({"and", "or", "but", "as", YOU})  # a comma may stand before them
_NEGATIONS = frozenset({NOT, CANNOT, "never", "without", "nor", "none"})
_NAMING = _JOINING | {"for", "of"}  # between the cells of a row
_ALL = frozenset({"all", "any", PER})
_OF_OTHERS = frozenset({"their", "his", "her"})
_OTHERS = frozenset({"they", "he", "she", "them"})
_PERSON = re.compile(r"(?:[^s]s|er|or|ee|ist|[ae]nt|ian|head|lead|man|person|body|one|chief|colleague)$")


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of a passage, or a cell of a table's row with what names it, in each order of saying it.

    `binding`: it holds a number or a condition, which must not be lost.
    """

    forms: tuple[str, ...]
    binding: bool
    cell: bool = False


def statements(passage: str) -> tuple[Statement, ...]:
    """Return what a passage states, in order."""
    lines = [line for line in passage.splitlines() if line.strip()]
    table = [[cell.strip() for cell in line.split("|")] for line in lines]
    if len(table) == 2 and len(table[0]) == len(table[1]) > 1:
        names, cells = table
        named = zip(names[1:], cells[1:], strict=True)
        return tuple(_cell(cells[0], name, cell) for name, cell in named if cell)
    found = [sentence for line in lines for sentence in split(line)]
    return tuple(Statement(_with_and_without_asides(text), _binds(text)) for text in found)


def _with_and_without_asides(text: str) -> tuple[str, ...]:
    """Return a text, and the same without brackets that hold examples or an abbreviation."""
    shorter = " ".join(_BRACKETS.sub(_unless_telling, text).split())
    return (text, shorter) if shorter != text else (text,)


def _unless_telling(bracket: re.Match[str]) -> str:
    """Return nothing for examples and for the initials of the words before; else the bracket."""
    short = bracket["short"]
    before = bracket.string[: bracket.start()].split()[-len(short or "") :]
    return bracket[0] if short and "".join(word[0] for word in before).upper() != short else ""


def _cell(subject: str, name: str, cell: str) -> Statement:
    forms = (f"{subject}: {name}: {cell}", f"{name}: {subject}: {cell}")
    return Statement(forms, _binds(cell), cell=True)


def supported(sentence: str, statement: Statement) -> bool:
    """Tell whether a sentence says what a statement says, and holds no sign, link or mention."""
    words = read(sentence) if len(sentence) <= LONGEST and is_plain(sentence) else None
    if not words:
        return False
    joining = _NAMING if statement.cell else _JOINING
    return any(_same(words, order, joining) for form in statement.forms for order in _orders(form))


def is_plain(sentence: str) -> bool:
    """Tell whether a text is letters, figures and everyday punctuation, with no address in it."""
    return _ADDRESS.search(sentence) is None and all(map(_PLAIN.fullmatch, sentence))


def _binds(text: str) -> bool:
    words = read(text)
    return words is None or any(token.is_number or token.word in _BINDING for token in words)


@lru_cache(maxsize=256)
def _orders(statement: str) -> tuple[tuple[Token, ...], ...]:
    """Return the orders in which a statement may be said: `ends` marks where a clause ends."""
    clauses = list(_clauses(read(statement) or ()))
    whole = [clauses, clauses[:-1]] if _ends_in_an_aside(clauses) else [clauses]
    found = []
    for kept in whole:
        found.append(_joined(kept))
        if len(kept) == 2 and sum(clause[0].word in _CONDITIONS for clause in kept) == 1:
            found.append(_joined(kept[::-1]))
    return tuple(order for order in found if order)


def _clauses(tokens: Sequence[Token]) -> Iterator[tuple[Token, ...]]:
    """Cut a sentence after punctuation and before a condition or a reason."""
    clause: list[Token] = []
    for place, token in enumerate(tokens):
        opens = token.word in _CONDITIONS | {BECAUSE} and not (place and _bound(tokens[place - 1]))
        if clause and opens:
            yield tuple(clause)
            clause = []
        clause.append(token)
        if token.ends:
            yield tuple(clause)
            clause = []
    if clause:
        yield tuple(clause)


def _bound(token: Token) -> bool:
    """Tell a word that a condition cannot be parted from: "only if", "5 days before"."""
    return token.word in {"only", "even", "or", "and", NOT} or token.word.removesuffix("s") in PERIODS


def _ends_in_an_aside(clauses: Sequence[Sequence[Token]]) -> bool:
    """Tell whether a sentence ends in a reason, a purpose or an example that may be left out.

    Nothing binding may be in it; and where there is a choice, or a negation that it may belong to, it stays.
    """
    if len(clauses) < 2 or clauses[-1][0].word not in _ASIDE or len(clauses[-1]) < 3:
        return False
    before = {token.word for clause in clauses[:-1] for token in clause}
    if clauses[-1][0].word != EXAMPLE and before & (_CHOICES | _NEGATIONS):
        return False
    return not any(token.is_number or token.word in _BINDING for token in clauses[-1])


def _joined(clauses: Sequence[Sequence[Token]]) -> tuple[Token, ...]:
    return tuple(
        replace(token, ends="," if place == len(clause) - 1 else "")
        for clause in clauses
        for place, token in enumerate(clause)
    )


def _same(words: Sequence[Token], order: Sequence[Token], joining: frozenset[str]) -> bool:
    """Tell whether words say an order of a statement: each one in turn, none added, none lost."""
    at = 0
    edge = True  # a clause begins here
    addressed = False  # "you" has stood for the employee
    negated = False  # the clause has said "not" before
    last: Token | None = None
    for place, token in enumerate(words):
        while at < len(order) and not _matches(token, order[at], last, addressed=addressed):
            if not _may_be_left_out(order, at, token, edge=edge):
                break
            edge = edge or bool(order[at].ends)
            at += 1
        else:
            if at == len(order):
                return False
            negated = order[at].word in _NEGATIONS or (negated and not edge)
            if token.ends and not order[at].ends and not _may_pause(words, place, negated=negated):
                return False
            if token.word == YOU and order[at].word in {STAFF, YOU}:
                addressed = True
            elif _PERSON.search(order[at].word):
                addressed = False  # "their" may now be somebody else's
            edge, last = bool(order[at].ends), order[at]
            at += 1
            continue
        if edge and token.word in joining and not token.ends:
            continue
        return False
    return all(token.word in _LEFT_OUT for token in order[at:])


def _may_pause(words: Sequence[Token], place: int, *, negated: bool) -> bool:
    """Tell whether punctuation may follow where the statement has none: at the end, or before "and"."""
    if place == len(words) - 1:
        return True
    return words[place].ends == "," and words[place + 1].word in _PAUSED and not negated


def _may_be_left_out(order: Sequence[Token], at: int, token: Token, *, edge: bool) -> bool:
    word = order[at].word
    if word in _LEFT_OUT or (edge and word in _JOINING):
        return True
    if word == PER and token.one and token.word in PERIODS:
        return True  # "a year" for "per year"
    following = order[at + 1] if at + 1 < len(order) else None
    return token.word == YOU and word in _ALL and following is not None and following.word == STAFF


def _matches(token: Token, meant: Token, last: Token | None, *, addressed: bool) -> bool:
    """Tell whether a word of a sentence stands for a word of the statement, after the word `last` of it."""
    if token.word == STAFF == meant.word:
        return token.said.removesuffix("s") == meant.said.removesuffix("s")
    if token.keys & meant.keys or (token.word == MAY and meant.word == ALLOWED):
        return not (meant.word == NOT and meant.ends and not token.ends)
    if token.word == YOU:
        return meant.word == STAFF or (addressed and meant.word in _OTHERS)
    if token.word == YOUR:
        return (addressed and meant.word in _OF_OTHERS) or meant.said in {"employee's", "employees'"}
    after_person = last is not None and (last.word in {YOU, STAFF, "they"} or last.is_number)
    if after_person and _stripped(token.word) & _stripped(meant.word):
        return True
    return _progressive(token, meant) or _progressive(meant, token)


def _stripped(word: str) -> set[str]:
    """Return a word with and without the ending of a third person or a plural."""
    found = {word}
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        found.add(word[:-1])
    if len(word) > 4 and word.endswith("es"):
        found.add(word[:-2])
    if len(word) > 4 and word.endswith("ies"):
        found.add(f"{word[:-3]}y")
    return found


def _progressive(token: Token, other: Token) -> bool:
    """Tell whether one is "is taking" where the other is "take" or "takes"."""
    if not (token.progressive and token.word.endswith("ing") and len(token.word) > 5):
        return False
    stem = token.word.removesuffix("ing")
    bases = {stem, f"{stem}e", stem[:-1] if stem[-1:] == stem[-2:-1] else stem}
    return bool(bases & _stripped(other.word))
