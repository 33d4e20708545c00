"""Pure: what a request says after its object: for how long, and why. Always in the person's own words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.language.reading import Sentence, Span
from bot.language.vocabulary import (
    DOUBT,
    FILLERS,
    MONTHS_AND_DAYS,
    NUMBERS,
    PREAMBLE,
    SOMEONE_ELSE,
    STATES,
    UNITS,
    VAGUE,
    VAGUE_UNITS,
)

_LONGEST_REASON = 500  # characters; a longer one is left for the form
_REASON = re.compile(
    r"(?:because of|because|due to|in order to|so that|so|since|as|while|reason :|reason is|to|for)(?= )"
    r"(?: i (?:can|could|may|am able to)(?= ))?"
)
_UNTIL = frozenset({"until", "till", "til"})
_AFTER_DATE = frozenset({",", "-", "to", "for", "because", "so", "since", "please"})
_ASIDE = frozenset({",", "-", "(", ";"})
_IDLE = FILLERS - {"only"}  # "only 3 days" is read as one
_BEFORE_LENGTH = frozenset({"the", "next", "another", "just", "only", "exactly"})


@dataclass(kw_only=True, slots=True)
class Found:
    """What has been read so far. Two options, or two durations, are none: the form asks which."""

    options: dict[str, Span] = field(default_factory=dict)
    days: dict[int, Span] = field(default_factory=dict)
    reason: Span | None = None

    def add(self, other: "Found") -> None:
        """Take over what the other has; a reason is kept once given."""
        self.options |= other.options
        self.days |= other.days
        self.reason = self.reason or other.reason


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence with its spelling put right, and the text that it stands in."""

    sentence: Sentence
    words: tuple[str, ...]
    text: str

    def span(self, start: int, end: int) -> Span:
        """Where the words from `start` up to `end` stand in the text."""
        return self.sentence.words[start].span[0], self.sentence.words[end - 1].span[1]


def skip(words: Sequence[str], at: int, over: frozenset[str] | set[str]) -> int:
    """The first place from `at` on that holds none of `over`."""
    while at < len(words) and words[at] in over:
        at += 1
    return at


def read_tail(line: Line, at: int, found: Found, *, rest: bool = False) -> bool:
    """Read what follows the object: a duration, a reason, politeness. False where anything else follows.

    `rest`: whatever follows is the reason.
    """
    words = line.words
    while at < len(words):
        if length := _duration(line, at, found) or _polite_if(words, at) or _vague(words, at):
            at += length
        elif words[at] in _UNTIL:
            at = _after_date(words, at + 1)
        elif words[at : at + 2] == ("for", "me"):
            at += 2
        elif opened := _REASON.match(" ".join(words[at : at + 8]) + " "):
            return _reason(line, at, opened[0].count(" ") + 1, found)
        elif words[at] in _ASIDE and _is_aside(words, at + 1):
            return _reason(line, at, 1, found)
        elif words[at] in _ASIDE:  # nothing follows as far as the next word that says something
            at = skip(words, at + 1, _IDLE)
        elif words[at] in FILLERS:
            at += 1
        else:
            return rest and _reason(line, at, 0, found)
    return True


def read_lead(line: Line, at: int, found: Found) -> None:
    """The reason in "To close the quarter, I need …", for a request that begins at `at`."""
    begin = skip(line.words, 0, PREAMBLE)
    if found.reason is None and begin < at - 1 and (opened := _REASON.match(" ".join(line.words[begin:at]))):
        start = begin + opened[0].count(" ") + 1
        if _duration(line, begin, found) == 0 and start < at - 1:
            found.reason = _reason_span(line, start, at - 1)


def read_follow_up(line: Line, found: Found) -> None:
    """The next sentence may give what is missing: "It's for 3 days." "Reason: quarter close." """
    at = 0
    if line.words[:1] and line.words[0] in {"it's", "its", "it", "this", "that's", "that"}:
        at = 2 if line.words[1:2] == ("is",) else 1
    here = Found()
    if not line.sentence.asks and at < len(line.words) and read_tail(line, at, here):
        found.add(here)


def _polite_if(words: Sequence[str], at: int) -> int:
    return next(
        (
            len(said)
            for said in (("if", "possible"), ("if", "you", "can"))
            if words[at : at + len(said)] == said
        ),
        0,
    )


