"""Clicks and choices in messages and views: `block_actions` and `block_suggestion`."""

from dataclasses import dataclass
from typing import Any

from bot.workspace import elements, interactions
from bot.workspace.core import Workspace
from bot.workspace.errors import Refused
from bot.workspace.state import Conversation, Message
from bot.workspace.validate.elements import option_problems
from bot.workspace.views import View
from bot.workspace.world import Person

_MOST_OPTIONS = 100


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where somebody acts: in a message, or in a view."""

    conversation: Conversation | None = None
    message: Message | None = None
    view: View | None = None

    @property
    def blocks(self) -> list[dict[str, Any]]:
        """The blocks that stand there."""
        holder = self.view if self.view is not None else self.message
        return list((holder or {}).get("blocks") or ())

    @property
    def key(self) -> str:
        """A name for the place."""
        if self.view is not None:
            return str(self.view["id"])
        return f"{self.conversation.id if self.conversation else ''}/{(self.message or {}).get('ts')}"


def described(workspace: Workspace, place: Place) -> dict[str, Any]:
    """Return what a payload says of the place."""
    if place.view is not None:
        return {"container": {"type": "view", "view_id": place.view["id"]}, "view": place.view}
    assert place.conversation is not None
    assert place.message is not None
    message, ephemeral = place.message, "ephemeral_for" in place.message
    container = {
        "type": "message",
        "message_ts": message["ts"],
        "channel_id": place.conversation.id,
        "is_ephemeral": ephemeral,
    }
    if message.get("thread_ts", message["ts"]) != message["ts"]:
        container["thread_ts"] = message["thread_ts"]
    shown = {} if ephemeral else {"message": interactions.public(message)}
    return {"container": container, "channel": interactions.channel_of(place.conversation), **shown}


async def act(workspace: Workspace, person: Person, place: Place, body: dict[str, Any]) -> dict[str, Any]:
    """Use one element. Raises `element_not_found`, `confirm_required` and `invalid_value`."""
    block, element = elements.find(place.blocks, body.get("block_id"), body.get("action_id"))
    chosen = _chosen(workspace, person, place, element, body)
    if "confirm" in element:
        if body.get("confirm") is None:
            raise Refused("confirm_required", confirm=element["confirm"])
        if body["confirm"] is False:
            return {"acknowledged": False, "cancelled": True}
    _enter(workspace, person, place, body, (block, element, chosen))
    if block["type"] == "input" and not block.get("dispatch_action"):
        return {"acknowledged": True, "dispatched": False}
    ts = workspace.state.next_ts()
    payload = interactions.base(workspace, "block_actions", person)
    payload |= described(workspace, place)
    payload |= {
        "actions": [elements.action(block, element, chosen, ts)],
        "trigger_id": workspace.triggers.issue(person.id, view=place.view["id"] if place.view else None),
    }
    if place.conversation is not None and place.message is not None:
        where, message_ts = place.conversation, place.message["ts"]
        payload["state"] = {"values": workspace.entries.values(person.id, place.key, place.blocks)}
        payload["response_url"] = interactions.response_url(workspace, "actions", where, person, message_ts)
    ack = await workspace.delivery.interact("interactive", payload)
    if not ack.acknowledged:
        interactions.failed(workspace, person, ack, action_id=element["action_id"])
    return interactions.acknowledgement(ack)


def _enter(
    workspace: Workspace,
    person: Person,
    place: Place,
    body: dict[str, Any],
    used: tuple[dict[str, Any], dict[str, Any], Any],
) -> None:
    """Remember what the person has entered here, this use included."""
    block, element, chosen = used
    entered: elements.Values = {}
    given = body.get("state")
    if isinstance(given, dict) and isinstance(given.get("values"), dict):
        entered = {key: dict(value) for key, value in given["values"].items() if isinstance(value, dict)}
    if elements.is_stateful(element):
        value = {"type": element["type"], elements.value_key(element): chosen}
        entered.setdefault(block["block_id"], {})[element["action_id"]] = value
    if place.view is not None:
        workspace.views.enter(person.id, place.view, entered)
    else:
        workspace.entries.enter(person.id, place.key, place.blocks, entered)


def _chosen(
    workspace: Workspace, person: Person, place: Place, element: dict[str, Any], body: dict[str, Any]
) -> Any:
    """Return the value of this use, checked against what the element offers."""
    key = elements.value_key(element)
    kind = element["type"]
    if kind in {"button", "icon_button"}:
        return element.get("value")
    if kind == "feedback_buttons":
        offered = [element[f"{side}_button"]["value"] for side in ("positive", "negative")]
        if body.get("value") not in offered:
            raise Refused("invalid_value", detail="no such feedback button")
        return body["value"]
    if key not in body:
        raise Refused("invalid_value", detail=f"{kind} needs {key}")
    if not elements.is_value(key, body[key]):
        raise Refused("invalid_value", detail=f"{kind} takes no such {key}")
    if key not in elements.OPTION_KEYS or body[key] is None:
        return body[key]
    offered = elements.options(element) + workspace.entries.offered(
        person.id, place.key, element["action_id"]
    )
    return elements.chosen_options(offered, body[key])


async def suggest(workspace: Workspace, person: Person, place: Place, body: dict[str, Any]) -> dict[str, Any]:
    """Load the options of an external select for what was typed. Raises `element_not_found`."""
    block, element = elements.find(place.blocks, body.get("block_id"), body.get("action_id"))
    if not element["type"].endswith("external_select"):
        raise Refused("element_not_found")
    typed = str(body.get("value") or "")
    if len(typed) < element.get("min_query_length", 3):
        return {"acknowledged": True, "options": []}
    payload = interactions.base(workspace, "block_suggestion", person) | described(workspace, place)
    payload |= {"action_id": element["action_id"], "block_id": block["block_id"], "value": typed}
    ack = await workspace.delivery.interact("interactive", payload, accepts=True)
    if not ack.acknowledged:
        interactions.failed(workspace, person, ack, action_id=element["action_id"])
        return interactions.acknowledgement(ack) | {"options": []}
    groups = ack.payload.get("option_groups")
    offered = (
        [one for group in groups for one in group.get("options", ())]
        if isinstance(groups, list)
        else ack.payload.get("options")
    )
    if problems := option_problems(offered):
        return {"acknowledged": True, "error": "invalid_options", "errors": problems, "options": []}
    workspace.entries.offer(person.id, place.key, element["action_id"], offered or [])
    return {
        "acknowledged": True,
        **{key: ack.payload[key] for key in ("options", "option_groups") if key in ack.payload},
    }
