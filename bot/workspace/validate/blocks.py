"""The blocks that Slack has, by type, and on which surfaces each may stand."""

from collections.abc import Iterator, Mapping
from typing import Any

from slack_sdk.models.blocks import (
    ActionsBlock,
    CardBlock,
    CarouselBlock,
    ContainerBlock,
    ContextActionsBlock,
    ContextBlock,
    HeaderBlock,
    ImageBlock,
    InputBlock,
    MarkdownBlock,
    SectionBlock,
    VideoBlock,
)

from bot.workspace.validate import elements
from bot.workspace.validate.checks import (
    Check,
    Shape,
    any_of,
    array,
    at,
    boolean,
    exactly_one,
    integer,
    number,
    one_of,
    shape,
    string,
    typed,
    unique,
)
from bot.workspace.validate.rich import RICH_TEXT

_MOST_COLUMNS = 20


def _block(
    required: Mapping[str, Check], optional: Mapping[str, Check] | None = None, *rules: Check
) -> Shape:
    return shape({"type": string(), **required}, {"block_id": string(most=255), **(optional or {})}, *rules)


_RICH_INPUT = elements.rich_text_input(typed({"rich_text": RICH_TEXT}))
_ACCESSORY = typed(
    elements.BUTTON
    | elements.WORKFLOW_BUTTON
    | elements.CHOICES
    | elements.PICKERS
    | elements.SELECTS
    | elements.MULTI_SELECTS
    | elements.OVERFLOW
    | {"image": elements.IMAGE}
)
_ACTION = typed(
    elements.BUTTON
    | elements.WORKFLOW_BUTTON
    | elements.CHOICES
    | elements.PICKERS
    | elements.DATETIME
    | elements.SELECTS
    | elements.MULTI_SELECTS
    | elements.OVERFLOW
    | _RICH_INPUT
)
_INPUT = typed(
    elements.TEXT_INPUTS
    | elements.CHOICES
    | elements.PICKERS
    | elements.DATETIME
    | elements.SELECTS
    | elements.MULTI_SELECTS
    | _RICH_INPUT
)
_CONTEXT = typed(
    {
        "image": elements.IMAGE,
        "plain_text": elements.text(),
        "mrkdwn": elements.text(),
    }
)
_CELL = typed(
    {
        "rich_text": RICH_TEXT,
        "raw_text": shape({"type": string(), "text": string(least=1)}),
        "raw_number": shape({"type": string(), "text": string(least=1), "value": number}),
    }
)
_COLUMN = shape({}, {"align": one_of("left", "center", "right"), "is_wrapped": boolean})
_ROWS = array(array(_CELL, least=1, most=_MOST_COLUMNS), least=1, most=100)
_SOURCE = shape({"type": one_of("url"), "url": elements.URL, "text": string()})
_RICH = typed({"rich_text": RICH_TEXT})
_IMAGE_ELEMENT = typed({"image": elements.IMAGE})

_TASK = _block(
    {
        "task_id": string(least=1),
        "title": string(least=1),
        "status": one_of("pending", "in_progress", "complete", "error"),
    },
    {"details": _RICH, "output": _RICH, "sources": array(_SOURCE)},
)
_CARD = _block(
    {},
    {
        "hero_image": _IMAGE_ELEMENT,
        "icon": _IMAGE_ELEMENT,
        "title": elements.mrkdwn(CardBlock.title_max_length),
        "subtitle": elements.mrkdwn(CardBlock.subtitle_max_length),
        "body": elements.mrkdwn(CardBlock.body_max_length),
        "actions": array(typed(elements.BUTTON), most=5),
    },
    any_of("hero_image", "title", "actions", "body"),
)


def _no_divider_when_collapsible(value: Any, pointer: str) -> Iterator[str]:
    """A rule: a collapsible container has no divider below its header."""
    if value.get("is_collapsible") and value.get("has_header_divider"):
        yield at("cannot be set when is_collapsible is true", f"{pointer}/has_header_divider")