def _is_aside(words: Sequence[str], at: int) -> bool:
    """Whether the rest is a reason without a word that says so: "for 3 days, quarter close"."""
    at = skip(words, at, FILLERS)
    rest = words[at:]
    begins = bool(rest) and not rest[0][0].isdigit() and rest[0] not in NUMBERS
    opens = _REASON.match(" ".join(rest[:3]) + " ") is not None
    return begins and len(rest) >= 2 and not opens and not DOUBT.intersection(rest)


def _duration(line: Line, at: int, found: Found) -> int:
    """How many words say a number of days here; 0 for none."""
    words = line.words
    start = at + 1 if words[at] == "for" else at
    end = start + skip(words[start : start + 4], 0, _BEFORE_LENGTH)
    if end < len(words) and (joined := re.fullmatch(r"([0-9]{1,4})-?(d|days?|weeks?)", words[end])):
        number, unit, end = int(joined[1]), joined[2], end + 1
    elif end + 1 < len(words) and (count := _count(words[end])) is not None:
        number, unit, end = count, words[end + 1], end + 2
    else:
        return 0
    if unit in {"hour", "hours"} and number % 24 == 0:
        number, unit = number // 24, "days"
    if unit not in UNITS:
        return 0
    found.days.setdefault(number * UNITS[unit], line.span(start, end))
    return end - at


def _count(word: str) -> int | None:
    return int(word) if re.fullmatch(r"[0-9]{1,4}", word) else NUMBERS.get(word)


def _vague(words: Sequence[str], at: int) -> int:
    """How many words say a time that is no number of days: "for 2-3 days", "for a few hours"."""
    end = start = at + 1 if words[at] == "for" else at
    if start < len(words) and words[start] in {"-", "."}:
        return 0
    while end < len(words) and end < at + 8 and words[end] not in VAGUE_UNITS:
        if not (words[end] in VAGUE or words[end] in NUMBERS or words[end][0].isdigit()):
            return 0
        end += 1
    return end + 1 - at if end < len(words) and words[end] in VAGUE_UNITS else 0


def _after_date(words: Sequence[str], at: int) -> int:
    """Past "Friday" or "the 3rd of March". The days are not counted here: the form asks for them."""
    for end in range(at, min(len(words), at + 5)):
        if words[end] in _AFTER_DATE:
            return end
    return min(len(words), at + 5)


def _reason(line: Line, at: int, length: int, found: Found) -> bool:
    """Take the rest of the sentence as the reason. False where it shows that the request is no one's own."""
    words, start = line.words, at + length
    if words[at] == "to" and words[start : start + 1] and words[start] in STATES:
        return False
    if "behalf" in words[start:] or (words[at] == "for" and _is_for_someone_else(line, start)):
        return False
    end = len(words)
    while end > start and words[end - 1] in FILLERS:
        end -= 1
    for close in (2, 3, 4, 5):  # "… to close the quarter for 3 days"
        begin = end - close
        if begin > start and words[begin] == "for" and _duration(line, begin, found) == close:
            end = begin
            break
    if end > start:
        found.reason = _reason_span(line, start, end)
    return True


def _reason_span(line: Line, start: int, end: int) -> Span | None:
    span = line.span(start, end)
    return span if span[1] - span[0] <= _LONGEST_REASON else None


def _is_for_someone_else(line: Line, at: int) -> bool:
    """ "for Noor", "for my colleague", "for @U0123": whoever asks is not who would get it."""
    rest = line.words[at:]
    person = skip(rest, 0, {"my", "our", "the", "a", "an", "new", "another"})
    if person < len(rest) and (rest[person] in SOMEONE_ELSE or rest[person].startswith("@")):
        return _is_alone(rest, person)
    if not rest or not _is_alone(rest, 0):
        return False
    name = line.text[slice(*line.sentence.words[at].span)]
    return name.istitle() and name.isalpha() and rest[0] not in MONTHS_AND_DAYS


def _is_alone(rest: Sequence[str], at: int) -> bool:
    return at + 1 == len(rest) or rest[at + 1] in FILLERS | {"for", "to", "who", "and", "because", "so"}
