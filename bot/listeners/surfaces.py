"""What the bot listens to. Everything else that Slack sends is answered with 200 and goes no further."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

Body = dict[str, Any]
OnEvent = Callable[[Body], Awaitable[None]]
OnClick = Callable[[Body, AsyncAck], Awaitable[None]]

_INTERACTIVE = {"block_actions": "actions", "view_submission": "views", "shortcut": "shortcuts"}


class Surfaces:
    """Registers listeners with Bolt, and remembers which: the manifest must say the same."""

    def __init__(self, app: AsyncApp, around: Callable[[OnClick], OnClick] | None = None) -> None:
        """`around` is put around every listener of a click."""
        self._app = app
        self._around = around
        self._events: dict[str, OnEvent] = {}
        self._names: dict[str, set[str]] = {
            "commands": set(),
            "actions": set(),
            "views": set(),
            "shortcuts": set(),
        }

    @property
    def events(self) -> frozenset[str]:
        """The events, as the manifest names them: a direct message is `message.im`."""
        return frozenset(self._events)

    @property
    def commands(self) -> frozenset[str]:
        """The slash commands."""
        return frozenset(self._names["commands"])

    @property
    def shortcuts(self) -> frozenset[str]:
        """The callback ids of the shortcuts."""
        return frozenset(self._names["shortcuts"])

    def event(self, name: str, handler: OnEvent) -> None:
        """Listen to an event. Bolt acknowledges it before the listener runs; it is stored by then."""
        kind = name.partition(".")[0]

        async def listen(body: Body) -> None:
            await handler(body)

        self._app.event(kind)(listen)
        self._events[name] = handler

    def command(self, name: str, handler: OnClick) -> None:
        """Listen to a slash command."""
        self._app.command(name)(self._listener(handler))
        self._names["commands"].add(name)

    def action(self, name: str, handler: OnClick) -> None:
        """Listen to a button."""
        self._app.action(name)(self._listener(handler))
        self._names["actions"].add(name)

    def view(self, name: str, handler: OnClick) -> None:
        """Listen to the submission of a window."""
        self._app.view(name)(self._listener(handler))
        self._names["views"].add(name)

    def shortcut(self, name: str, handler: OnClick) -> None:
        """Listen to a global shortcut."""
        self._app.shortcut(name)(self._listener(handler))
        self._names["shortcuts"].add(name)

    def handles(self, body: Mapping[str, Any]) -> bool:
        """Whether a listener waits for this payload."""
        if body.get("type") == "event_callback":
            return _event_name(body) in self._events
        if "command" in body:
            return body["command"] in self._names["commands"]
        names = self._names.get(_INTERACTIVE.get(str(body.get("type")), ""), set())
        return _interaction(body) in names

    def _listener(self, handler: OnClick) -> Callable[..., Awaitable[None]]:
        kept = handler if self._around is None else self._around(handler)

        async def listen(body: Body, ack: AsyncAck) -> None:
            await kept(body, ack)

        return listen

    async def give(self, body: Body) -> None:
        """Give an event to its listener again."""
        handler = self._events.get(_event_name(body))
        if handler is not None:
            await handler(body)


def _event_name(body: Mapping[str, Any]) -> str:
    event = body.get("event")
    if not isinstance(event, Mapping):
        return ""
    kind = str(event.get("type"))
    return f"message.{event.get('channel_type')}" if kind == "message" else kind


def _interaction(body: Mapping[str, Any]) -> str:
    actions = body.get("actions")
    if body.get("type") == "block_actions":
        return str(actions[0].get("action_id")) if isinstance(actions, list) and actions else ""
    view = body.get("view")
    return str((view if isinstance(view, Mapping) else body).get("callback_id"))
