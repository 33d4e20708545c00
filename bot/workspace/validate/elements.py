"""Text objects, composition objects and interactive elements. The sizes are those of slack_sdk's models."""

import datetime
import re
from collections.abc import Iterator, Mapping
from typing import Any

from slack_sdk.models.blocks import (
    ButtonElement,
    ConfirmObject,
    FeedbackButtonObject,
    ImageElement,
    Option,
    OptionGroup,
    OverflowMenuElement,
    StaticSelectElement,
)
from slack_sdk.models.blocks.block_elements import InputInteractiveElement

from bot.workspace.validate.checks import (
    Check,
    Shape,
    array,
    at,
    boolean,
    exactly_one,
    integer,
    matching,
    one_of,
    shape,
    string,
    typed,
)

_ID = string(most=255)
_LONGEST = 3000
URL = matching(
    lambda url: len(url) <= _LONGEST and re.match(r"(https?://|mailto:|slack://)\S+$", url) is not None,
    "a valid URL",
)
STYLE = one_of("primary", "danger")


def plain(most: int = _LONGEST, least: int = 1) -> Check:
    """A plain_text object."""
    return typed({"plain_text": _plain(most, least)})


def mrkdwn(most: int = _LONGEST) -> Check:
    """A mrkdwn object."""
    return typed({"mrkdwn": _mrkdwn(most)})


def text(most: int = _LONGEST) -> Check:
    """Either kind of text object."""
    return typed({"plain_text": _plain(most, 1), "mrkdwn": _mrkdwn(most)})


def _plain(most: int, least: int) -> Shape:
    return shape({"type": string(), "text": string(most=most, least=least)}, {"emoji": boolean})


def _mrkdwn(most: int) -> Shape:
    return shape({"type": string(), "text": string(most=most, least=1)}, {"verbatim": boolean})


CONFIRM = shape(
    {"text": text(ConfirmObject.text_max_length)},
    {
        "title": plain(ConfirmObject.title_max_length),
        "confirm": plain(ConfirmObject.confirm_max_length),
        "deny": plain(ConfirmObject.deny_max_length),
        "style": STYLE,
    },
)


def _option(label: Check, *, url: bool = False) -> Shape:
    more: dict[str, Check] = {"url": URL} if url else {}
    values = string(most=Option.value_max_length, least=1)
    return shape({"text": label, "value": values}, {"description": plain(Option.label_max_length), **more})


_PLAIN_OPTION = _option(plain(Option.label_max_length))
_RICH_OPTION = _option(text(Option.label_max_length))
_GROUP = shape(
    {
        "label": plain(OptionGroup.label_max_length),
        "options": array(_PLAIN_OPTION, least=1, most=OptionGroup.options_max_length),
    }
)

SLACK_FILE = shape({}, {"id": string(), "url": URL}, exactly_one("id", "url"))
IMAGE = shape(
    {"type": string(), "alt_text": string(most=ImageElement.alt_text_max_length)},
    {"image_url": URL, "slack_file": SLACK_FILE},
    exactly_one("image_url", "slack_file"),
)


def _element(required: Mapping[str, Check], optional: Mapping[str, Check], *rules: Check) -> Shape:
    return shape({"type": string(), **required}, {"action_id": _ID, **optional}, *rules)


def _input(required: Mapping[str, Check], optional: Mapping[str, Check], *rules: Check) -> Shape:
    placeholder = plain(InputInteractiveElement.placeholder_max_length)
    return _element(required, {"placeholder": placeholder, "focus_on_load": boolean, **optional}, *rules)


def _initial_is_listed(value: Any, pointer: str) -> Iterator[str]:
    """A rule: what is chosen at first is one of the options."""
    groups = [group for group in value.get("option_groups") or () if isinstance(group, dict)]
    listed = [*(value.get("options") or ()), *(one for group in groups for one in group.get("options") or ())]
    values = {
        one.get("value") for one in listed if isinstance(one, dict) and isinstance(one.get("value"), str)
    }
    single = value.get("initial_option")
    chosen = [single] if single is not None else value.get("initial_options") or []
    if any(not isinstance(one, dict) or one.get("value") not in values for one in chosen):
        yield at("the initial option must match one of the options", pointer)


