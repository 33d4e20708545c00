"""What a streamed message is made of: chunks of text, tasks, a plan's title, and blocks."""

from typing import Any

from bot.workspace.validate.surfaces import message_problems

Chunk = dict[str, Any]
_STATUSES = frozenset({"pending", "in_progress", "complete", "error"})
_LONGEST_BLOCK = 12_000


def is_chunk(chunk: object) -> bool:
    """Tell whether something is a chunk that Slack takes."""
    if not isinstance(chunk, dict):
        return False
    match chunk.get("type"):
        case "markdown_text":
            return isinstance(chunk.get("text"), str)
        case "plan_update":
            return isinstance(chunk.get("title"), str)
        case "task_update":
            named = isinstance(chunk.get("id"), str) and isinstance(chunk.get("title"), str)
            return named and chunk.get("status") in _STATUSES
        case "blocks":
            return not message_problems(chunk.get("blocks"))
        case _:
            return False


def joined(chunks: list[Chunk], more: list[Chunk]) -> list[Chunk]:
    """Return the chunks with `more`: text runs on, and a task told again is updated in its place."""
    result = [dict(chunk) for chunk in chunks]
    for chunk in more:
        last = result[-1] if result else {}
        known = next((one for one in result if _same(one, chunk)), None)
        if known is not None:
            known.update(chunk)
        elif chunk["type"] == "markdown_text" == last.get("type"):
            last["text"] += chunk["text"]
        else:
            result.append(dict(chunk))
    return result


def _same(one: Chunk, other: Chunk) -> bool:
    if one["type"] != other["type"]:
        return False
    return bool(one["type"] == "plan_update" or (one["type"] == "task_update" and one["id"] == other["id"]))


def text(chunks: list[Chunk]) -> str:
    """Return the text of all chunks."""
    return "".join(chunk["text"] for chunk in chunks if chunk["type"] == "markdown_text")


def blocks(mode: str, chunks: list[Chunk]) -> list[dict[str, Any]]:
    """Return the blocks that show the chunks: tasks in their place, or together in a plan."""
    tasks = [_task(chunk) for chunk in chunks if chunk["type"] == "task_update"]
    title = next((chunk["title"] for chunk in chunks if chunk["type"] == "plan_update"), "")
    shown: list[dict[str, Any]] = []
    if mode == "plan" and tasks:
        shown.append({"type": "plan", "title": title or tasks[0]["title"], "tasks": tasks})
    for chunk in chunks:
        if chunk["type"] == "markdown_text":
            pieces = range(0, len(chunk["text"]), _LONGEST_BLOCK)
            shown += [{"type": "markdown", "text": chunk["text"][at : at + _LONGEST_BLOCK]} for at in pieces]
        elif chunk["type"] == "blocks":
            shown += chunk["blocks"]
        elif chunk["type"] == "task_update" and mode == "timeline":
            shown.append(_task(chunk))
    return shown


def _task(chunk: Chunk) -> dict[str, Any]:
    task = {"type": "task_card", "task_id": chunk["id"], "title": chunk["title"], "status": chunk["status"]}
    rich = {key: _rich_text(chunk[key]) for key in ("details", "output") if chunk.get(key)}
    return task | rich | ({"sources": chunk["sources"]} if chunk.get("sources") else {})


def _rich_text(words: str) -> dict[str, Any]:
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": words}]}
    return {"type": "rich_text", "elements": [section]}
