"""What a person types, as Slack's own client sends it: escaped text, and the same as rich text."""

import re
from collections.abc import Mapping
from typing import Any

from bot.workspace.world import Person

_TOKEN = re.compile(
    r"<@(?P<user>[UW][A-Z0-9]+)(?:\|[^<>]*)?>"
    r"|<#(?P<channel>[CG][A-Z0-9]+)(?:\|[^<>]*)?>"
    r"|<!(?P<range>here|channel|everyone)(?:\|[^<>]*)?>"
    r"|<(?P<link>https?://[^\s<>|]+)(?:\|(?P<label>[^<>]*))?>"
    r"|(?<![\w@])@(?P<name>[\w][\w\-]*)"
    r"|(?P<url>https?://[^\s<>|]*[^\s<>|.,;:!?)'\"])"
)
_BARE_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt);)")
_BROADCASTS = frozenset({"here", "channel", "everyone"})

Piece = tuple[str, dict[str, Any]]


class Composer:
    """Knows who and what can be named. `people` and `channels` map ids to accounts and to names."""

    def __init__(self, people: Mapping[str, Person], channels: Mapping[str, str]) -> None:
        self._people = people
        self._channels = channels
        self._handles = {person.name.lower(): person.id for person in people.values()}
        self._handles |= {person.real_name.lower(): person.id for person in people.values()}

    def compose(self, text: str) -> tuple[str, list[dict[str, Any]]]:
        """Return the message text and the elements of its rich text.

        References (`<@U…>`, `<#C…|…>`, `<!here>`, `<https://…>`) stay, `@name` and bare addresses become
        references, and every other `&`, `<` and `>` arrives escaped, as it does from Slack's client.
        """
        pieces: list[Piece] = []
        end = 0
        for match in _TOKEN.finditer(text):
            if (found := self._reference(match)) is not None:
                pieces.extend(_plain(text[end : match.start()]))
                pieces.append(found)
                end = match.end()
        pieces.extend(_plain(text[end:]))
        return "".join(marked for marked, _ in pieces), [element for _, element in pieces]

    def _reference(self, match: re.Match[str]) -> Piece | None:
        name = (match["name"] or "").lower()
        if spread := match["range"] or (name if name in _BROADCASTS else None):
            return f"<!{spread}>", {"type": "broadcast", "range": spread}
        user = match["user"] or self._handles.get(name)
        if user is not None and user in self._people:
            return f"<@{user}>", {"type": "user", "user_id": user}
        if (channel := match["channel"]) in self._channels:
            return f"<#{channel}|{self._channels[channel]}>", {"type": "channel", "channel_id": channel}
        if (url := match["link"] or match["url"]) is not None:
            return _link(url, match["label"])
        return None


def escape(text: str) -> str:
    """Escape what is not escaped yet of the three characters that Slack's markup gives a meaning."""
    return _BARE_AMPERSAND.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;")


def unescape(text: str) -> str:
    """Undo `escape`."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _link(url: str, label: str | None) -> Piece:
    element: dict[str, Any] = {"type": "link", "url": unescape(url)}
    if label:
        return f"<{escape(url)}|{escape(label)}>", element | {"text": unescape(label)}
    return f"<{escape(url)}>", element


def _plain(text: str) -> list[Piece]:
    escaped = escape(text)
    return [(escaped, {"type": "text", "text": unescape(escaped)})] if text else []
