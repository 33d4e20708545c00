"""Pure: what a message is. It never does anything, and in doubt a message is a question.

Deterministic, without a model, and in time proportional to the length of the text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from bot.language.asking import Asked, asked, filled
from bot.language.reading import Message, Span, misspellings, read, spelled
from bot.language.talk import is_hand_over, is_help, is_small_talk
from bot.language.troubles import troubled
from bot.language.vocabulary import SPELLED, WorkflowHints

__all__ = ["Asked", "Kind", "Route", "WorkflowHints", "read_slots", "route"]


class Kind(Enum):
    """What a message is."""

    QUESTION = "question"
    REQUEST = "request"
    SMALL_TALK = "small_talk"
    HELP = "help"
    HAND_OVER = "hand_over"


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """Where a message goes. `workflow`, `slots` and `spans` are those of a REQUEST only.

    `text` is the person's own text, without leading mentions, Slack's escapes and invisible characters;
    `spans` say where in it each slot was written.
    """

    kind: Kind
    text: str
    workflow: str | None = None
    slots: Mapping[str, str] = field(default_factory=dict)
    spans: Mapping[str, Span] = field(default_factory=dict)


_LONGEST_TALK = 40  # words; nobody greets at greater length
_SPELLING = misspellings(SPELLED)


def route(text: str, *, workflows: Mapping[str, WorkflowHints]) -> Route:
    """Say what a message is, as Slack delivers it.

    A REQUEST is an explicit request in the first person, or an order to the bot, for exactly one of the known
    workflows. Hypothetical, negated, quoted or reported requests, requests for others and questions about
    access are questions. Nothing is guessed: a slot that the person did not write is not there.
    """
    message = read(text)
    requests = [(name, found) for name, hints in workflows.items() if (found := asked(message, hints))]
    if not requests:
        requests = [(name, found) for name, hints in workflows.items() if (found := troubled(message, hints))]
    if len(requests) == 1:
        name, found = requests[0]
        return Route(
            kind=Kind.REQUEST, text=message.text, workflow=name, slots=found.slots, spans=found.spans
        )
    return Route(kind=Kind.QUESTION if requests else _conversation(message), text=message.text)


def read_slots(text: str, hints: WorkflowHints) -> Asked:
    """The slots of a request that the person has chosen to make, as in `/request billing-db 3 days`."""
    return filled(read(text), hints)


def _conversation(message: Message) -> Kind:
    if not message.text:
        return Kind.HELP
    if not 0 < sum(len(sentence.words) for sentence in message.sentences) <= _LONGEST_TALK:
        return Kind.QUESTION
    words = [word for sentence in message.sentences for word in spelled(sentence.words, _SPELLING)]
    said = " ".join(word for word in words if word not in {",", ":", "-"})
    if is_help(said):
        return Kind.HELP
    if is_small_talk(words, said):
        return Kind.SMALL_TALK
    return Kind.HAND_OVER if is_hand_over(said) else Kind.QUESTION
