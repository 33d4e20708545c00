"""Converters in a process of their own: a file that makes one loop, swell or fall takes nothing else with it.

Run as `python -m knowledge.sources.apart`. It has no environment, loads all that converters need, and then
gives up files, the network and other processes (`knowledge.sources.confined`). Contents come in through its
standard input, readings go out through its output: it never hears where a file lies.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import selectors
import signal
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

from knowledge.documents import Block, Terms
from knowledge.errors import Closed, ReaderUnavailable, Unreadable
from knowledge.sources import opening
from knowledge.sources.reading import Reading

SECONDS = 60  # of computing for one file
PATIENCE = 5  # times that, in which it has to be read by the clock
MEMORY = 2**30  # bytes that one file may take, beyond what the converters do
_STARTING = 120.0  # seconds for the process to be ready
_LARGEST_ANSWER = 256 * 2**20  # bytes
_MODULE = "knowledge.sources.apart"
_SIZE = struct.Struct(">Q")


class Apart:
    """Reads files in a child process, which is started when it is needed and again when it has fallen."""

    def __init__(self, *, seconds: int = SECONDS, memory: int = MEMORY) -> None:
        self._seconds = seconds
        self._memory = memory
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._missing = ""

    def read(self, path: Path) -> tuple[Terms, Reading]:
        """Return what a file says of itself, and what it holds. Raises as `parsed` does, and for a link."""
        return self.parsed(opening.content(path), path.suffix)

    def parsed(self, content: bytes, suffix: str) -> tuple[Terms, Reading]:
        """Return what a file of this kind says of itself, and what it holds.

        Raises Unreadable with the reason, and ReaderUnavailable where this machine is the reason: that must
        not make a document disappear.
        """
        with self._lock:
            found = self._asked(content, suffix)
        if "closed" in found:
            raise Closed(found["closed"])
        if "unreadable" in found:
            raise Unreadable(found["unreadable"])
        try:
            return _terms(found["terms"]), _reading(found["reading"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Unreadable("reading it brought nothing that is a document") from error

    def missing(self) -> str:
        """Start the process, and return what it could reach and should not, as a phrase."""
        with self._lock:
            self._started()
        return self._missing

    def close(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):  # what was left to write has no reader
                        pipe.close()

    def _asked(self, content: bytes, suffix: str) -> dict[str, Any]:
        child = self._started()
        head = json.dumps({"suffix": suffix, "size": len(content)}).encode()
        patience = self._seconds * PATIENCE
        try:
            said = _exchange(child, _SIZE.pack(len(head)) + head + content, patience)
            found: dict[str, Any] = json.loads(said)
        except TimeoutError:
            self.close()
            return {"unreadable": f"it takes more than {patience} s to read"}
        except (EOFError, ValueError, RecursionError):
            return {"unreadable": self._fallen()}
        if found.get("ends"):
            self.close()
        return found

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            if not hasattr(self, "_registered"):
                self._registered = True
                atexit.register(self.close)
            # From beside this package, so that the child reads with this very code.
            self._child = subprocess.Popen(
                [sys.executable, "-B", "-m", _MODULE, str(self._seconds), str(self._memory)],
                cwd=Path(__file__).parents[2],
                env={},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
            )
            self._missing = self._greeted(self._child)
        return self._child

    def _greeted(self, child: subprocess.Popen[bytes]) -> str:
        """Wait until the child is ready; return what it could still reach. Raises ReaderUnavailable."""
        try:
            said = json.loads(_exchange(child, b"", _STARTING))
        except (EOFError, TimeoutError, ValueError) as error:
            self.close()
            raise ReaderUnavailable(
                "The process that reads files does not start. To see why: "
                f"cd {Path(__file__).parents[2]} && env -i {sys.executable} -m {_MODULE} 1 1000000000"
            ) from error
        if "failed" in said:
            self.close()
            raise ReaderUnavailable(f"The process that reads files does not start: {said['failed']}.")
        return str(said["missing"])

    def _fallen(self) -> str:
        child = self._child
        assert child is not None
        with contextlib.suppress(subprocess.TimeoutExpired):  # it lives on, and answered what is no answer
            child.wait(1)
        self.close()
        if child.returncode == -signal.SIGXCPU:
            return f"it takes more than {self._seconds} s of computing to read"
        return "reading it ended the reader"


def confinement() -> tuple[bool, str]:
    """Tell whether the process that reads files is confined on this machine, and how, for `doctor`.

    It is measured: such a process is started, and tries what it must not be able to do.
    """
    probe = Apart()
    try:
        missing = probe.missing()
    except ReaderUnavailable as error:
        return False, str(error)
    finally:
        probe.close()
    if missing:
        return False, f"not confined: the process that reads files could still reach {missing}"
    return True, "confined: the process that reads files reaches no file, no network and no other program"


def _exchange(child: subprocess.Popen[bytes], asked: bytes, seconds: float) -> bytes:
    """Send bytes and return the answer to them. Raises TimeoutError, and EOFError where the child is gone."""
    assert child.stdin is not None
    assert child.stdout is not None
    left, answer = memoryview(asked), bytearray()
    until = time.monotonic() + seconds
    with selectors.DefaultSelector() as ready:
        ready.register(child.stdout, selectors.EVENT_READ)
        if left:
            os.set_blocking(child.stdin.fileno(), False)
            ready.register(child.stdin, selectors.EVENT_WRITE)
        while len(answer) < _SIZE.size or len(answer) < _SIZE.size + _SIZE.unpack_from(answer)[0]:
            events = ready.select(max(0.0, until - time.monotonic()))
            if not events:
                raise TimeoutError
            for key, _ in events:
                if key.fileobj is child.stdout:
                    answer += _received(child.stdout.fileno(), len(answer))
                elif left:
                    left = left[_sent(child.stdin.fileno(), left) :]
                else:
                    ready.unregister(child.stdin)
    return bytes(answer[_SIZE.size :])


def _received(pipe: int, had: int) -> bytes:
    said = os.read(pipe, 2**20)
    if not said or had + len(said) > _LARGEST_ANSWER:
        raise EOFError
    return said


def _sent(pipe: int, content: memoryview) -> int:
    try:
        return os.write(pipe, content[: 2**16])
    except BlockingIOError:
        return 0
    except BrokenPipeError as error:
        raise EOFError from error


def _terms(data: dict[str, Any]) -> Terms:
    values: dict[str, Any] = {
        name: date.fromisoformat(data[name]) if data[name] else None
        for name in ("effective", "expires", "review")
    }
    values |= {name: frozenset(map(str, data[name])) for name in ("audience", "regions")}
    values |= {name: str(data[name]) for name in ("title", "owner", "url", "version", "language")}
    return Terms(**values)


def _reading(data: dict[str, Any]) -> Reading:
    blocks = [
        Block(**(block | {"links": tuple((str(words), str(href)) for words, href in block["links"])}))
        for block in data["blocks"]
    ]
    return Reading(**(data | {"blocks": blocks, "hidden": Counter(data["hidden"])}))


if __name__ == "__main__":
    from knowledge.sources.reader import main

    main()