def _valid_date(value: str) -> bool:
    try:
        return re.fullmatch(r"\d{4}-\d{2}-\d{2}", value) is not None and bool(
            datetime.date.fromisoformat(value)
        )
    except ValueError:
        return False


_DATE = matching(_valid_date, "a date as YYYY-MM-DD")
_TIME = matching(lambda value: re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value) is not None, "a time as HH:mm")
_NUMBER = matching(lambda value: re.fullmatch(r"-?\d+(\.\d+)?", value) is not None, "a number as text")
_IDS = array(string(least=1))
_CONFIRMED: dict[str, Check] = {"confirm": CONFIRM}
_SEVERAL: dict[str, Check] = {"max_selected_items": integer(least=1), **_CONFIRMED}
_STATIC: dict[str, Check] = {
    "options": array(_PLAIN_OPTION, least=1, most=StaticSelectElement.options_max_length),
    "option_groups": array(_GROUP, least=1, most=StaticSelectElement.option_groups_max_length),
}
_ONE_SOURCE = exactly_one("options", "option_groups")
_FILTER = shape(
    {},
    {
        "include": array(one_of("im", "mpim", "private", "public"), least=1),
        "exclude_external_shared_channels": boolean,
        "exclude_bot_users": boolean,
    },
)
_DISPATCH = shape(
    {}, {"trigger_actions_on": array(one_of("on_enter_pressed", "on_character_entered"), least=1, most=2)}
)
_CONVERSATION: dict[str, Check] = {"default_to_current_conversation": boolean, "filter": _FILTER}
_RESPONSE: dict[str, Check] = {"response_url_enabled": boolean, **_CONFIRMED}
_TYPED: dict[str, Check] = {"dispatch_action_config": _DISPATCH}

