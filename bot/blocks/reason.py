"""The window that asks why: somebody said no, and others will read the reason."""

from bot.blocks import parts
from bot.blocks.parts import Block, View

REASON = "reason"


def window(title: str, question: str, *, hint: str, submit: str, callback: str, record: str) -> View:
    """Draw the window; `record` comes back with what was written."""
    element: Block = {
        "type": "plain_text_input",
        "action_id": REASON,
        "multiline": True,
        "min_length": 1,
        "max_length": 1000,
        "focus_on_load": True,
    }
    entry = parts.entry(REASON, question, element, hint=hint)
    return parts.modal(title, [entry], callback=callback, submit=submit, close="Cancel", metadata=record)
