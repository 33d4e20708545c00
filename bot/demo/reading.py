"""What a person reads in a message or a modal: Block Kit as plain text."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]

_LINK = re.compile(r"<(https?:[^|>]+)\|([^>]+)>")
_DATE = re.compile(r"<!date\^[^|>]*\|([^>]+)>")
_MENTION = re.compile(r"<@([A-Z0-9]+)>")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


def plain(shown: Json, names: Mapping[str, str]) -> str:
    """Return the text of a message or view; `names` are people's by user id. One line for each block."""
    blocks = shown.get("blocks") or ()
    lines = [" ".join(_texts(block)) for block in blocks] if blocks else [str(shown.get("text", ""))]
    return "\n".join(_read(line, names) for line in lines if line.strip())


def buttons(shown: Json) -> list[Json]:
    """Return the buttons of a message, in order."""
    return [part for part in _walk(shown.get("blocks") or ()) if part.get("type") == "button"]


def _texts(block: Any) -> Iterator[str]:
    """Yield what is written in a block, without what is written on its buttons."""
    if isinstance(block, Mapping):
        if block.get("type") in {"mrkdwn", "plain_text", "text"} and isinstance(block.get("text"), str):
            yield block["text"]
            return
        for name, value in block.items():
            if name not in {"elements", "accessory"} or block.get("type") in {"context", "rich_text"}:
                yield from _texts(value)
    elif isinstance(block, list):
        for one in block:
            yield from _texts(one)


def _walk(value: Any) -> Iterator[Json]:
    if isinstance(value, Mapping):
        yield value
        for inner in value.values():
            yield from _walk(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _walk(inner)


def _read(text: str, names: Mapping[str, str]) -> str:
    text = _LINK.sub(r"\2", _DATE.sub(r"\1", text))
    text = _MENTION.sub(lambda found: "@" + names.get(found[1], found[1]), text)
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    return text
