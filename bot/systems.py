"""From the settings to the outside systems: what is connected, and what can be done there."""

from collections.abc import Mapping, Sequence
from typing import Any

from bot.settings import Settings
from connectors.base import Operation
from connectors.registry import SHIPPED
from connectors.sdk import Connector


def connectors(settings: Settings, credentials: Mapping[str, str]) -> Sequence[Connector[Any]]:
    """Return the connectors that the settings switch on. `credentials` are by scope."""
    return [
        room(given, {scope: credentials[scope] for scope in room.scopes})
        for room, given in _switched_on(settings)
    ]


def operations(settings: Settings) -> Sequence[type[Operation[Any, Any]]]:
    """Return all that can be done here: in the directory, and where the settings switch on a connector."""
    return [*SHIPPED, *(operation for room, _ in _switched_on(settings) for operation in room.operations)]


def titles(settings: Settings) -> Mapping[str, str]:
    """Return how people call each system that is switched on, by its name."""
    return {room.name: room.title for room, _ in _switched_on(settings)}


def _switched_on(settings: Settings) -> Sequence[tuple[type[Connector[Any]], Any]]:
    found = []
    for name, given in settings.connectors.items():
        room = settings.rooms.connector(name)
        assert room is not None  # or there were no such settings
        found.append((room, given))
    return found
