"""Response URLs: five uses within thirty minutes of the click or command that made them."""

from collections.abc import Callable
from typing import Any

from bot.workspace.errors import Refused
from bot.workspace.ids import Ids
from bot.workspace.store import Store
from bot.workspace.timing import Timing


class ResponseUrls:
    """The URLs handed out, and how often each was used."""

    def __init__(self, *, ids: Ids, store: Store, timing: Timing, clock: Callable[[], float]) -> None:
        self._ids = ids
        self._store = store
        self._timing = timing
        self._clock = clock
        self._open: dict[str, dict[str, Any]] = store.load("response_url")

    def issue(self, kind: str, *, channel: str, user: str, message_ts: str | None = None) -> str:
        """Return the path of a new URL. `kind` is Slack's: actions, commands or app."""
        key = f"{kind}/{self._ids.secret()}"
        entry = {"channel": channel, "user": user, "message_ts": message_ts, "made": self._clock(), "uses": 0}
        self._open[key] = entry
        self._store.put("response_url", key, entry)
        return f"/hooks/{key}"

    def use(self, key: str) -> dict[str, Any]:
        """Count one use and return what the URL stands for. Raises `expired_url` and `used_url`."""
        entry = self._open.get(key)
        if entry is None:
            raise Refused("invalid_token")
        if self._clock() - entry["made"] > self._timing.response_url:
            raise Refused("expired_url")
        if entry["uses"] >= self._timing.response_url_uses:
            raise Refused("used_url")
        entry["uses"] += 1
        self._store.put("response_url", key, entry)
        return entry
