"""What a demo may add to its workspace: a clock that can be moved, and a look into the directory."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Hooks:
    """Each hook answers one control method; without it the method does not exist.

    `clock()` -> `{now, …}`; `move_clock(days, hours)` -> the same;
    `directory()` -> `{groups: [{name, members}]}`.
    """

    clock: Callable[[], Awaitable[dict[str, Any]]] | None = None
    move_clock: Callable[[float, float], Awaitable[dict[str, Any]]] | None = None
    directory: Callable[[], Awaitable[dict[str, Any]]] | None = None
