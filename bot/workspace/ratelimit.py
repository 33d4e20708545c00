"""Slack's limit on posting to one channel, as a token bucket."""

import math
from collections.abc import Callable

from bot.workspace.timing import PostLimit


class RateLimit:
    """Counts posts per channel; without a limit it lets everything through. `clock` is monotonic."""

    def __init__(self, limit: PostLimit | None, clock: Callable[[], float]) -> None:
        self.limit = limit
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait(self, channel: str) -> int:
        """Count one post. Returns 0, or the whole seconds after which it may be tried again."""
        if self.limit is None:
            return 0
        now = self._clock()
        left, then = self._buckets.get(channel, (float(self.limit.burst), now))
        left = min(float(self.limit.burst), left + (now - then) * self.limit.per_second)
        if left < 1:
            self._buckets[channel] = (left, now)
            return max(1, math.ceil((1 - left) / self.limit.per_second))
        self._buckets[channel] = (left - 1, now)
        return 0
