"""What the app shows around its messages: a passing status, a title, and suggested prompts."""

from collections.abc import Callable
from typing import Any

from bot.workspace.store import Store


class Assistant:
    """Statuses by thread, titles and prompts by conversation. `clock` is monotonic."""

    def __init__(self, store: Store, clock: Callable[[], float], lifetime: float) -> None:
        self._store = store
        self._clock = clock
        self._lifetime = lifetime
        self._statuses: dict[str, tuple[str, float]] = {}
        self.titles: dict[str, str] = store.load("title")
        self._prompts: dict[str, dict[str, Any]] = store.load("prompts")

    def set_status(self, channel: str, thread_ts: str, status: str) -> None:
        """Show a status; an empty one clears it. Slack clears it after two minutes."""
        self._statuses[f"{channel}/{thread_ts}"] = (status, self._clock() + self._lifetime)

    def clear(self, channel: str, thread_ts: str) -> bool:
        """Clear a status because the app has posted. Returns whether one was shown."""
        shown = bool(self.status(channel, thread_ts))
        self._statuses.pop(f"{channel}/{thread_ts}", None)
        return shown

    def status(self, channel: str, thread_ts: str) -> str:
        """Return the status shown in a thread now, or the empty string."""
        status, until = self._statuses.get(f"{channel}/{thread_ts}", ("", 0.0))
        return status if self._clock() <= until else ""

    def set_title(self, channel: str, thread_ts: str, title: str) -> None:
        """Name a thread."""
        self.titles[f"{channel}/{thread_ts}"] = title
        self._store.put("title", f"{channel}/{thread_ts}", title)

    def set_prompts(self, channel: str, prompts: dict[str, Any]) -> None:
        """Offer prompts in a direct message."""
        self._prompts[channel] = prompts
        self._store.put("prompts", channel, prompts)

    def prompts(self, channel: str) -> dict[str, Any]:
        """Return `{title, prompts}` of a direct message."""
        return self._prompts.get(channel, {"title": None, "prompts": []})
