"""Pure: whether a message is an explicit request in the first person, and what it says in its own words.

In doubt it is not. A request that is missed costs the person a click; one that nobody made costs trust.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from bot.language.reading import Message, Sentence, Span, misspellings, spelled
from bot.language.slots import Found, Line, read_follow_up, read_lead, read_tail, skip
from bot.language.vocabulary import (
    AFTER_OPTION,
    DETERMINERS,
    DOUBT,
    LEADS,
    PARTICULARS,
    PREAMBLE,
    PREPOSITIONS,
    QUESTION_WORDS,
    REPORTS,
    SPELLED,
    WorkflowHints,
)

_LONGEST = 2_000  # words in a message; anything longer is reading matter
_LONGEST_LEAD = 40  # words before the request, as in "To close the quarter, I need …"
_OPENER = 24  # words in which an opening such as "could you please give me" is looked for
_PLEASE = frozenset({"please", "pls", "plz"})

_SOFT = r"(?:(?:please|pls|plz|kindly|just|really|urgently|also|now|still|quickly) )*"
_GIVE = (
    r"(?:give|grant|get|provide|assign|arrange|sort) me (?:with )?"
    r"|(?:add|put) me (?:in|into|to|on) (?:to )?"
    r"|let me (?:in |into |have |use |access )|make me (?:a )?member of |request |apply for "
)
_TO_HAVE = (
    r"to (?:have |get |obtain |request |use |access |join |apply for |ask for |get into |gain "
    r"|be (?:in |added to |given |granted |put into |put in ))"
)
_WISH = (
    r"(?:need|want|wanna|require|request|hereby request|would like|would love|would appreciate"
    r"|am requesting|am asking for|am after) "
)
_THAT = r"(?:that|this|it)"
_CANCELLED = re.compile(
    rf"\b(?:never ?mind|just kidding|only kidding|joking|forget (?:{_THAT}|about it)|scratch that"
    rf"|ignore {_THAT}|cancel {_THAT}|not really|don't bother"
    r"|actually no|on second thoughts?|wait no|no thanks)\b"
)
_TAG = re.compile(
    r"(?:(?:so|and|please|,) )*(?:ok|okay|thanks|please|possible"
    rf"|(?:is|would) {_THAT} (?:be )?(?:ok|okay|possible|fine|alright)"
    rf"|(?:can|could|would|will) you (?:please )?(?:help|help me|do {_THAT}|sort {_THAT}(?: out)?"
    rf"|arrange {_THAT}|set {_THAT} up)(?: with {_THAT})?(?: for me)?)(?: ,)?(?: please)?"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What a request says: slot -> value, and slot -> where the person wrote it."""

    slots: Mapping[str, str] = field(default_factory=dict)
    spans: Mapping[str, Span] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Grammar:
    spelling: Mapping[str, str]
    opener: re.Pattern[str]
    nouns: frozenset[tuple[str, ...]]
    options: Mapping[str, str]  # "billingdb" -> "billing-db"
    nearly: frozenset[str]  # misspelt options


def asked(message: Message, hints: WorkflowHints) -> Asked | None:
    """What is requested of the workflow, or None where the message is no request for it."""
    if sum(len(sentence.words) for sentence in message.sentences) > _LONGEST:
        return None
    grammar, found, first = _grammar(hints), Found(), None
    lines = [_line(message, sentence, grammar) for sentence in message.sentences]
    for at, line in enumerate(lines):
        if _CANCELLED.search(" ".join(line.words)):
            return None
        if _request(line, grammar, hints, found):
            if at and REPORTS.intersection(lines[at - 1].words):
                return None
            first = at if first is None else first
        elif _is_question(line):
            return None
    if first is None:
        return None
    if first + 1 < len(lines):
        read_follow_up(lines[first + 1], found)
    return _said(message, hints, found)


def filled(message: Message, hints: WorkflowHints) -> Asked:
    """What the message says about a request that the person has already chosen to make (`/request …`)."""
    grammar, found = _grammar(hints), Found()
    for sentence in message.sentences:
        line = _line(message, sentence, grammar)
        end = 0
        for at in range(len(line.words)):
            if option := _option(line.words, at, grammar):
                name, end = option
                found.options.setdefault(name, line.span(at, end))
        if end:
            read_tail(line, skip(line.words, end, AFTER_OPTION), found, rest=True)
        else:
            read_follow_up(line, found)
    return _said(message, hints, found)


def _line(message: Message, sentence: Sentence, grammar: _Grammar) -> Line:
    return Line(sentence, spelled(sentence.words, grammar.spelling), message.text)


@lru_cache(maxsize=64)
def _grammar(hints: WorkflowHints) -> _Grammar:
    keys: dict[str, set[str]] = {}
    for option in hints.options:
        keys.setdefault(_key(option), set()).add(option)
    options = {key: next(iter(names)) for key, names in keys.items() if len(names) == 1}
    return _Grammar(
        spelling=misspellings(SPELLED | {noun for noun in hints.nouns if " " not in noun}),
        opener=_opener(hints),
        nouns=frozenset(tuple(noun.split()) for noun in hints.nouns),
        options=options,
        nearly=frozenset(misspellings(key for key in options if len(key) >= 6)) - frozenset(options),
    )


