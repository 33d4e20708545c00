"""Submitting and closing modals: what the app is told, and what its answer does to the stack."""

import re
from typing import Any

from bot.workspace import elements, interactions
from bot.workspace.core import Workspace
from bot.workspace.errors import Refused
from bot.workspace.messages import with_ids
from bot.workspace.validate.surfaces import view_problems
from bot.workspace.views import View
from bot.workspace.world import Person

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_URL = re.compile(r"https?://\S+")
_REQUIRED = "Please complete this required field."


async def submit(
    workspace: Workspace, person: Person, view: View, values: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Submit the modal on top. Raises `view_not_found` for one below it, `not_submittable`."""
    if not workspace.views.stack(person.id) or workspace.views.stack(person.id)[-1]["id"] != view["id"]:
        raise Refused("view_not_found")
    if view["submit"] is None:
        raise Refused("not_submittable")
    workspace.views.enter(person.id, view, _checked(workspace, person, view, values))
    if errors := _input_errors(view):
        return {"acknowledged": False, "dispatched": False, "response_action": "errors", "errors": errors}
    payload = interactions.base(workspace, "view_submission", person)
    payload |= {
        "trigger_id": workspace.triggers.issue(person.id, view=view["id"]),
        "view": view,
        "response_urls": _response_urls(workspace, person, view),
    }
    ack = await workspace.delivery.interact("interactive", payload, accepts=True)
    if not ack.acknowledged:
        interactions.failed(workspace, person, ack, view_id=view["id"])
        return interactions.acknowledgement(ack)
    return {"acknowledged": True, **_obey(workspace, person, view, ack.payload)}


def _checked(
    workspace: Workspace, person: Person, view: View, values: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return the values, every option as the view offers it. Raises `element_not_found`, `invalid_value`."""
    checked: dict[str, dict[str, Any]] = {}
    for block_id, actions in values.items():
        for action_id, value in actions.items():
            _, element = elements.find(view["blocks"], block_id, action_id)
            key = elements.value_key(element)
            if not isinstance(value, dict) or set(value) - {"type", key}:
                raise Refused("invalid_value", detail=f"{block_id}/{action_id} takes {{type, {key}}}")
            chosen = value.get(key)
            if not elements.is_value(key, chosen):
                raise Refused("invalid_value", detail=f"{block_id}/{action_id} takes no such {key}")
            if key in elements.OPTION_KEYS and chosen:
                offered = workspace.entries.offered(person.id, view["id"], action_id) + elements.options(
                    element
                )
                chosen = elements.chosen_options(offered, chosen)
            checked.setdefault(block_id, {})[action_id] = {"type": element["type"], key: chosen}
    return checked


def _input_errors(view: View) -> dict[str, str]:
    """Return what Slack's own form would not let pass, by block."""
    errors: dict[str, str] = {}
    for block in view["blocks"]:
        if block["type"] == "input":
            element = block["element"]
            value = view["state"]["values"][block["block_id"]][element["action_id"]]
            problem = _problem(
                element, value.get(elements.value_key(element)), optional=block.get("optional", False)
            )
            if problem:
                errors[block["block_id"]] = problem
    return errors


def _problem(element: dict[str, Any], value: Any, *, optional: bool) -> str | None:
    if value is None or value in ("", []):
        return None if optional else _REQUIRED
    match element["type"]:
        case "plain_text_input":
            return _length_problem(element, value)
        case "email_text_input":
            return None if _EMAIL.fullmatch(value) else "Please enter a valid email address."
        case "url_text_input":
            return None if _URL.fullmatch(value) else "Please enter a valid URL."
        case "number_input":
            return _number_problem(element, value)
        case _:
            return None


def _length_problem(element: dict[str, Any], value: str) -> str | None:
    least, most = element.get("min_length", 0), element.get("max_length", 3000)
    if len(value) < least:
        return f"Please enter at least {least} characters."
    return f"Please enter at most {most} characters." if len(value) > most else None


def _number_problem(element: dict[str, Any], value: str) -> str | None:
    pattern = r"-?\d+(\.\d+)?" if element["is_decimal_allowed"] else r"-?\d+"
    if not re.fullmatch(pattern, str(value)):
        return "Please enter a number." if element["is_decimal_allowed"] else "Please enter a whole number."
    least, most = element.get("min_value"), element.get("max_value")
    if least is not None and float(value) < float(least):
        return f"Please enter a number of at least {least}."
    if most is not None and float(value) > float(most):
        return f"Please enter a number of at most {most}."
    return None


def _response_urls(workspace: Workspace, person: Person, view: View) -> list[dict[str, str]]:
    urls = []
    for block, element in elements.elements(view["blocks"]):
        value = view["state"]["values"].get(block["block_id"], {}).get(element["action_id"], {})
        chosen = value.get("selected_conversation") or value.get("selected_channel")
        if element.get("response_url_enabled") and chosen in workspace.state.conversations:
            conversation = workspace.state.conversation(chosen)
            urls.append(
                {
                    "block_id": block["block_id"],
                    "action_id": element["action_id"],
                    "channel_id": conversation.id,
                    "response_url": interactions.response_url(workspace, "app", conversation, person),
                }
            )
    return urls


def _obey(workspace: Workspace, person: Person, view: View, answer: dict[str, Any]) -> dict[str, Any]:
    """Do to the stack what the app's answer says. What the app cannot say becomes a visible failure."""
    action = answer.get("response_action")
    try:
        match action:
            case None:
                workspace.views.close(person.id, view)
            case "clear":
                workspace.views.clear(person.id)
            case "errors":
                return {"response_action": "errors", "errors": _known_errors(view, answer.get("errors"))}
            case "update":
                workspace.views.update(person.id, view, _given(workspace, answer))
            case "push":
                workspace.views.push(person.id, _given(workspace, answer))
            case _:
                return _unshowable(workspace, person, view, Refused("invalid_response_action"))
    except Refused as refused:
        return _unshowable(workspace, person, view, refused)
    workspace.tell_views(person.id)
    return {"response_action": action} if action else {}


def _unshowable(workspace: Workspace, person: Person, view: View, refused: Refused) -> dict[str, Any]:
    text = f"{workspace.world.app.name} answered with something that cannot be shown ({refused.error})."
    workspace.warn(person.id, text, error=refused.error, view_id=view["id"])
    return {"error": refused.error, "problems": refused.extra.get("errors", [])}


def _given(workspace: Workspace, answer: dict[str, Any]) -> View:
    given = answer.get("view")
    problems = view_problems(given)
    if problems or not isinstance(given, dict) or given["type"] != "modal":
        raise Refused("invalid_view", errors=problems)
    return given | {"blocks": with_ids(workspace.ids, given["blocks"])}


def _known_errors(view: View, errors: object) -> dict[str, str]:
    """Return the errors by block. Raises `invalid_errors` for a block that takes no input."""
    inputs = {block["block_id"] for block in view["blocks"] if block["type"] == "input"}
    if not isinstance(errors, dict) or not errors or not set(errors) <= inputs:
        raise Refused("invalid_errors")
    return {str(block): str(text) for block, text in errors.items()}


async def close(workspace: Workspace, person: Person, view: View, *, everything: bool) -> dict[str, Any]:
    """Close a modal, or all with `everything` or `clear_on_close`. Tells the app where it asked."""
    cleared = everything or view["clear_on_close"]
    closed = workspace.views.clear(person.id) if cleared else workspace.views.close(person.id, view)
    workspace.tell_views(person.id)
    acknowledged = True
    for each in closed:
        if each["notify_on_close"]:
            payload = interactions.base(workspace, "view_closed", person)
            payload |= {"view": each, "is_cleared": bool(cleared)}
            ack = await workspace.delivery.interact("interactive", payload)
            if not ack.acknowledged:
                interactions.failed(workspace, person, ack, view_id=each["id"])
            acknowledged = acknowledged and ack.acknowledged
    return {"acknowledged": acknowledged}
