"""How often a system is asked: so many requests in a second, and none while it has asked us to wait."""

import asyncio
import math
import time
from collections.abc import Callable

from connectors.errors import Unavailable


class Pace:
    """Of one connection. `called` is what errors call the system."""

    def __init__(self, called: str, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._called = called
        self._timer = timer
        self._free = 0.0  # when the next request may begin
        self._until = 0.0  # when the system may be asked again

    async def turn(self, rate: float, *, within: float) -> None:
        """Wait for a turn among `rate` in a second.

        Raises `Unavailable` at once where the turn would come later than `within` seconds, and while the
        system wants to be left alone: whoever asks waits somewhere else, and holds no worker.
        """
        now = self._timer()
        wait = max(self._free - now, 0.0)
        if wait > within:
            raise Unavailable(f"{self._called} is asked too often", retry_after=math.ceil(wait), why="busy")
        self._free = now + wait + 1 / rate
        if wait:
            await asyncio.sleep(wait)
        left = self._until - self._timer()
        if left > 0:
            raise Unavailable(f"{self._called} asks us to wait", retry_after=math.ceil(left), why="busy")

    def pause(self, seconds: float) -> None:
        """Begin no request for so many seconds."""
        self._until = max(self._until, self._timer() + seconds)
