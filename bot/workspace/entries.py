"""What people have entered into messages without sending it yet, and the options they were offered."""

from typing import Any

from bot.workspace.elements import Block, Values, merged_values


class Entries:
    """Entered values and offered options, by person and place, for as long as the process lives."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], Values] = {}
        self._offered: dict[tuple[str, str, str], list[dict[str, Any]]] = {}

    def enter(self, person: str, place: str, blocks: list[Block], entered: Values) -> None:
        """Remember what a person has entered."""
        self._values[person, place] = merged_values(blocks, self._values.get((person, place), {}), entered)

    def values(self, person: str, place: str, blocks: list[Block]) -> Values:
        """Return `state.values` of a message for one person."""
        return merged_values(blocks, self._values.get((person, place), {}))

    def offer(self, person: str, place: str, action_id: str, options: list[dict[str, Any]]) -> None:
        """Remember the options that the app offered last."""
        self._offered[person, place, action_id] = options

    def offered(self, person: str, place: str, action_id: str) -> list[dict[str, Any]]:
        """Return the options that the app offered last."""
        return self._offered.get((person, place, action_id), [])
