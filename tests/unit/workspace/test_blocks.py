"""The validator agrees with Slack's own schemas about what is valid, and refuses what Slack refuses."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from bot.workspace.ids import Ids
from bot.workspace.messages import with_ids
from bot.workspace.validate.surfaces import message_problems, too_long, view_problems


def plain(text: str = "Text") -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": True}


def mrkdwn(text: str = "*Text*") -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text}


def option(value: str = "a") -> dict[str, Any]:
    return {"text": plain(value), "value": value, "description": plain("more")}


CONFIRM = {"title": plain(), "text": mrkdwn(), "confirm": plain(), "deny": plain(), "style": "danger"}
BUTTON = {
    "type": "button",
    "text": plain(),
    "action_id": "go",
    "value": "1",
    "style": "primary",
    "confirm": CONFIRM,
}
IMAGE = {"type": "image", "image_url": "https://example.org/a.png", "alt_text": "A"}
RICH = {
    "type": "rich_text",
    "elements": [
        {
            "type": "rich_text_section",
            "elements": [
                {"type": "text", "text": "Hi ", "style": {"bold": True}},
                {"type": "user", "user_id": "U1"},
                {"type": "channel", "channel_id": "C1"},
                {"type": "emoji", "name": "wave"},
                {"type": "link", "url": "https://example.org", "text": "there"},
                {"type": "broadcast", "range": "here"},
                {"type": "date", "timestamp": 1720710212, "format": "{date_num}", "fallback": "then"},
            ],
        },
        {
            "type": "rich_text_list",
            "style": "bullet",
            "indent": 1,
            "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "one"}]}],
        },
        {"type": "rich_text_quote", "elements": [{"type": "text", "text": "q"}]},
        {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "code"}], "border": 0},
    ],
}
SELECTS: list[dict[str, Any]] = [
    {"type": "static_select", "options": [option()], "initial_option": option(), "placeholder": plain()},
    {"type": "static_select", "option_groups": [{"label": plain(), "options": [option()]}]},
    {"type": "external_select", "min_query_length": 2},
    {"type": "users_select", "initial_user": "U1"},
    {"type": "conversations_select", "default_to_current_conversation": True, "filter": {"include": ["im"]}},
    {"type": "channels_select", "response_url_enabled": True},
    {"type": "multi_static_select", "options": [option()], "max_selected_items": 2},
    {"type": "multi_external_select", "min_query_length": 1},
    {"type": "multi_users_select", "initial_users": ["U1"]},
    {"type": "multi_conversations_select"},
    {"type": "multi_channels_select"},
    {"type": "datepicker", "initial_date": "2026-02-28"},
    {"type": "timepicker", "initial_time": "23:59"},
    {"type": "checkboxes", "options": [option("a"), {"text": mrkdwn("b"), "value": "b"}]},
    {"type": "radio_buttons", "options": [option("a")], "initial_option": option("a")},
]
INPUTS: list[dict[str, Any]] = [
    {
        "type": "plain_text_input",
        "multiline": True,
        "min_length": 1,
        "max_length": 200,
        "focus_on_load": True,
    },
    {"type": "email_text_input", "placeholder": plain()},
    {"type": "url_text_input"},
    {"type": "number_input", "is_decimal_allowed": False, "min_value": "1", "max_value": "30"},
    {"type": "datetimepicker", "initial_date_time": 1790000000},
    {"type": "rich_text_input", "initial_value": {"type": "rich_text", "elements": []}},
    {"type": "file_input", "filetypes": ["pdf"], "max_files": 2},
]
SHARED_BLOCKS: list[dict[str, Any]] = [
    {"type": "section", "text": mrkdwn(), "accessory": BUTTON, "expand": True},
    {"type": "section", "fields": [mrkdwn()] * 10},
    {"type": "section", "text": plain(), "accessory": IMAGE},
    {"type": "divider"},
    {"type": "header", "text": plain("x" * 150)},
    {"type": "image", "slack_file": {"id": "F1"}, "alt_text": "A", "title": plain()},
    {"type": "context", "elements": [mrkdwn(), IMAGE, plain()]},
    {"type": "actions", "elements": [BUTTON, {"type": "overflow", "action_id": "o", "options": [option()]}]},
    RICH,
    *({"type": "section", "text": mrkdwn(), "accessory": one} for one in SELECTS),
    *({"type": "actions", "elements": [one]} for one in SELECTS),
    *({"type": "input", "label": plain(), "element": one, "hint": plain()} for one in [*SELECTS, *INPUTS]),
]
MESSAGE_BLOCKS: list[dict[str, Any]] = [
    *SHARED_BLOCKS,
    {"type": "markdown", "text": "**bold**"},
    {
        "type": "context_actions",
        "elements": [
            {
                "type": "feedback_buttons",
                "action_id": "feedback",
                "positive_button": {"text": plain(), "value": "good", "accessibility_label": "good"},
                "negative_button": {"text": plain(), "value": "bad"},
            },
            {"type": "icon_button", "icon": "trash", "text": plain(), "action_id": "bin"},
        ],
    },
    {
        "type": "plan",
        "title": "Plan",
        "tasks": [{"type": "task_card", "task_id": "1", "title": "Look", "status": "pending"}],
    },
    {
        "type": "task_card",
        "task_id": "1",
        "title": "Look",
        "status": "complete",
        "details": RICH,
        "sources": [{"type": "url", "url": "https://example.org", "text": "Source"}],
    },
    {
        "type": "table",
        "rows": [[{"type": "raw_text", "text": "a"}, RICH]],
        "column_settings": [{"align": "right"}],
    },
    {"type": "data_table", "caption": "T", "rows": [[{"type": "raw_number", "text": "1", "value": 1}]]},
    {"type": "card", "title": mrkdwn(), "actions": [BUTTON]},
    {"type": "carousel", "elements": [{"type": "card", "body": mrkdwn()}]},
    {"type": "container", "title": plain(), "child_blocks": [{"type": "divider"}], "is_collapsible": True},
    {"type": "alert", "text": mrkdwn(), "level": "warning"},
    {"type": "file", "external_id": "1", "source": "remote"},
    {
        "type": "video",
        "title": plain(),
        "alt_text": "V",
        "thumbnail_url": "https://example.org/t.png",
        "video_url": "https://example.org/v",
    },
]


@pytest.fixture(scope="module")
def schemas(shared_data: Path) -> dict[str, Draft7Validator]:
    return {
        name: Draft7Validator(json.loads((shared_data / "slack" / f"{name}.schema.json").read_text()))
        for name in ("message-blocks", "modal", "home")
    }


@pytest.mark.parametrize("block", MESSAGE_BLOCKS, ids=lambda block: str(block["type"]))
def test_a_valid_block_is_valid_to_slacks_schema_too(
    block: dict[str, Any], schemas: dict[str, Draft7Validator]
) -> None:
    assert message_problems([block]) == []
    completed = with_ids(Ids(), [block])
    assert message_problems(completed) == []
    for blocks in ([block], completed):
        assert list(schemas["message-blocks"].iter_errors({"blocks": blocks})) == []


@pytest.mark.parametrize("block", SHARED_BLOCKS, ids=lambda block: str(block["type"]))
def test_a_valid_view_is_valid_to_slacks_schema_too(
    block: dict[str, Any], schemas: dict[str, Draft7Validator]
) -> None:
    modal = {
        "type": "modal",
        "title": plain("x" * 24),
        "submit": plain(),
        "close": plain(),
        "callback_id": "c",
        "private_metadata": "m",
        "notify_on_close": True,
        "blocks": [block],
    }
    home = {"type": "home", "blocks": [block]}
    assert view_problems(modal) == []
    assert view_problems(home) == []
    assert list(schemas["modal"].iter_errors(modal)) == []
    assert list(schemas["home"].iter_errors(home)) == []


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if isinstance(value, dict) else []
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return found + [deeper for key, each in children for deeper in _paths(each, (*path, key))]


@pytest.mark.parametrize("block", MESSAGE_BLOCKS, ids=lambda block: str(block["type"]))
def test_a_misspelt_key_a_wrong_type_and_a_lost_field_are_refused_wherever_slacks_schema_refuses_them(
    block: dict[str, Any], schemas: dict[str, Draft7Validator]
) -> None:
    schema = schemas["message-blocks"]
    refused = 0
    for path in _paths(block):
        for key in list(_at(block, path)):
            for change in ("misspell", "drop", "number", "list"):
                broken = copy.deepcopy(block)
                _spoil(_at(broken, path), key, change)
                if message_problems([broken]):
                    refused += 1
                else:
                    assert schema.is_valid({"blocks": [broken]}), (path, key, change)
    assert refused > 2


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def _spoil(target: dict[str, Any], key: str, change: str) -> None:
    value = target.pop(key)
    if change != "drop":
        target |= {"misspell": {f"{key}s": value}, "number": {key: 7}, "list": {key: [[]]}}[change]


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ({"type": "sectoin"}, "unsupported type: sectoin [json-pointer:/blocks/0/type]"),
        ({}, "missing required field: type [json-pointer:/blocks/0]"),
        ({"type": "section", "text": mrkdwn("x" * 3001)}, "must be less than 3001 characters"),
        ({"type": "section", "text": mrkdwn("")}, "must be more than 0 characters"),
        ({"type": "section", "fields": [mrkdwn()] * 11}, "no more than 10 items allowed"),
        ({"type": "header", "text": mrkdwn()}, "unsupported type: mrkdwn"),
        (
            {"type": "actions", "elements": [{**BUTTON, "action_id": str(n)} for n in range(26)]},
            "no more than 25",
        ),
        ({"type": "actions", "elements": [BUTTON, BUTTON]}, "duplicate action_id: go"),
        ({"type": "context", "elements": [mrkdwn()] * 11}, "no more than 10 items allowed"),
        (
            {"type": "actions", "elements": [{**BUTTON, "text": plain("x" * 76)}]},
            "must be less than 76 characters",
        ),
        (
            {"type": "actions", "elements": [{**BUTTON, "value": "x" * 2001}]},
            "must be less than 2001 characters",
        ),
        ({"type": "actions", "elements": [{**BUTTON, "style": "green"}]}, "must be one of primary, danger"),
        ({"type": "actions", "elements": [{**BUTTON, "url": "javascript:alert(1)"}]}, "must be a valid URL"),
        ({"type": "markdown", "text": "x" * 12_001}, "must be less than 12001 characters"),
        (
            {"type": "actions", "elements": [{"type": "static_select", "options": [option()] * 101}]},
            "no more than 100 items allowed",
        ),
        (
            {"type": "actions", "elements": [{"type": "overflow", "options": [option()] * 6}]},
            "no more than 5 items allowed",
        ),
        (
            {"type": "actions", "elements": [{"type": "static_select", "options": [option("x" * 76)]}]},
            "must be less than 76 characters",
        ),
        (
            {
                "type": "actions",
                "elements": [{"type": "static_select", "options": [option()], "initial_option": option("b")}],
            },
            "the initial option must match one of the options",
        ),
        (
            {"type": "actions", "elements": [{"type": "datepicker", "initial_date": "2026-02-30"}]},
            "must be a date",
        ),
    ],
)
def test_what_the_schemas_do_not_check_is_refused_in_slacks_words(
    block: dict[str, Any], problem: str
) -> None:
    assert any(problem in each for each in message_problems([block]))


def test_block_ids_are_unique_in_a_message() -> None:
    blocks = [{"type": "divider", "block_id": "a"}] * 2
    assert message_problems(blocks) == ["block_id `a` already exists [json-pointer:/blocks/1/block_id]"]


def test_a_message_holds_50_blocks_and_a_view_100() -> None:
    divider = {"type": "divider"}
    assert message_problems([divider] * 50) == []
    assert message_problems([divider] * 51)
    assert view_problems({"type": "home", "blocks": [divider] * 100}) == []
    assert view_problems({"type": "home", "blocks": [divider] * 101})


def test_markdown_blocks_share_12_000_characters() -> None:
    assert not too_long([{"type": "markdown", "text": "x" * 6000}] * 2)
    assert too_long([{"type": "markdown", "text": "x" * 6001}] * 2)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"title": plain("x" * 25)}, "must be less than 25 characters [json-pointer:/view/title/text]"),
        ({"title": None}, "missing required field: title [json-pointer:/view]"),
        ({"submit": None}, "missing required field: submit [json-pointer:/view]"),
        ({"private_metadata": "x" * 3001}, "must be less than 3001 characters"),
        ({"type": "popup"}, "unsupported type: popup"),
        ({"blocks": [{"type": "markdown", "text": "x"}]}, "unsupported type: markdown"),
        ({"colour": "red"}, "additional property: colour [json-pointer:/view]"),
    ],
)
def test_a_bad_view_is_refused_in_slacks_words(change: dict[str, Any], problem: str) -> None:
    block = {"type": "input", "label": plain(), "element": {"type": "plain_text_input"}}
    view = {"type": "modal", "title": plain(), "submit": plain(), "blocks": [block]}
    assert view_problems(view) == []
    changed = {key: value for key, value in (view | change).items() if value is not None}
    assert any(problem in each for each in view_problems(changed))
