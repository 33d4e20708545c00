"""assistant.threads.setStatus, setTitle, setSuggestedPrompts."""

from bot.workspace.errors import Refused, invalid
from bot.workspace.methods.base import Answer, Call, Family
from bot.workspace.state import Conversation

family = Family()
_MOST_PROMPTS = 4
_MOST_LOADING = 10


def _thread(call: Call) -> tuple[Conversation, str]:
    conversation = call.joined(call.required("channel_id"))
    thread_ts = call.required("thread_ts")
    if thread_ts not in conversation.messages:
        raise Refused("invalid_thread_ts")
    return conversation, thread_ts


@family.method("assistant.threads.setStatus", "chat:write", "assistant:write")
def set_status(call: Call) -> Answer:
    """Show, or with an empty text clear, what the app is doing."""
    conversation, thread_ts = _thread(call)
    status = call.text("status") or ""
    loading = call.json("loading_messages", "invalid_arguments") or []
    if not isinstance(loading, list) or len(loading) > _MOST_LOADING:
        raise invalid(
            "invalid_arguments",
            [f"no more than {_MOST_LOADING} items allowed [json-pointer:/loading_messages]"],
        )
    call.workspace.assistant.set_status(conversation.id, thread_ts, status)
    note = {"type": "status", "thread_ts": thread_ts, "status": status, "loading_messages": loading}
    call.workspace.tell(conversation, note)
    return {}


@family.method("assistant.threads.setTitle", "assistant:write")
def set_title(call: Call) -> Answer:
    """Name a thread in a direct message."""
    conversation, thread_ts = _thread(call)
    if conversation.kind != "im":
        raise Refused("channel_not_found")
    call.workspace.assistant.set_title(conversation.id, thread_ts, call.required("title"))
    return {}


@family.method("assistant.threads.setSuggestedPrompts", "assistant:write")
def set_prompts(call: Call) -> Answer:
    """Offer up to four prompts in a direct message; with `agent_view` no thread is needed."""
    conversation = call.joined(call.required("channel_id"))
    if conversation.kind != "im":
        raise Refused("channel_not_found")
    thread_ts = call.text("thread_ts")
    if thread_ts is not None and thread_ts not in conversation.messages:
        raise Refused("invalid_thread_ts")
    prompts = call.json("prompts", "invalid_arguments")
    if not isinstance(prompts, list) or not 1 <= len(prompts) <= _MOST_PROMPTS:
        raise invalid(
            "invalid_arguments", [f"between 1 and {_MOST_PROMPTS} items are needed [json-pointer:/prompts]"]
        )
    for index, prompt in enumerate(prompts):
        texts = [prompt.get("title"), prompt.get("message")] if isinstance(prompt, dict) else []
        if not texts or not all(isinstance(text, str) and text for text in texts):
            raise invalid(
                "invalid_arguments", [f"needs a title and a message [json-pointer:/prompts/{index}]"]
            )
    shown = {"title": call.text("title"), "prompts": prompts}
    call.workspace.assistant.set_prompts(conversation.id, shown)
    call.workspace.tell(conversation, {"type": "prompts", "thread_ts": thread_ts, **shown})
    return {}
