"""The pieces of Block Kit that we use, within Slack's limits.

Limits are Slack's (docs.slack.dev, Block Kit reference): 50 blocks a message, 3,000 characters a section,
150 a header, 75 a button's text, 24 a modal's title.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bot.render import Markup, plain, size

Block = dict[str, Any]
View = dict[str, Any]

SECTION = 3000
MOST_BLOCKS = 50
FALLBACK = 3000


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """What is posted: blocks, and the text that notifications and screen readers read."""

    text: str
    blocks: tuple[Block, ...]


def message(text: Markup | str, blocks: Iterable[Block]) -> Message:
    """Make a message of what fits. The text comes escaped: `text` is mrkdwn where blocks are not shown."""
    kept = tuple(blocks)[:MOST_BLOCKS]
    return Message(text=text if size(text) <= FALLBACK else f"{text[:1400]}…", blocks=kept)


def header(text: str) -> Block:
    """A large title."""
    return {"type": "header", "text": _plain(text, 150)}


def section(text: Markup, *, accessory: Block | None = None, block_id: str | None = None) -> Block:
    """A paragraph. Longer text than a section may hold is the caller's mistake."""
    if not text.strip() or size(text) > SECTION:
        raise ValueError("a section holds 1 to 3,000 characters")
    block: Block = {"type": "section", "text": mrkdwn(text)}
    if accessory is not None:
        block["accessory"] = accessory
    if block_id is not None:
        block["block_id"] = block_id
    return block


def fields(texts: Sequence[Markup]) -> Block:
    """Up to ten short texts side by side."""
    return {"type": "section", "fields": [mrkdwn(text) for text in texts[:10]]}


def context(*texts: Markup) -> Block:
    """Small print."""
    shown = [text for text in texts if text.strip()] or [Markup("-")]
    return {"type": "context", "elements": [mrkdwn(text) for text in shown[:10]]}


def actions(block_id: str, elements: Sequence[Block]) -> Block:
    """A row of buttons."""
    return {"type": "actions", "block_id": block_id, "elements": list(elements[:25])}


def divider() -> Block:
    """A line."""
    return {"type": "divider"}


def button(
    text: str, *, action: str, value: str, style: str | None = None, label: str | None = None
) -> Block:
    """A button. `value` is an opaque id, `label` what a screen reader says instead of the text."""
    block: Block = {"type": "button", "text": _plain(text, 75), "action_id": action, "value": value}
    if style is not None:
        block["style"] = style
    if label is not None:
        block["accessibility_label"] = plain(label, 75)
    return block


def confirmed(button: Block, *, title: str, text: str, yes: str, no: str) -> Block:
    """A button whose click Slack asks to confirm first. Slack: title 100, text 300, answers 30 characters."""
    dialog = {
        "title": _plain(title, 100),
        "text": _plain(text, 300),
        "confirm": _plain(yes, 30),
        "deny": _plain(no, 30),
    }
    return {**button, "confirm": dialog}


def modal(
    title: str,
    blocks: Sequence[Block],
    *,
    callback: str | None = None,
    submit: str | None = None,
    metadata: str = "",
    close: str = "Close",
) -> View:
    """A window. `metadata` comes back with the submission."""
    view: View = {
        "type": "modal",
        "title": _plain(title, 24),
        "close": _plain(close, 24),
        "blocks": list(blocks[:100]),
    }
    if callback is not None:
        view["callback_id"] = callback
    if submit is not None:
        view["submit"] = _plain(submit, 24)
    if metadata:
        view["private_metadata"] = metadata
    return view


def option(text: str, value: str, *, description: str = "") -> Block:
    """One choice of a menu."""
    block: Block = {"text": _plain(text, 75), "value": value}
    if description:
        block["description"] = _plain(description, 75)
    return block


def entry(block_id: str, label: str, element: Block, *, hint: str = "", optional: bool = False) -> Block:
    """A labelled input of a modal."""
    block: Block = {"type": "input", "block_id": block_id, "label": _plain(label, 2000), "element": element}
    if hint:
        block["hint"] = _plain(hint, 2000)
    if optional:
        block["optional"] = True
    return block


def mrkdwn(text: Markup) -> Block:
    """A text object in which addresses and names are not turned into links (`verbatim`)."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": plain(text, limit) or "-", "emoji": False}
