"""The forms of requests: which workflow, and what it must know."""

from collections.abc import Mapping, Sequence
from typing import Any

from bot.blocks import parts
from bot.blocks.parts import Block, View
from bot.render import ours, plain, size
from graphs.records import Field

CHOOSE = "request.choose"
FORM = "request.form"
FILL = "request.fill"
WORKFLOW = "request.workflow"
VALUE = "value"


def choose(titles: Mapping[str, str]) -> View:
    """Ask which workflow is wanted."""
    options = [parts.option(title, name) for name, title in list(titles.items())[:100]]
    element: Block = {"type": "static_select", "action_id": VALUE, "options": options}
    entry = parts.entry(WORKFLOW, "What do you need?", element)
    return parts.modal("New request", [entry], callback=CHOOSE, submit="Next", close="Cancel")


def form(
    title: str, fields: Sequence[Field], values: Mapping[str, str], *, metadata: str, callback: str
) -> View:
    """Ask for the fields, with what is known filled in. `metadata` names the workflow or the run."""
    if not fields:
        return parts.modal(title, [parts.section(ours("Nothing is missing any more."))])
    entries = [_entry(field, values.get(field.name, "")) for field in fields]
    return parts.modal(title, entries, callback=callback, submit="Send", close="Cancel", metadata=metadata)


def values(state: Mapping[str, Any]) -> dict[str, str]:
    """Read what was filled in from a view's state: field name -> text."""
    found: dict[str, str] = {}
    for name, elements in state.items():
        element = elements.get(VALUE) or {}
        chosen = element.get("selected_option") or {}
        value = chosen.get("value") if chosen else element.get("value")
        if value is not None and str(value).strip():
            found[name] = str(value).strip()
    return found


def _entry(field: Field, value: str) -> Block:
    element = _element(field, value)
    return parts.entry(field.name, field.label, element, hint=field.help, optional=False)


def _element(field: Field, value: str) -> Block:
    if field.kind == "choice" and 0 < len(field.options) <= 100 and all(map(_is_short, field.options)):
        return _menu(field, value)
    if field.kind == "number":
        return _number(field, value)
    return _text(field, value)


def _is_short(option: str) -> bool:
    return 0 < size(option) <= 150


def _menu(field: Field, value: str) -> Block:
    options = [parts.option(name, name) for name in field.options]
    element: Block = {"type": "static_select", "action_id": VALUE, "options": options}
    if value in field.options:
        element["initial_option"] = options[field.options.index(value)]
    return element


def _number(field: Field, value: str) -> Block:
    element: Block = {"type": "number_input", "action_id": VALUE, "is_decimal_allowed": False}
    if field.least is not None:
        element["min_value"] = str(field.least)
    if field.most is not None:
        element["max_value"] = str(field.most)
    if value.isdecimal() and size(value) < 10 and _within(int(value), field):
        element["initial_value"] = value
    return element


def _within(number: int, field: Field) -> bool:
    return (field.least is None or number >= field.least) and (field.most is None or number <= field.most)


def _text(field: Field, value: str) -> Block:
    most = min(field.most or 3000, 3000)
    element: Block = {
        "type": "plain_text_input",
        "action_id": VALUE,
        "multiline": field.kind == "text",
        "max_length": most,
    }
    if value:
        element["initial_value"] = plain(value, most)
    return element
