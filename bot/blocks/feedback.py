"""How an answer is rated: two buttons below it, and a window for what was wrong with it."""

from bot.blocks import parts
from bot.blocks.parts import Block, Message, View
from bot.render import ours

RATE = "answer.rate"
WRONG = "answer.wrong"  # the window
NOTE = "note"
LONGEST = 500

_GOOD, _BAD = "good", "bad"


def buttons(question: str) -> Block:
    """The two buttons. `question` is the opaque id under which the answer is kept."""
    element = {
        "type": "feedback_buttons",
        "action_id": RATE,
        "positive_button": _button("Good answer", f"{_GOOD} {question}"),
        "negative_button": _button("Bad answer", f"{_BAD} {question}"),
    }
    return {"type": "context_actions", "elements": [element]}


def vote(value: str) -> tuple[str, bool]:
    """Read the value of a button: the question's id, and whether its answer was good."""
    verdict, _, question = value.partition(" ")
    return question, verdict == _GOOD


def wrong(question: str) -> View:
    """Draw the window that asks what was wrong."""
    entry = {
        "type": "plain_text_input",
        "action_id": "value",
        "multiline": True,
        "max_length": LONGEST,
    }
    return parts.modal(
        "What was wrong?",
        [
            parts.section(ours("Your rating is recorded. It goes to whoever looks after the policy.")),
            parts.entry(
                NOTE,
                "What was wrong, or missing?",
                entry,
                hint="They read this without your name. Please leave personal details out.",
                optional=True,
            ),
        ],
        callback=WRONG,
        submit="Send",
        metadata=question,
    )


def thanks() -> Message:
    """Say that a good rating is recorded."""
    return _said("Thank you, your rating is recorded.")


def gone() -> Message:
    """Say that there is nothing left to rate."""
    return _said("This answer is too old to be rated. Nothing was recorded.")


def not_theirs() -> Message:
    """Say that the answer was somebody else's."""
    return _said("Only the person who asked can rate this answer. Nothing was recorded.")


def _said(sentence: str) -> Message:
    text = ours(sentence)
    return parts.message(text, [parts.section(text)])


def _button(label: str, value: str) -> Block:
    return {
        "text": {"type": "plain_text", "text": label, "emoji": False},
        "value": value,
        "accessibility_label": label,
    }
