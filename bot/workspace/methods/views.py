"""views.open, push, update, publish."""

import json
from typing import Any

from bot.workspace.errors import Refused, invalid
from bot.workspace.messages import with_ids
from bot.workspace.methods.base import Answer, Call, Family
from bot.workspace.validate.surfaces import view_problems

family = Family()
_LARGEST = 250_000


def checked_view(call: Call, *kinds: str) -> dict[str, Any]:
    """Return the valid view of a call. Raises `invalid_arguments` and `view_too_large`."""
    given = call.json("view", "invalid_arguments")
    if given is None:
        raise invalid("invalid_arguments", ["missing required field: view"])
    return prepared_view(call, given, *kinds)


def prepared_view(call: Call, given: object, *kinds: str) -> dict[str, Any]:
    """Return `given` as a view with all ids. Raises as `checked_view` does."""
    if not isinstance(given, dict):
        raise invalid("invalid_arguments", ["must be an object [json-pointer:/view]"])
    problems = view_problems(given)
    if not problems and given["type"] not in kinds:
        problems = [f"unsupported type: {given['type']} [json-pointer:/view/type]"]
    if problems:
        raise invalid("invalid_arguments", problems)
    if len(json.dumps(given, ensure_ascii=False).encode()) > _LARGEST:
        raise Refused("view_too_large")
    return given | {"blocks": with_ids(call.workspace.ids, given["blocks"])}


@family.method("views.open")
def open_view(call: Call) -> Answer:
    """Open a modal for whoever made the trigger."""
    given = checked_view(call, "modal")
    trigger = call.workspace.triggers.exchange(call.text("trigger_id"))
    view = call.workspace.views.open(trigger.user, given)
    call.workspace.tell_views(trigger.user)
    return {"view": view}


@family.method("views.push")
def push_view(call: Call) -> Answer:
    """Put a modal on top of the one in which the trigger was made."""
    given = checked_view(call, "modal")
    trigger = call.workspace.triggers.exchange(call.text("trigger_id"))
    view = call.workspace.views.push(trigger.user, given)
    call.workspace.tell_views(trigger.user)
    return {"view": view}


@family.method("views.update")
def update_view(call: Call) -> Answer:
    """Replace an open modal, or a home tab."""
    if call.text("view_id") is None and call.text("external_id") is None:
        raise invalid("invalid_arguments", ["missing required field: view_id"])
    given = checked_view(call, "modal", "home")
    user, view = call.workspace.views.find(call.text("view_id"), call.text("external_id"))
    if given["type"] != view["type"]:
        raise invalid("invalid_arguments", ["the type of a view cannot change [json-pointer:/view/type]"])
    expected = call.text("hash")
    if expected is not None and expected != view["hash"]:
        raise Refused("hash_conflict")
    fresh = call.workspace.views.update(user, view, given)
    call.workspace.tell_views(user)
    return {"view": fresh}


@family.method("views.publish")
def publish_view(call: Call) -> Answer:
    """Set the home tab of one person."""
    given = checked_view(call, "home")
    user = call.workspace.state.person(call.required("user_id")).id
    view = call.workspace.views.publish(user, given, call.text("hash"))
    call.workspace.tell_views(user)
    return {"view": view}
