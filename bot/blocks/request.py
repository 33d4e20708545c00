"""The forms of requests: which workflow, and what it must know."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bot.blocks import parts
from bot.blocks.parts import Block, View
from bot.render import ours, plain, size
from graphs.forms import canonical, chosen_of, examine
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
    found = {name: _filled_in(elements.get(VALUE) or {}) for name, elements in state.items()}
    return {name: value for name, value in found.items() if value}


def _filled_in(element: Mapping[str, Any]) -> str:
    if several := element.get("selected_options"):
        return json.dumps([option["value"] for option in several], ensure_ascii=False)
    chosen = element.get("selected_option") or {}
    value = chosen.get("value") or next(
        (element[key] for key in ("value", "selected_date", "selected_time") if element.get(key)), ""
    )
    return str(value).strip()


def _entry(field: Field, value: str) -> Block:
    element = _element(field, value)
    units = f"In {', '.join(field.options)}." if field.kind in {"money", "quantity"} else ""
    hint = " ".join(filter(None, (field.help, units)))
    return parts.entry(field.name, field.label, element, hint=hint, optional=False)


def _element(field: Field, value: str) -> Block:
    match field.kind:
        case "choice" if _fits_menu(field):
            return _menu(field, value)
        case "several" if _fits_menu(field):
            return _menu_of_several(field, value)
        case "number":
            return _number(field, value)
        case "date" | "time" | "yes_no":
            return _picker(field, value)
        case _:
            return _text(field, value)


def _fits_menu(field: Field) -> bool:
    return 0 < len(field.options) <= 100 and all(map(_is_short, field.options))


def _is_short(option: str) -> bool:
    return 0 < size(option) <= 150


def _menu(field: Field, value: str) -> Block:
    options = [parts.option(name, name) for name in field.options]
    element: Block = {"type": "static_select", "action_id": VALUE, "options": options}
    if value in field.options:
        element["initial_option"] = options[field.options.index(value)]
    return element


def _menu_of_several(field: Field, value: str) -> Block:
    options = [parts.option(name, name) for name in field.options]
    element: Block = {"type": "multi_static_select", "action_id": VALUE, "options": options}
    if field.most is not None:
        element["max_selected_items"] = max(field.most, 1)
    chosen = chosen_of(value)
    initial = [option for option in options if option["value"] in chosen][: field.most]
    if initial:
        element["initial_options"] = initial
    return element


def _picker(field: Field, value: str) -> Block:
    """A picker of Slack's own, which starts with the value if it is one that it could have given."""
    element: Block = {"type": f"{field.kind}picker", "action_id": VALUE}
    options = [parts.option("Yes", "yes"), parts.option("No", "no")]
    if field.kind == "yes_no":
        element |= {"type": "radio_buttons", "options": options}
    if _unfit(field, value):
        return element
    known = canonical([field], {field.name: value})[field.name]
    if field.kind == "yes_no":
        return element | {"initial_option": options[known == "no"]}
    return element | {f"initial_{field.kind}": known}


def _unfit(field: Field, value: str) -> bool:
    return bool(examine([field], {field.name: value}))


def _number(field: Field, value: str) -> Block:
    element: Block = {"type": "number_input", "action_id": VALUE, "is_decimal_allowed": False}
    if field.least is not None:
        element["min_value"] = str(field.least)
    if field.most is not None:
        element["max_value"] = str(field.most)
    if not _unfit(field, value):
        element["initial_value"] = value
    return element


def _text(field: Field, value: str) -> Block:
    most = min((field.kind == "text" and field.most) or 3000, 3000)  # of an amount, `most` is no length
    element: Block = {
        "type": "plain_text_input",
        "action_id": VALUE,
        "multiline": field.kind in {"several", "text"} and not field.pattern,
        "max_length": most,
    }
    if text := "\n".join(chosen_of(value)) if field.kind == "several" else value:
        element["initial_value"] = plain(text, most)
    return element
