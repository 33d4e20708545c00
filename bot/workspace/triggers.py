"""Trigger ids: each opens one view, within three seconds of the click that made it."""

from collections.abc import Callable
from dataclasses import dataclass

from bot.workspace.errors import Refused
from bot.workspace.ids import Ids


@dataclass(kw_only=True)
class Trigger:
    """Who acted, when, and in which modal if it was one."""

    user: str
    issued: float
    view: str | None = None
    exchanged: bool = False


class Triggers:
    """The trigger ids handed out. `clock` is monotonic, in seconds."""

    def __init__(self, ids: Ids, clock: Callable[[], float], lifetime: float) -> None:
        self._ids = ids
        self._clock = clock
        self._lifetime = lifetime
        self._issued: dict[str, Trigger] = {}

    def issue(self, user: str, *, view: str | None = None) -> str:
        """Return a new trigger id for something that `user` just did."""
        self._forget()
        trigger_id = f"{len(self._issued) + 1}.{int(self._clock())}.{self._ids.secret()}"
        self._issued[trigger_id] = Trigger(user=user, issued=self._clock(), view=view)
        return trigger_id

    def exchange(self, trigger_id: object) -> Trigger:
        """Use a trigger up. Raises Slack's three refusals."""
        trigger = self._issued.get(trigger_id) if isinstance(trigger_id, str) else None
        if trigger is None:
            raise Refused("invalid_trigger_id")
        if trigger.exchanged:
            raise Refused("exchanged_trigger_id")
        if self._clock() - trigger.issued > self._lifetime:
            raise Refused("expired_trigger_id")
        trigger.exchanged = True
        return trigger

    def _forget(self) -> None:
        """Drop triggers so old that nobody asks for them; until then the precise refusal is known."""
        horizon = self._clock() - max(600.0, self._lifetime)
        self._issued = {key: item for key, item in self._issued.items() if item.issued >= horizon}
