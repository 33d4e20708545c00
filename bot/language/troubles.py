"""Something does not work: what people write when they want it looked at, and ask for nothing by name."""

import re
from collections.abc import Sequence

from bot.language.asking import Asked
from bot.language.reading import Message, Sentence
from bot.language.vocabulary import PREAMBLE, QUESTION_WORDS, REPORTS, WorkflowHints

_LONGEST = 120  # words of a message; who writes more is asked what is meant
_POLITE = re.compile(
    r"(?:can|could|would|will) (?:you|someone|somebody|anyone|anybody) |(?:please|pls|help) "
)
_SUPPOSED = frozenset(["if", "suppose", "supposing", "imagine", "hypothetically", "assuming", "unless"])


def troubled(message: Message, hints: WorkflowHints) -> Asked | None:
    """What a workflow for troubles is told: all of the message, where one sentence names one; else None.

    A question beside it is a question, unless it only asks politely.
    """
    if not hints.things or sum(len(sentence.words) for sentence in message.sentences) > _LONGEST:
        return None
    found = False
    for sentence in message.sentences:
        words = [word.form for word in sentence.words]
        said = " ".join(_after_greeting(words))
        if REPORTS.intersection(words) or said.partition(" ")[0] in _SUPPOSED:
            return None
        if _is_question(sentence, said) and not _POLITE.match(f"{said} "):
            return None
        found = found or (_names(said, hints.things) and _names(said, hints.troubles))
    if not found:
        return None
    return Asked(slots={hints.text: message.text}, spans={hints.text: (0, len(message.text))})


def _after_greeting(words: Sequence[str]) -> Sequence[str]:
    at = next((at for at, word in enumerate(words) if word not in PREAMBLE), len(words))
    return words[at:]


def _is_question(sentence: Sentence, said: str) -> bool:
    return sentence.asks or said.partition(" ")[0] in QUESTION_WORDS


def _names(said: str, known: frozenset[str]) -> bool:
    """Whether one of the words or groups of words stands in a sentence, also with an "s" behind it."""
    return any(re.search(rf"(?<![\w-]){re.escape(one)}(?:s|es)?(?![\w-])", said) for one in known)
