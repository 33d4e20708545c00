"""chat.startStream, appendStream, stopStream."""

from typing import Any

from bot.workspace import messages, streamed
from bot.workspace.errors import Refused, invalid
from bot.workspace.messages import Draft
from bot.workspace.methods.base import Answer, Call, Family
from bot.workspace.methods.chat import blocks_of, metadata_of, own_message
from bot.workspace.state import Conversation, Message

family = Family()
_LONGEST = 12_000


def _chunks(call: Call) -> list[dict[str, Any]]:
    """Return what a call appends. Raises `invalid_chunks` and `msg_too_long`."""
    given = call.json("chunks", "invalid_chunks") or []
    text = call.text("markdown_text")
    if text is not None and given:
        raise invalid("invalid_arguments", ["markdown_text and chunks exclude each other"])
    if text is not None:
        given = [{"type": "markdown_text", "text": text}]
    if not isinstance(given, list) or not all(streamed.is_chunk(chunk) for chunk in given):
        raise Refused("invalid_chunks")
    if sum(len(chunk["text"]) for chunk in given if chunk["type"] == "markdown_text") > _LONGEST:
        raise Refused("msg_too_long")
    return given


@family.method("chat.startStream", "chat:write")
def start(call: Call) -> Answer:
    """Open a message that grows. In a channel it needs to know for whom."""
    conversation = call.joined(call.required("channel"))
    if conversation.archived:
        raise Refused("is_archived")
    thread_ts = call.text("thread_ts")
    if conversation.kind == "im" and thread_ts is None:
        raise invalid("invalid_arguments", ["missing required field: thread_ts"])
    if conversation.kind != "im":
        for name in ("recipient_team_id", "recipient_user_id"):
            if call.text(name) is None:
                raise Refused(f"missing_{name}")
        call.workspace.state.person(call.text("recipient_user_id"))
    mode = call.text("task_display_mode") or "timeline"
    if mode not in {"timeline", "plan"}:
        raise invalid("invalid_arguments", ["unsupported value [json-pointer:/task_display_mode]"])
    chunks = _chunks(call)
    if wait := call.workspace.post_limit.wait(conversation.id):
        raise Refused("ratelimited", retry_after=wait)
    message = messages.post(call.workspace, conversation, Draft(thread_ts=thread_ts))
    stream = {"mode": mode, "chunks": [], "began": call.workspace.state.now()}
    message["streaming_state"] = "in_progress"
    _keep(call, message, stream)
    _grow(call, conversation, message, chunks)
    return {"channel": conversation.id, "ts": message["ts"]}


def _open_stream(call: Call) -> tuple[Conversation, Message]:
    conversation, message = own_message(call, "message_not_owned_by_app")
    if message.get("streaming_state") != "in_progress":
        raise Refused("message_not_in_streaming_state")
    if call.workspace.state.now() - _stream(call, message)["began"] > call.workspace.timing.stream:
        _finish(call, conversation, message)
        raise Refused("message_not_in_streaming_state")
    return conversation, message


def _stream(call: Call, message: Message) -> dict[str, Any]:
    return call.workspace.streaming[message["ts"]]


def _keep(call: Call, message: Message, stream: dict[str, Any]) -> None:
    call.workspace.streaming[message["ts"]] = stream
    call.workspace.store.put("streaming", message["ts"], stream)


def _grow(call: Call, conversation: Conversation, message: Message, chunks: list[dict[str, Any]]) -> None:
    stream = _stream(call, message)
    stream = stream | {"chunks": streamed.joined(stream["chunks"], chunks)}
    _keep(call, message, stream)
    message["text"] = streamed.text(stream["chunks"])
    message["blocks"] = messages.with_ids(
        call.workspace.ids, streamed.blocks(stream["mode"], stream["chunks"])
    )
    call.workspace.state.keep(conversation, message)
    call.workspace.tell(conversation, {"type": "message_changed", "message": message})


@family.method("chat.appendStream", "chat:write")
def append(call: Call) -> Answer:
    """Let a message grow."""
    conversation, message = _open_stream(call)
    chunks = _chunks(call)
    if not chunks:
        raise Refused("no_text")
    _grow(call, conversation, message, chunks)
    return {"channel": conversation.id, "ts": message["ts"]}


@family.method("chat.stopStream", "chat:write")
def stop(call: Call) -> Answer:
    """Finish a message, with blocks below what was streamed."""
    conversation, message = _open_stream(call)
    chunks, blocks, metadata = _chunks(call), blocks_of(call), metadata_of(call)
    fresh = _finish(call, conversation, message, chunks=chunks, blocks=blocks, metadata=metadata)
    return {"channel": conversation.id, "ts": fresh["ts"], "message": fresh}


def _finish(
    call: Call,
    conversation: Conversation,
    message: Message,
    *,
    chunks: list[dict[str, Any]] | None = None,
    blocks: list[dict[str, Any]] | None = None,
    metadata: dict[str, Any] | None = None,
) -> Message:
    stream = call.workspace.streaming.pop(message["ts"])
    call.workspace.store.remove("streaming", message["ts"])
    told = streamed.joined(stream["chunks"], chunks or [])
    body = [*streamed.blocks(stream["mode"], told), *(blocks or [])]
    fresh = message | {
        "text": streamed.text(told) or (messages.NO_TEXT if body else ""),
        "blocks": messages.with_ids(call.workspace.ids, body),
        "streaming_state": "completed",
    }
    if metadata:
        fresh["metadata"] = metadata
    call.workspace.changed(conversation, fresh, message)
    return fresh
