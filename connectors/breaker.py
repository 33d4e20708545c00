"""A circuit breaker: a system that failed again and again is left alone for a while.

Whoever asks for it meanwhile hears so at once and waits somewhere else, instead of holding a worker for as
long as a call may take.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from connectors.errors import Ambiguous, ConnectorError, Resting, Unavailable

log = logging.getLogger(__name__)

MOST = 5  # failures, one after the other
REST = 10.0  # seconds


class Breaker:
    """Of one system in one process. After a rest one call may try; the others wait until it has an answer."""

    def __init__(self, system: str, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._system = system
        self._timer = timer
        self._failures = 0
        self._until = 0.0

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Let one call through. Raises Resting while the system is left alone."""
        left = self._until - self._timer()
        if self._failures >= MOST:
            if left > 0:
                raise Resting(self._system, left)
            self._until = self._timer() + REST  # this call tries; nobody else does until it has ended
        try:
            yield
        except (Unavailable, Ambiguous):
            self._failed()
            raise
        except ConnectorError:
            self._answered()
            raise
        self._answered()

    def _answered(self) -> None:
        if self._failures >= MOST:
            log.warning("%s answers again", self._system)
        self._failures = 0

    def _failed(self) -> None:
        self._failures += 1
        if self._failures >= MOST:
            self._until = self._timer() + REST
        if self._failures == MOST:
            log.warning("%s has failed %d times in a row; it is left alone for a while", self._system, MOST)
