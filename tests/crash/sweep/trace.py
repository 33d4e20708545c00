"""Named points around every write, commit, call and acknowledgement of a process that a test may kill.

Nothing of the product knows of them: the libraries' own ways out are wrapped, in that process alone. A point
is named after what happens there and the function of ours that does it, and numbered where that comes again.
"""

import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal
from weakref import WeakSet

import httpx
import psycopg
from procrastinate.manager import JobManager
from psycopg.errors import DiskFull

from graphs.sealed import SealedSaver

Mode = Literal["kill", "stop", "disk"]
OURS = ("graphs.", "bot.jobs")
WRITES = re.compile(r"\b(INSERT INTO|UPDATE \w+ (AS \w+ )?SET|DELETE FROM)\b|^SELECT PROCRASTINATE_DEFER")


@dataclass(kw_only=True)
class Tracer:
    """Remembers the points that were passed, and ends the process at one of them.

    `at` is a point's name, or the number of points that may be passed.
    """

    at: str | int | None = None
    mode: Mode = "kill"
    phase: str = ""
    passed: list[str] = field(default_factory=list)
    _seen: Counter[str] = field(default_factory=Counter)
    _dirty: WeakSet[Any] = field(default_factory=WeakSet)

    def reach(self, what: str, where: str) -> None:
        """Pass a point, unless this is the one."""
        name = f"{self.phase}: {what} {where}".rstrip()
        self._seen[name] += 1
        point = f"{name} #{self._seen[name]}"
        self.passed.append(point)
        if point != self.at and len(self.passed) != self.at:
            return
        if self.mode == "disk":
            raise DiskFull("could not extend file: No space left on device")
        os.kill(os.getpid(), signal.SIGKILL if self.mode == "kill" else signal.SIGSTOP)

    def install(self) -> None:
        """Wrap the ways out of this process."""
        self._commits()
        self._calls()
        for name in ("aput", "aput_writes"):
            self._around(SealedSaver, name, f"checkpoint {name[1:]}")
        self._around(JobManager, "finish_job", "acknowledgement of a job")
        self._fetches()

    def _commits(self) -> None:
        execute, commit = psycopg.AsyncCursor.execute, psycopg.AsyncConnection.commit

        async def executed(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
            text = query.decode() if isinstance(query, bytes) else str(query)
            found = await execute(cursor, query, *args, **kwargs)
            if WRITES.search(text.lstrip().upper()) and cursor.rowcount:
                self._dirty.add(cursor.connection)
            return found

        async def committed(conn: Any) -> None:
            where = caller() if conn in self._dirty else None
            self._dirty.discard(conn)
            if where is not None:
                self.reach("before the commit of", where)
            await commit(conn)
            if where is not None:
                self.reach("after the commit of", where)

        psycopg.AsyncCursor.execute = executed  # type: ignore[method-assign,assignment]
        psycopg.AsyncConnection.commit = committed  # type: ignore[method-assign]

    def _calls(self) -> None:
        send = httpx.AsyncHTTPTransport.handle_async_request

        async def sent(transport: Any, request: httpx.Request) -> httpx.Response:
            if request.method == "GET":
                return await send(transport, request)
            self.reach(f"before the {request.method} of", caller() or "")
            answer = await send(transport, request)
            self.reach(f"after the {request.method} of", caller() or "")
            return answer

        httpx.AsyncHTTPTransport.handle_async_request = sent  # type: ignore[method-assign]

    def _fetches(self) -> None:
        fetch = JobManager.fetch_job

        async def fetched(*args: Any, **kwargs: Any) -> Any:
            job = await fetch(*args, **kwargs)
            if job is not None:
                self.reach("after the taking of a job", "")
            return job

        JobManager.fetch_job = fetched  # type: ignore[method-assign]

    def _around(self, owner: type, name: str, what: str) -> None:
        do: Callable[..., Awaitable[Any]] = getattr(owner, name)

        async def done(*args: Any, **kwargs: Any) -> Any:
            self.reach(f"before the {what}", "")
            found = await do(*args, **kwargs)
            self.reach(f"after the {what}", "")
            return found

        setattr(owner, name, done)


def caller() -> str | None:
    """Name the function of ours that is at work, or None where it is the test itself."""
    frame = sys._getframe(1)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        name = frame.f_code.co_name
        if module == SealedSaver.__module__:  # its points are around all of it
            return None
        if module.startswith(OURS) and name not in {"writing", "checked"}:
            qualified = frame.f_code.co_qualname.replace(".<locals>", "")
            return f"{module.removeprefix('graphs.')}.{qualified}"
        frame = frame.f_back  # type: ignore[assignment]
    return None