_COMMON: dict[str, Check] = {
    "section": _block(
        {},
        {
            "text": elements.text(SectionBlock.text_max_length),
            "fields": array(elements.text(2000), least=1, most=SectionBlock.fields_max_length),
            "accessory": _ACCESSORY,
            "expand": boolean,
        },
        any_of("fields", "text"),
    ),
    "divider": _block({}),
    "header": _block(
        {"text": elements.plain(HeaderBlock.text_max_length)}, {"level": integer(least=1, most=4)}
    ),
    "image": _block(
        {"alt_text": string(most=ImageBlock.alt_text_max_length)},
        {
            "image_url": elements.URL,
            "slack_file": elements.SLACK_FILE,
            "title": elements.plain(ImageBlock.title_max_length),
        },
        exactly_one("image_url", "slack_file"),
    ),
    "actions": _block(
        {"elements": array(_ACTION, least=1, most=ActionsBlock.elements_max_length)},
        {},
        unique("action_id", "elements"),
    ),
    "context": _block({"elements": array(_CONTEXT, least=1, most=ContextBlock.elements_max_length)}),
    "input": _block(
        {"label": elements.plain(InputBlock.label_max_length), "element": _INPUT},
        {
            "hint": elements.plain(InputBlock.hint_max_length),
            "optional": boolean,
            "dispatch_action": boolean,
        },
    ),
    "rich_text": RICH_TEXT,
    "video": _block(
        {
            "alt_text": string(least=1),
            "title": elements.plain(VideoBlock.title_max_length - 1),
            "thumbnail_url": elements.URL,
            "video_url": elements.URL,
        },
        {
            "author_name": string(most=VideoBlock.author_name_max_length - 1),
            "description": elements.plain(200),
            "provider_icon_url": elements.URL,
            "provider_name": string(),
            "title_url": elements.URL,
        },
    ),
}
_TABLE = _block({"rows": _ROWS}, {"column_settings": array(_COLUMN, most=_MOST_COLUMNS)})
_FILE = _block({"external_id": string(least=1), "source": one_of("remote")})
_IN_CONTAINER = ("actions", "context", "divider", "header", "image", "input", "rich_text", "section", "video")
_CONTAINER = _block(
    {
        "child_blocks": array(
            typed({kind: _COMMON[kind] for kind in _IN_CONTAINER} | {"file": _FILE, "table": _TABLE}),
            least=1,
            most=ContainerBlock.child_blocks_max_length,
        )
    },
    {
        "title": elements.plain(ContainerBlock.title_max_length),
        "rich_text_title": _RICH,
        "subtitle": elements.text(ContainerBlock.subtitle_max_length),
        "icon": _IMAGE_ELEMENT,
        "width": one_of("narrow", "standard", "wide", "full"),
        "is_collapsible": boolean,
        "default_collapsed": boolean,
        "has_header_divider": boolean,
    },
    any_of("title", "rich_text_title"),
    _no_divider_when_collapsible,
)

MESSAGE_BLOCKS: dict[str, Check] = _COMMON | {
    "markdown": _block({"text": string(most=MarkdownBlock.text_max_length, least=1)}),
    "context_actions": _block(
        {
            "elements": array(
                typed(elements.CONTEXT_ACTIONS), least=1, most=ContextActionsBlock.elements_max_length
            )
        },
        {},
        unique("action_id", "elements"),
    ),
    "table": _TABLE,
    "data_table": _block(
        {"rows": _ROWS, "caption": string(least=1)},
        {"page_size": integer(least=1), "row_header_column_index": integer(least=0)},
    ),
    "file": _FILE,
    "task_card": _TASK,
    "plan": _block({"title": string(least=1)}, {"tasks": array(typed({"task_card": _TASK}))}),
    "card": _CARD,
    "carousel": _block(
        {"elements": array(typed({"card": _CARD}), least=1, most=CarouselBlock.elements_max_length)}
    ),
    "container": _CONTAINER,
    "alert": _block(
        {"text": elements.text(200)}, {"level": one_of("default", "info", "warning", "error", "success")}
    ),
}
VIEW_BLOCKS: dict[str, Check] = _COMMON