def _opener(hints: WorkflowHints) -> re.Pattern[str]:
    """How a request begins: told ("could you please add me to"), may ("can I have"), or a wish ("I need")."""
    verbs = "|".join(rf"{re.escape(verb)} " for verb in sorted(hints.verbs, key=len, reverse=True)) or "(?!)"
    someone = r"(?:i|i'd|id) "
    parts = (
        rf"(?P<told>{_SOFT}(?:(?:can|could|would|will) you {_SOFT}"
        rf"|{someone}{_SOFT}(?:need|want|would like|like) you to )?(?:{_GIVE}|{verbs})"
        rf"|would you mind (?:giving me |granting me |adding me to |putting me in(?:to)? ))",
        rf"(?P<may>(?:can|could|may|might) i {_SOFT}"
        r"(?:have |get |request |be (?:added to |given |granted )))",
        rf"{someone}{_SOFT}(?:need|want|wanna|would like|like) to (?:{verbs})",
        rf"(?:i'd|id) {_SOFT}(?:like|love|appreciate) (?:{_TO_HAVE})?",
        rf"i {_SOFT}{_WISH}(?:{_TO_HAVE})?",
        rf"need (?:{_TO_HAVE})?",
        r"(?:i'm )?(?:requesting|asking for) |i'm after ",
    )
    return re.compile("|".join(parts))


def _key(name: str) -> str:
    return re.sub(r"[\s._/-]", "", name.casefold())


def _request(line: Line, grammar: _Grammar, hints: WorkflowHints, found: Found) -> bool:
    """Whether the sentence is a request; if so, what it says is added to `found`."""
    for at in _starts(line.words):
        opened = grammar.opener.match(" ".join(line.words[at : at + _OPENER]) + " ")
        if opened is None:
            continue
        is_wish = not opened["told"] and not opened["may"]
        if (line.sentence.asks and is_wish) or (opened["may"] and not _PLEASE.intersection(line.words)):
            return False
        here = Found()
        end = _object(line, at + opened[0].count(" "), grammar, hints, here)
        if end is None or not (read_tail(line, end, here) or _is_detail(line.words, end, hints)):
            return False
        read_lead(line, at, here)
        found.add(here)
        return True
    return False


def _starts(words: Sequence[str]) -> list[int]:
    """Where a request may begin: after greetings, or after a lead such as "To close the quarter,"."""
    at = 0
    while at < len(words) and (words[at].startswith("@") or words[at] in PREAMBLE):
        if words[at] == "request" and words[at + 1 : at + 2] != (":",):
            break
        at += 1
    starts = [at]
    if at < len(words) and words[at] in LEADS:
        for end in range(at + 1, min(len(words), at + _LONGEST_LEAD)):
            if words[end] in DOUBT:
                break
            if words[end] in {",", "so", "and", "-", ";"}:
                starts.append(end + 1)
    return starts


def _object(line: Line, at: int, grammar: _Grammar, hints: WorkflowHints, found: Found) -> int | None:
    """Where the object ends; None where it is not the workflow's."""
    words = line.words
    at = skip(words, at, DETERMINERS)
    if (end := _options(line, at, grammar, found)) is not None:
        return end
    noun = max((name for name in grammar.nouns if words[at : at + len(name)] == name), key=len, default=None)
    if noun is None:
        return None
    at += len(noun)
    if not hints.options or at >= len(words) or words[at] not in PREPOSITIONS:
        return at
    after = skip(words, at + 1, DETERMINERS)
    for start in (after, skip(words, after, AFTER_OPTION)):
        if (end := _options(line, start, grammar, found)) is not None:
            return end
    if after < len(words) and words[after] in hints.targets:
        return after + 1
    return at if words[at] == "for" else None


def _options(line: Line, at: int, grammar: _Grammar, found: Found) -> int | None:
    """Read "billing-db", "Billing DB group", "billing-db and crm-readers"; where they end."""
    end: int | None = None
    while option := _option(line.words, at, grammar):
        name, end = option
        found.options.setdefault(name, line.span(at, end))
        end = skip(line.words, end, AFTER_OPTION)
        at = skip(line.words, end, {"and", ",", "&"})
        at = skip(line.words, at, DETERMINERS) if at > end else len(line.words)
    if end is None and at < len(line.words) and _key(line.words[at]) in grammar.nearly:
        end = skip(line.words, at + 1, AFTER_OPTION)  # meant, but not said: the form asks which
    return end


def _option(words: Sequence[str], at: int, grammar: _Grammar) -> tuple[str, int] | None:
    for length in (3, 2, 1):
        if at + length <= len(words):
            name = grammar.options.get(_key("".join(words[at : at + length])))
            if name is not None:
                return name, at + length
    return None


def _is_detail(words: Sequence[str], at: int, hints: WorkflowHints) -> bool:
    """Whether a workflow with no closed list is told its particulars: "a meeting on Friday at 3"."""
    known = at < len(words) and (words[at] in PARTICULARS or words[at][0].isdigit())
    return known and not hints.options and not (DOUBT - {"may"}).intersection(words[at:])


def _is_question(line: Line) -> bool:
    """Whether a sentence beside the request asks something of its own."""
    at = skip(line.words, 0, PREAMBLE)
    asks = line.sentence.asks or (at < len(line.words) and line.words[at] in QUESTION_WORDS)
    return asks and _TAG.fullmatch(" ".join(line.words[at:] or line.words)) is None


def _said(message: Message, hints: WorkflowHints, found: Found) -> Asked:
    slots: dict[str, str] = {}
    spans: dict[str, Span] = {}
    if hints.choice and len(found.options) == 1:
        ((slots[hints.choice], spans[hints.choice]),) = found.options.items()
    if hints.duration and len(found.days) == 1:
        ((days, spans[hints.duration]),) = found.days.items()
        slots[hints.duration] = str(days)
    if hints.reason and found.reason is not None:
        spans[hints.reason] = found.reason
        slots[hints.reason] = message.text[slice(*found.reason)]
    return Asked(slots=slots, spans=spans)
