"""The interactive elements: where they stand, what state they hold, and what an action says of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.workspace.errors import Refused

Block = dict[str, Any]
Element = dict[str, Any]
Values = dict[str, dict[str, Any]]

# element type -> (what its state is called, what it initially is called, what it is when empty)
_STATEFUL: dict[str, tuple[str, str, Any]] = {
    "plain_text_input": ("value", "initial_value", None),
    "email_text_input": ("value", "initial_value", None),
    "url_text_input": ("value", "initial_value", None),
    "number_input": ("value", "initial_value", None),
    "rich_text_input": ("rich_text_value", "initial_value", None),
    "static_select": ("selected_option", "initial_option", None),
    "external_select": ("selected_option", "initial_option", None),
    "radio_buttons": ("selected_option", "initial_option", None),
    "checkboxes": ("selected_options", "initial_options", []),
    "multi_static_select": ("selected_options", "initial_options", []),
    "multi_external_select": ("selected_options", "initial_options", []),
    "users_select": ("selected_user", "initial_user", None),
    "multi_users_select": ("selected_users", "initial_users", []),
    "conversations_select": ("selected_conversation", "initial_conversation", None),
    "multi_conversations_select": ("selected_conversations", "initial_conversations", []),
    "channels_select": ("selected_channel", "initial_channel", None),
    "multi_channels_select": ("selected_channels", "initial_channels", []),
    "datepicker": ("selected_date", "initial_date", None),
    "timepicker": ("selected_time", "initial_time", None),
    "datetimepicker": ("selected_date_time", "initial_date_time", None),
    "file_input": ("files", "", []),
}
_PRESSED = {
    "button": "value",
    "icon_button": "value",
    "feedback_buttons": "value",
    "overflow": "selected_option",
}
# what an action repeats of its element
_ECHOED = (
    "text",
    "style",
    "placeholder",
    "confirm",
    "url",
    "initial_option",
    "initial_options",
    "initial_date",
)
OPTION_KEYS = frozenset({"selected_option", "selected_options"})


def elements(blocks: Sequence[Block]) -> Iterator[tuple[Block, Element]]:
    """Yield every interactive element with the block that holds it."""
    for block in blocks:
        for element in (block.get("accessory"), block.get("element"), *(block.get("elements") or ())):
            if isinstance(element, dict) and "action_id" in element:
                yield block, element
        for card in (block, *(block.get("elements") or ())):
            for button in card.get("actions") or () if isinstance(card, dict) else ():
                yield block, button
        yield from elements(block.get("child_blocks") or ())


def find(blocks: Sequence[Block], block_id: object, action_id: object) -> tuple[Block, Element]:
    """Return one element and its block. Raises `element_not_found`."""
    for block, element in elements(blocks):
        if element["action_id"] == action_id and (block_id is None or block["block_id"] == block_id):
            return block, element
    raise Refused("element_not_found")


def value_key(element: Element) -> str:
    """Return the name under which a use of `element` reports its value."""
    kind = element["type"]
    return _PRESSED.get(kind) or _STATEFUL[kind][0]


def is_stateful(element: Element) -> bool:
    """Tell whether `element` holds a value, so that it appears in `state.values`."""
    return element["type"] in _STATEFUL


def initial_values(blocks: Sequence[Block]) -> Values:
    """Return `state.values` before anybody has entered anything."""
    values: Values = {}
    for block, element in elements(blocks):
        if is_stateful(element):
            key, initial, empty = _STATEFUL[element["type"]]
            value = {"type": element["type"], key: element.get(initial, empty)}
            values.setdefault(block["block_id"], {})[element["action_id"]] = value
    return values


def merged_values(blocks: Sequence[Block], *entered: Mapping[str, Mapping[str, Any]]) -> Values:
    """Return the values of `blocks` with what was entered, later layers over earlier ones.

    A value that was entered into an element of another type is forgotten.
    """
    values = initial_values(blocks)
    for block_id, actions in values.items():
        for action_id, value in actions.items():
            for layer in entered:
                given = layer.get(block_id, {}).get(action_id)
                if isinstance(given, dict) and given.get("type", value["type"]) == value["type"]:
                    actions[action_id] = {"type": value["type"]} | given
    return values


def options(element: Element) -> list[dict[str, Any]]:
    """Return the options that `element` itself lists, or starts with."""
    grouped = [option for group in element.get("option_groups") or () for option in group["options"]]
    first = [element["initial_option"]] if element.get("initial_option") else []
    return [*(element.get("options") or ()), *grouped, *first, *(element.get("initial_options") or ())]


def chosen_options(offered: Sequence[dict[str, Any]], wanted: object) -> Any:
    """Return the offered options that `wanted` names, as objects or by their values: one, or a list of them.

    Raises `invalid_value` for an option that is not offered.
    """
    if isinstance(wanted, list):
        return [chosen_options(offered, each) for each in wanted]
    value = wanted.get("value") if isinstance(wanted, dict) else wanted
    for option in offered:
        if option.get("value") == value:
            return option
    raise Refused("invalid_value", detail="no such option")


def is_value(key: str, value: object) -> bool:
    """Tell whether `value` is what an element may report as `key`; an empty one reports None."""
    if value is None:
        return True
    if key == "selected_option":
        return isinstance(value, dict | str)
    if key == "rich_text_value":
        return isinstance(value, dict)
    if key == "selected_date_time":
        return isinstance(value, int)
    return isinstance(value, list if key.endswith("s") else str)


def action(block: Block, element: Element, chosen: Any, action_ts: str) -> dict[str, Any]:
    """Return the entry of a `block_actions` payload for one use of an element."""
    echoed = {key: element[key] for key in _ECHOED if key in element}
    said = {} if chosen is None and element["type"] == "button" else {value_key(element): chosen}
    return {
        "action_id": element["action_id"],
        "block_id": block["block_id"],
        **echoed,
        **said,
        "type": element["type"],
        "action_ts": action_ts,
    }
