"""What a method is given, what it may ask for, and how it is found by name."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from bot.workspace.core import Workspace
from bot.workspace.errors import Refused, invalid
from bot.workspace.state import Conversation

Answer = dict[str, Any]
Auth = Literal["bot", "app", "none"]  # the kind of token that a method takes
Item = TypeVar("Item")

_TRUE = frozenset({True, "true", "1", "True"})
# what a scope must be called for each kind of conversation
_FAMILY = {"channel": "channels", "private": "groups", "im": "im"}


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call: the workspace, the arguments, and the scopes of its token."""

    workspace: Workspace
    args: Mapping[str, Any]
    scopes: frozenset[str] = frozenset()

    def text(self, name: str) -> str | None:
        """Return a text argument, or None if it is absent or empty."""
        value = self.args.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, dict | list):
            raise invalid("invalid_arguments", [f"must be a string [json-pointer:/{name}]"])
        return str(value)

    def required(self, name: str) -> str:
        """Return a text argument. Raises `invalid_arguments` as Slack words it."""
        value = self.text(name)
        if value is None:
            raise invalid("invalid_arguments", [f"missing required field: {name}"])
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a yes or no argument."""
        value = self.args.get(name)
        return default if value is None or isinstance(value, dict | list) else value in _TRUE

    def number(self, name: str, default: int) -> int:
        """Return a whole number. Raises `invalid_arguments`."""
        try:
            return int(self.args.get(name) or default)
        except (TypeError, ValueError):
            raise invalid("invalid_arguments", [f"must be an integer [json-pointer:/{name}]"]) from None

    def json(self, name: str, error: str) -> Any:
        """Return a JSON argument, given as JSON or as a string of it; None if absent. Raises `error`."""
        value = self.args.get(name)
        if not isinstance(value, str):
            return value
        if not value.strip():
            return None
        try:
            return json.loads(value)
        except ValueError:
            raise Refused(error) from None

    def need(self, *scopes: str) -> None:
        """Require one of these scopes. Raises `missing_scope` as Slack words it."""
        if scopes and not self.scopes & set(scopes):
            raise Refused("missing_scope", needed=scopes[0], provided=",".join(sorted(self.scopes)))

    def need_family(self, conversation: Conversation, action: str) -> None:
        """Require the scope of this conversation's kind, such as `groups:history`."""
        self.need(f"{_FAMILY[conversation.kind]}:{action}")

    def conversation(self, channel: object) -> Conversation:
        """Return a conversation that the bot may know of. Raises `channel_not_found`."""
        found = self.workspace.state.conversation(channel)
        if found.kind != "channel" and self.workspace.bot_user not in found.members:
            raise Refused("channel_not_found")
        return found

    def joined(self, channel: object) -> Conversation:
        """Return a conversation that the bot belongs to. Raises also `not_in_channel`."""
        found = self.conversation(channel)
        if self.workspace.bot_user not in found.members:
            raise Refused("not_in_channel")
        return found

    def page(self, items: Sequence[Item], *, default: int, most: int = 1000) -> tuple[Sequence[Item], str]:
        """Return the page that cursor and limit ask for, and the next cursor (empty at the end)."""
        limit = max(1, min(self.number("limit", default), most))
        start = 0
        if (cursor := self.text("cursor")) is not None:
            try:
                start = int(base64.b64decode(cursor, validate=True).decode().removeprefix("next:"))
            except ValueError:
                raise Refused("invalid_cursor") from None
        following = start + limit
        more = following < len(items)
        return items[start:following], base64.b64encode(f"next:{following}".encode()).decode() if more else ""


Handler = Callable[[Call], Answer]


@dataclass(frozen=True, kw_only=True, slots=True)
class Method:
    """A method's handler, the kind of token it takes, and the scopes of which it needs one."""

    handler: Handler
    auth: Auth = "bot"
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Family:
    """Collects the methods of one module."""

    methods: dict[str, Method] = field(default_factory=dict)

    def method(self, name: str, *scopes: str, auth: Auth = "bot") -> Callable[[Handler], Handler]:
        """Register a handler under its Slack name."""

        def register(handler: Handler) -> Handler:
            self.methods[name] = Method(handler=handler, auth=auth, scopes=scopes)
            return handler

        return register
