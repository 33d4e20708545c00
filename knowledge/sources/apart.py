"""Converters in a process of their own: a file that makes one loop, swell or fall takes nothing else with it.

Run as `python -m knowledge.sources.apart`: a path a line comes in, a reading a line goes out.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import IO, Any

from knowledge.documents import Block, Terms
from knowledge.errors import Closed, Unreadable
from knowledge.sources.reading import Reading

SECONDS = 60  # of computing for one file
MEMORY = 3 * 2**30  # bytes of address space
_OF_THE_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE}


class Apart:
    """Reads files in a child process, which is started when it is needed and again when it has fallen."""

    def __init__(self, *, seconds: int = SECONDS, memory: int = MEMORY) -> None:
        self._limits = (str(seconds), str(memory))
        self._seconds = seconds
        self._lock = threading.Lock()
        self._child: subprocess.Popen[str] | None = None

    def read(self, path: Path) -> tuple[Terms, Reading]:
        """Return what a file says of itself, and what it holds.

        Raises Unreadable with the reason, and OSError where this machine is the reason: a full disk must not
        make a document disappear.
        """
        with self._lock:
            said = self._ask(path)
        if not said:
            raise Unreadable(self._fallen())
        found = json.loads(said)
        if "failed" in found:
            raise OSError(found["failed"], os.strerror(found["failed"]))
        if "closed" in found:
            raise Closed(found["closed"])
        if "unreadable" in found:
            raise Unreadable(found["unreadable"])
        return _terms(found["terms"]), _reading(found["reading"])

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

    def _ask(self, path: Path) -> str:
        child = self._started()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(json.dumps(str(path.absolute())) + "\n")
            child.stdin.flush()
            return child.stdout.readline()
        except BrokenPipeError:
            return ""

    def _started(self) -> subprocess.Popen[str]:
        if self._child is None:
            if not hasattr(self, "_registered"):
                self._registered = True
                atexit.register(self.close)
            # From beside this package, so that the child reads with this very code.
            self._child = subprocess.Popen(
                [sys.executable, "-m", __name__, *self._limits],
                cwd=Path(__file__).parents[2],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                errors="surrogatepass",
            )
        return self._child

    def _fallen(self) -> str:
        child = self._child
        assert child is not None
        code = child.wait()
        self.close()
        if code == -signal.SIGXCPU:
            return f"it takes more than {self._seconds} s of computing to read"
        return "reading it ended the reader"


def _terms(data: dict[str, Any]) -> Terms:
    dates = {
        name: date.fromisoformat(data[name]) if data[name] else None
        for name in ("effective", "expires", "review")
    }
    sets = {name: frozenset(data[name]) for name in ("audience", "regions")}
    return Terms(**(data | dates | sets))


def _reading(data: dict[str, Any]) -> Reading:
    blocks = [
        Block(**(block | {"links": tuple((words, href) for words, href in block["links"])}))
        for block in data["blocks"]
    ]
    return Reading(**(data | {"blocks": blocks, "hidden": Counter(data["hidden"])}))


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else str(value)


def _answer(path: Path) -> dict[str, Any]:
    from knowledge.sources.formats import parsed  # noqa: PLC0415 - it imports this module

    try:
        terms, reading = parsed(path)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
            return {"failed": error.errno}
        return {"closed" if isinstance(error, Closed) else "unreadable": _reason(error)}
    blocks = [asdict(block) for block in reading.blocks]
    return {"terms": asdict(terms), "reading": vars(reading) | {"blocks": blocks}}


def _reason(error: Exception) -> str:
    match error:
        case Unreadable():
            return str(error)
        case RecursionError():
            return "its parts are nested too deeply"
        case MemoryError():
            return f"it needs more than {MEMORY // 2**30} GB of memory to read"
        case OSError():
            return f"it cannot be read ({error.strerror or error})"
    said = " ".join(str(error).split())[:100] or type(error).__name__
    return f"it is not a sound file of its kind ({said})"


def _bounded(seconds: int) -> None:
    """Allow this much more computing; past it the kernel ends this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    wanted = int(used.ru_utime + used.ru_stime) + seconds
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, hard))


def _serve(asked: IO[str], answers: IO[str], seconds: int) -> None:
    for line in asked:
        _bounded(seconds)
        answers.write(json.dumps(_answer(Path(json.loads(line))), default=_plain) + "\n")
        answers.flush()


def _main() -> None:
    seconds, memory = int(sys.argv[1]), int(sys.argv[2])
    with contextlib.suppress(ValueError, OSError):  # not every system bounds address space
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us ends us
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="surrogatepass")
    os.dup2(2, 1)  # a library that prints must not answer
    _serve(sys.stdin, answers, seconds)


if __name__ == "__main__":
    _main()
