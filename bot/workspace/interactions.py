"""What the app is told when a person clicks, commands, submits or closes, and what its answer does."""

from typing import Any

from bot.workspace import messages
from bot.workspace.core import Workspace
from bot.workspace.delivery import Ack
from bot.workspace.errors import Refused
from bot.workspace.messages import Draft
from bot.workspace.methods.chat import checked_blocks
from bot.workspace.state import Conversation, Message
from bot.workspace.world import Person

Payload = dict[str, Any]

_NO_ANSWER = {
    "operation_timeout": "did not answer within {seconds:g} seconds. Nothing may have happened; try again.",
    "dispatch_failed": "is not connected. Nothing has happened; try again later.",
}


def base(workspace: Workspace, kind: str, person: Person) -> Payload:
    """Return the fields that every interaction has."""
    world = workspace.world
    return {
        "type": kind,
        "user": {"id": person.id, "username": person.name, "name": person.name, "team_id": world.team.id},
        "api_app_id": world.app.id,
        "token": world.app.verification_token,
        "team": {"id": world.team.id, "domain": world.team.domain},
        "enterprise": None,
        "is_enterprise_install": False,
    }


def failed(workspace: Workspace, person: Person, ack: Ack, **where: Any) -> None:
    """Show the actor that the app has not acknowledged what they did."""
    reason = _NO_ANSWER[ack.error].format(seconds=workspace.timing.acknowledge)
    workspace.warn(person.id, f"{workspace.world.app.name} {reason}", error=ack.error, **where)


def channel_of(conversation: Conversation) -> dict[str, str]:
    """Return a conversation as interactions name it."""
    special = {"im": "directmessage", "private": "privategroup"}
    return {"id": conversation.id, "name": special.get(conversation.kind, conversation.name)}


def public(message: Message) -> Message:
    """Return a message as the app may see it."""
    return {key: value for key, value in message.items() if key != "ephemeral_for"}


async def command(
    workspace: Workspace, person: Person, conversation: Conversation, name: str, text: str
) -> dict[str, Any]:
    """Run a slash command. Raises `unknown_command`."""
    world = workspace.world
    if not any(known.command == name for known in world.app.commands):
        raise Refused("unknown_command")
    payload = {
        "token": world.app.verification_token,
        "team_id": world.team.id,
        "team_domain": world.team.domain,
        "channel_id": conversation.id,
        "channel_name": channel_of(conversation)["name"],
        "user_id": person.id,
        "user_name": person.name,
        "command": name,
        "text": text,
        "api_app_id": world.app.id,
        "is_enterprise_install": "false",
        "response_url": response_url(workspace, "commands", conversation, person),
        "trigger_id": workspace.triggers.issue(person.id),
    }
    ack = await workspace.delivery.interact("slash_commands", payload, accepts=True)
    if not ack.acknowledged:
        failed(workspace, person, ack, channel=conversation.id, command=name)
        return {"acknowledged": False, "error": ack.error}
    answer: dict[str, Any] = {"acknowledged": True}
    if ack.payload:
        answer["response"] = ack.payload
        try:
            respond(workspace, conversation, person.id, ack.payload)
        except Refused as refused:
            answer["error"] = refused.error
            workspace.warn(
                person.id, f"{name} failed with the error “{refused.error}”", channel=conversation.id
            )
    return answer


def response_url(
    workspace: Workspace, kind: str, conversation: Conversation, person: Person, message_ts: str | None = None
) -> str:
    """Return a new response URL for what `person` just did."""
    path = workspace.responses.issue(kind, channel=conversation.id, user=person.id, message_ts=message_ts)
    return f"{workspace.origin}{path}"


def respond(
    workspace: Workspace,
    conversation: Conversation,
    user: str,
    body: dict[str, Any],
    *,
    message_ts: str | None = None,
) -> None:
    """Do what an answer to a command or a response URL says. Raises `no_text` and the refusals of blocks."""
    original = _original(workspace, conversation, user, message_ts)
    if body.get("delete_original"):
        if original is not None:
            messages.remove(workspace, conversation, original)
        return
    blocks = checked_blocks(body["blocks"]) if body.get("blocks") else None
    text = body.get("text") if isinstance(body.get("text"), str) else None
    attachments = body.get("attachments")
    if not blocks and not text and not attachments:
        raise Refused("no_text")
    thread_ts = body.get("thread_ts")
    draft = Draft(
        text=text or "",
        blocks=blocks,
        attachments=attachments,
        metadata=body.get("metadata"),
        thread_ts=thread_ts,
    )
    if body.get("replace_original") and original is not None:
        _replace(workspace, conversation, original, draft)
    elif body.get("response_type") == "in_channel":
        messages.post(workspace, conversation, draft)
    else:
        messages.whisper(workspace, conversation, user, draft)


def _original(
    workspace: Workspace, conversation: Conversation, user: str, message_ts: str | None
) -> Message | None:
    if message_ts is None:
        return None
    try:
        return workspace.state.message(conversation, message_ts, seen_by=user)
    except Refused:
        return None  # it has been deleted since


def _replace(workspace: Workspace, conversation: Conversation, original: Message, draft: Draft) -> None:
    if "ephemeral_for" in original:
        messages.replace_ephemeral(workspace, conversation, original, draft)
        return
    changes = {"text": draft.text or messages.NO_TEXT, "blocks": draft.blocks}
    messages.edit(workspace, conversation, original, changes)


async def shortcut(
    workspace: Workspace, person: Person, callback_id: str, where: tuple[Conversation, Message] | None
) -> dict[str, Any]:
    """Run a shortcut, on a message if it is of that type. Raises `unknown_shortcut`."""
    wanted = "global" if where is None else "message"
    known = [one for one in workspace.world.app.shortcuts if one.callback_id == callback_id]
    if not any(one.type == wanted for one in known):
        raise Refused("unknown_shortcut")
    payload = base(workspace, "shortcut" if where is None else "message_action", person)
    payload |= {
        "callback_id": callback_id,
        "trigger_id": workspace.triggers.issue(person.id),
        "action_ts": workspace.state.next_ts(),
    }
    if where is not None:
        conversation, message = where
        payload |= {
            "channel": channel_of(conversation),
            "message": public(message),
            "message_ts": message["ts"],
            "response_url": response_url(workspace, "app", conversation, person, message["ts"]),
        }
    ack = await workspace.delivery.interact("interactive", payload)
    if not ack.acknowledged:
        failed(workspace, person, ack)
    return acknowledgement(ack)


def acknowledgement(ack: Ack) -> dict[str, Any]:
    """Return how the control API reports an acknowledgement."""
    return {"acknowledged": ack.acknowledged, **({"error": ack.error} if ack.error else {})}
