"""Whole messages, modals and home tabs: how many blocks, which blocks, and what they hold together."""

from collections.abc import Iterator
from typing import Any

from slack_sdk.models.views import View

from bot.workspace.validate.blocks import MESSAGE_BLOCKS, VIEW_BLOCKS
from bot.workspace.validate.checks import Check, array, at, boolean, one_of, shape, string, typed
from bot.workspace.validate.elements import plain

_MOST_IN_MESSAGE = 50
_LONGEST_MARKDOWN = 12_000  # of all markdown blocks together
_LONGEST_TOGETHER = 13_200  # of all text; not documented, observed by others at about this length


def _blocks(check: Check, most: int, least: int) -> Check:
    items = array(check, least=least, most=most)

    def together(value: Any, pointer: str) -> Iterator[str]:
        yield from items(value, pointer)
        yield from _repeated_ids(value, pointer)

    return together


def _repeated_ids(blocks: Any, pointer: str) -> Iterator[str]:
    seen: set[str] = set()
    for index, block in enumerate(blocks if isinstance(blocks, list) else ()):
        block_id = block.get("block_id") if isinstance(block, dict) else None
        if isinstance(block_id, str) and block_id in seen:
            yield at(f"block_id `{block_id}` already exists", f"{pointer}/{index}/block_id")
        if isinstance(block_id, str):
            seen.add(block_id)


_MESSAGE = _blocks(typed(MESSAGE_BLOCKS), _MOST_IN_MESSAGE, 0)
_VIEW_FIELDS: dict[str, Check] = {
    "type": one_of("modal", "home"),
    "blocks": _blocks(typed(VIEW_BLOCKS), View.blocks_max_length, 0),
}
_OPTIONAL: dict[str, Check] = {
    "private_metadata": string(most=View.private_metadata_max_length),
    "callback_id": string(most=View.callback_id_max_length),
    "external_id": string(most=255),
}


def _submit_for_inputs(value: Any, pointer: str) -> Iterator[str]:
    """A rule: a modal that asks for something can be submitted."""
    blocks = value.get("blocks")
    kinds = (
        [block.get("type") for block in blocks if isinstance(block, dict)] if isinstance(blocks, list) else []
    )
    if "input" in kinds and value.get("submit") is None:
        yield at("missing required field: submit", pointer)


_MODAL = shape(
    _VIEW_FIELDS | {"title": plain(View.title_max_length)},
    _OPTIONAL
    | {
        "submit": plain(View.submit_max_length),
        "close": plain(View.close_max_length),
        "clear_on_close": boolean,
        "notify_on_close": boolean,
        "submit_disabled": boolean,
    },
    _submit_for_inputs,
)
_HOME = shape(_VIEW_FIELDS, _OPTIONAL)
_VIEW = typed({"modal": _MODAL, "home": _HOME})


def message_problems(blocks: Any) -> list[str]:
    """Return what is wrong with the blocks of a message, in Slack's words; nothing if Slack takes them."""
    return list(_MESSAGE(blocks, "/blocks"))


def view_problems(view: Any) -> list[str]:
    """Return what is wrong with a modal or a home tab."""
    return list(_VIEW(view, "/view"))


def too_long(blocks: list[dict[str, Any]]) -> bool:
    """Tell whether valid blocks hold more text than one message takes (`msg_blocks_too_long`)."""
    markdown = sum(len(block["text"]) for block in blocks if block["type"] == "markdown")
    return markdown > _LONGEST_MARKDOWN or sum(map(len, _texts(blocks))) > _LONGEST_TOGETHER


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key == "text" and isinstance(each, str):
                yield each
            else:
                yield from _texts(each)