SELECTS: dict[str, Check] = {
    "static_select": _input(
        {}, _STATIC | {"initial_option": _PLAIN_OPTION} | _CONFIRMED, _ONE_SOURCE, _initial_is_listed
    ),
    "external_select": _input(
        {}, {"initial_option": _PLAIN_OPTION, "min_query_length": integer(least=0), **_CONFIRMED}
    ),
    "users_select": _input({}, {"initial_user": string(), **_CONFIRMED}),
    "conversations_select": _input({}, {"initial_conversation": string()} | _CONVERSATION | _RESPONSE),
    "channels_select": _input({}, {"initial_channel": string()} | _RESPONSE),
}
MULTI_SELECTS: dict[str, Check] = {
    "multi_static_select": _input(
        {},
        _STATIC | {"initial_options": array(_PLAIN_OPTION, least=1)} | _SEVERAL,
        _ONE_SOURCE,
        _initial_is_listed,
    ),
    "multi_external_select": _input(
        {}, {"initial_options": array(_PLAIN_OPTION), "min_query_length": integer(least=0), **_SEVERAL}
    ),
    "multi_users_select": _input({}, {"initial_users": _IDS, **_SEVERAL}),
    "multi_conversations_select": _input({}, {"initial_conversations": _IDS} | _CONVERSATION | _SEVERAL),
    "multi_channels_select": _input({}, {"initial_channels": _IDS, **_SEVERAL}),
}
PICKERS: dict[str, Check] = {
    "datepicker": _input({}, {"initial_date": _DATE, **_CONFIRMED}),
    "timepicker": _input({}, {"initial_time": _TIME, "timezone": string(), **_CONFIRMED}),
}
DATETIME: dict[str, Check] = {
    "datetimepicker": _element(
        {},
        {"initial_date_time": integer(least=0, most=9_999_999_999), "focus_on_load": boolean, **_CONFIRMED},
    )
}
CHOICES: dict[str, Check] = {
    "checkboxes": _element(
        {"options": array(_RICH_OPTION, least=1, most=10)},
        {"initial_options": array(_RICH_OPTION, least=1), "focus_on_load": boolean, **_CONFIRMED},
        _initial_is_listed,
    ),
    "radio_buttons": _element(
        {"options": array(_RICH_OPTION, least=1, most=10)},
        {"initial_option": _RICH_OPTION, "focus_on_load": boolean, **_CONFIRMED},
        _initial_is_listed,
    ),
}
_BUTTON: dict[str, Check] = {
    "style": STYLE,
    "accessibility_label": string(most=ButtonElement.text_max_length),
    **_CONFIRMED,
}
_WORKFLOW_INPUT = shape({"name": string(), "value": string()})
_WORKFLOW = shape(
    {"trigger": shape({"url": URL}, {"customizable_input_parameters": array(_WORKFLOW_INPUT)})},
)
BUTTON: dict[str, Check] = {
    "button": _element(
        {"text": plain(ButtonElement.text_max_length)},
        {"url": URL, "value": string(most=ButtonElement.value_max_length), **_BUTTON},
    )
}
WORKFLOW_BUTTON: dict[str, Check] = {
    "workflow_button": _element(
        {"text": plain(ButtonElement.text_max_length), "workflow": _WORKFLOW}, _BUTTON
    )
}
_OVERFLOW_OPTION = _option(plain(Option.label_max_length), url=True)
OVERFLOW: dict[str, Check] = {
    "overflow": _element(
        {"options": array(_OVERFLOW_OPTION, least=1, most=OverflowMenuElement.options_max_length)}, _CONFIRMED
    )
}
_FEEDBACK = shape(
    {
        "text": plain(FeedbackButtonObject.text_max_length),
        "value": string(most=FeedbackButtonObject.value_max_length, least=1),
    },
    {"accessibility_label": string(most=FeedbackButtonObject.text_max_length)},
)
CONTEXT_ACTIONS: dict[str, Check] = {
    "feedback_buttons": _element({"positive_button": _FEEDBACK, "negative_button": _FEEDBACK}, {}),
    "icon_button": _element(
        {"icon": one_of("trash"), "text": plain(ButtonElement.text_max_length)},
        {
            "value": string(most=ButtonElement.value_max_length),
            "accessibility_label": string(most=ButtonElement.text_max_length),
            "visible_to_user_ids": _IDS,
            **_CONFIRMED,
        },
    ),
}


def _lengths_agree(value: Any, pointer: str) -> Iterator[str]:
    """A rule: the shortest text allowed is no longer than the longest."""
    least, most = value.get("min_length"), value.get("max_length")
    if isinstance(least, int) and isinstance(most, int) and least > most:
        yield at("must be less than max_length", f"{pointer}/min_length")


TEXT_INPUTS: dict[str, Check] = {
    "plain_text_input": _input(
        {},
        {
            "initial_value": string(most=_LONGEST),
            "multiline": boolean,
            "min_length": integer(least=0, most=_LONGEST),
            "max_length": integer(least=1, most=_LONGEST),
            **_TYPED,
        },
        _lengths_agree,
    ),
    "email_text_input": _input({}, {"initial_value": string(), **_TYPED}),
    "url_text_input": _input({}, {"initial_value": string(), **_TYPED}),
    "number_input": _input(
        {"is_decimal_allowed": boolean},
        {"initial_value": _NUMBER, "min_value": _NUMBER, "max_value": _NUMBER, **_TYPED},
    ),
    "file_input": _element({}, {"filetypes": array(string()), "max_files": integer(least=1, most=10)}),
}


def rich_text_input(rich_text: Check) -> dict[str, Check]:
    """The rich text input, which starts with a rich_text block."""
    lines: dict[str, Check] = {"min_lines": integer(least=1), "max_lines": integer(least=1)}
    return {"rich_text_input": _input({}, {"initial_value": rich_text, **lines, **_TYPED})}


_OPTIONS = array(_PLAIN_OPTION, most=StaticSelectElement.options_max_length)


def option_problems(options: Any) -> list[str]:
    """Return what is wrong with options that the app answered with."""
    return list(_OPTIONS(options, "/options"))
