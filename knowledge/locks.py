"""Locks of a home that processes hold in turn."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_PAUSE = 0.2  # seconds between two tries


@contextmanager
def held(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of this file, waiting for whoever has it; `waiting` is called once if that is needed."""
    with path.open("w") as lock:
        waited = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waited:
                    waiting()
                waited = True
                time.sleep(_PAUSE)
        yield
