"""Whether Slack would take what we render: its own schemas, its SDK's models, and its limits in numbers."""

import functools
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from bot.blocks.parts import Message

_LIMITS = {"header": 150, "section": 3000, "field": 2000, "context": 3000, "button": 75, "label": 2000}


def check_message(shared: Path, message: Message) -> None:
    """Fail unless Slack would post the message."""
    assert 0 < len(message.blocks) <= 50
    assert message.text, "notifications and screen readers need a text"
    assert _size(message.text) <= 4000
    _validate(shared, "message-blocks", {"blocks": [*message.blocks]})
    _check_blocks(message.blocks)


def check_view(shared: Path, view: dict[str, Any]) -> None:
    """Fail unless Slack would open the view."""
    assert 0 < len(view["blocks"]) <= 100
    assert _size(view["title"]["text"]) <= 24
    assert len(view.get("private_metadata", "")) <= 3000
    _validate(shared, view["type"], view)
    _check_blocks(tuple(view["blocks"]))
    View(**view).to_dict()


def sayings(message: Message) -> str:
    """Return all that a message shows, without its markup."""
    return "\n".join(text for text in _texts([*message.blocks]))


def _check_blocks(blocks: tuple[dict[str, Any], ...]) -> None:
    with _no_warnings():
        for block in blocks:
            parsed = Block.parse(block)
            assert parsed is not None
            parsed.validate_json()
            assert parsed.to_dict() == block, "the SDK's model drops a part of this block"
    names = [block["block_id"] for block in blocks if "block_id" in block]
    assert len(names) == len(set(names))
    for kind, text in _sized(list(blocks)):
        assert 0 < _size(text) <= _LIMITS[kind], (kind, text)
    for value in _values(list(blocks)):
        assert 0 < len(value) <= 2000


def _sized(blocks: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for block in blocks:
        if block["type"] in {"header", "section"} and "text" in block:
            yield block["type"], block["text"]["text"]
        for field in block.get("fields", ()):
            yield "field", field["text"]
        for element in block.get("elements", ()):
            if block["type"] == "context":
                yield "context", element["text"]
            elif element["type"] == "button":
                yield "button", element["text"]["text"]
        if block["type"] == "input":
            yield "label", block["label"]["text"]


def _values(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if part.get("type") == "button":
            yield part["value"]
        for inner in part.values():
            yield from _values(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _values(inner)


def _texts(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("text"), str):
            yield part["text"]
        for inner in part.values():
            yield from _texts(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _texts(inner)


def _validate(shared: Path, name: str, instance: Any) -> None:
    _schema(shared / "slack" / f"{name}.schema.json").validate(instance)


@functools.cache
def _schema(path: Path) -> Any:
    schema = json.loads(path.read_text(encoding="utf-8"))
    return jsonschema.validators.validator_for(schema)(schema)


def _size(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


class _no_warnings(logging.Handler):  # noqa: N801
    """The SDK logs what it does not understand, and drops it."""

    def __enter__(self) -> None:
        logging.getLogger("slack_sdk").addHandler(self)

    def __exit__(self, *_: object) -> None:
        logging.getLogger("slack_sdk").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        pytest.fail(record.getMessage())
