"""Servers that go on after the command that started them: `countersign sandbox`.

Each has a folder HOME/sandbox/NAME with its state, its log, and a record of its process: the pid and when the
process began. A pid alone names nobody: once a process has ended, another is given its number.
"""

import asyncio
import fcntl
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from connectors.sandbox import environment
from connectors.sandbox.catalogue import Server
from connectors.sandbox.supervision import GONE_WITHIN, READY_WITHIN, PartFailed, failed

ANSWERS_WITHIN = 2.0  # seconds for a sign of life
PATIENCE = 15.0  # the same, before a server that runs is started again: the machine may be busy
PORT_TAKEN = 3  # the exit code with which every server says so
LARGEST_LOG = 5_000_000  # bytes; then another is begun
_LOOK = 0.05  # seconds between two looks at a process

Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Record:
    """What is known of a process of ours."""

    pid: int
    began: str  # see _began
    since: str
    port: int  # that it was asked to take; 0 is any
    url: str = ""  # empty until it is ready


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """How one server stands. `healthy` says whether it answers; `since` is None where it does not run."""

    name: str
    title: str
    running: bool
    healthy: bool
    pid: int | None
    url: str | None
    since: str | None
    folder: str


class Detached:
    """One server of a home."""

    def __init__(self, server: Server, home: Path) -> None:
        self.server = server
        self._home = home
        self._folder = home / "sandbox" / server.name
        self._state = self._folder / "state"
        self._log = self._folder / "server.log"

    def status(self, *, within: float = ANSWERS_WITHIN) -> Status:
        """How it stands now; it has so many seconds to answer."""
        record = self._running()
        return Status(
            name=self.server.name,
            title=self.server.title,
            running=record is not None,
            healthy=record is not None and self._answers(record.url, within),
            pid=record.pid if record else None,
            url=(record.url or None) if record else None,
            since=record.since if record else None,
            folder=str(self._folder),
        )

    def start(self, progress: Progress) -> Status:
        """Start it, unless it runs and answers. Raises PartFailed and EnvironmentFailed."""
        with self._alone():
            now = self.status(within=PATIENCE)
            if now.healthy:
                progress(f"{self.server.name}: runs already on {now.url}")
                return now
            if now.running:
                progress(f"{self.server.name}: does not answer; starting it again")
                self._end()
            self._begin(progress)
            return self.status(within=PATIENCE)

    def stop(self, progress: Progress) -> Status:
        """Stop it. One that does not run is fine; a process that is not ours is left alone."""
        with self._alone():
            progress(f"{self.server.name}: stopped" if self._end() else f"{self.server.name}: does not run")
        return self.status()

    def reset(self, progress: Progress) -> Status:
        """Stop it, forget everything that it holds, and start it again."""
        with self._alone():
            self._end()
            shutil.rmtree(self._state, ignore_errors=True)
            progress(f"{self.server.name}: emptied")
            self._begin(progress)
            return self.status(within=PATIENCE)

    def _begin(self, progress: Progress) -> None:
        python = sys.executable
        if self.server.foreign:
            python = str(environment.ensure(environment.folder(self._home), progress))
        self.server.prepare(self._state)
        port = self._port()
        began = time.monotonic()
        try:
            url = self._launch(python, port)
        except PartFailed as error:
            if error.code != PORT_TAKEN or not port:
                raise
            progress(f"{self.server.name}: another program took port {port}; choosing another one")
            url = self._launch(python, 0)
        progress(f"{self.server.name}: ready on {url} after {time.monotonic() - began:.1f} s")

    def _launch(self, python: str, port: int) -> str:
        """Start the process, note it down, and wait until it says where it is ready."""
        if self._log.exists() and self._log.stat().st_size > LARGEST_LOG:
            self._log.replace(self._log.with_suffix(".old.log"))
        with self._log.open("ab") as log:
            after = log.tell()
            process = subprocess.Popen(
                self.server.command(python, self._state, port),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        since = datetime.now(UTC).isoformat(timespec="seconds")
        record = _Record(pid=process.pid, began=_began(process.pid) or "", since=since, port=port)
        self._write(record)
        url = self._until_ready(process, after)
        self._write(replace(record, url=url, port=urlsplit(url).port or 0))
        return url

    def _until_ready(self, process: "subprocess.Popen[bytes]", after: int) -> str:
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            code = process.poll()
            with self._log.open("rb") as log:
                log.seek(after)
                for line in log.read().decode(errors="replace").splitlines(keepends=True):
                    if " ready on http" in line and line.endswith("\n"):
                        return line.split(" ready on ")[1].strip()
            if code is not None:
                raise failed(self.server.title, self._log, code=code, after=after)
            time.sleep(_LOOK)
        process.kill()
        process.wait()
        raise failed(self.server.title, self._log, code=None, after=after)

    def _end(self) -> bool:
        """End our own process, if it runs. Returns whether it did."""
        record = self._running()
        if record is None:
            return False
        for number, within in ((signal.SIGTERM, GONE_WITHIN), (signal.SIGKILL, GONE_WITHIN)):
            with suppress(ProcessLookupError):
                os.kill(record.pid, number)
            deadline = time.monotonic() + within
            while self._running() is not None and time.monotonic() < deadline:
                _reap(record.pid)
                time.sleep(_LOOK)
            if self._running() is None:
                return True
        raise PartFailed(
            f"The {self.server.title} (process {record.pid}) does not end, although it was killed. "
            "End it yourself, and try again."
        )

    def _running(self) -> _Record | None:
        """Our own process, if it is alive."""
        record = self._read()
        if record is None or not record.began or _began(record.pid) != record.began:
            return None
        return record

    def _port(self) -> int:
        """The port that it had the last time; 0 where it never ran."""
        record = self._read()
        return record.port if record else 0

    def _answers(self, url: str, within: float) -> bool:
        parts = urlsplit(url)
        if not parts.hostname:
            return False
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=within)
        try:
            connection.request("GET", parts.path + self.server.alive)
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _read(self) -> _Record | None:
        try:
            return _Record(**json.loads((self._folder / "server.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def _write(self, record: _Record) -> None:
        draft = self._folder / "server.json.new"
        draft.write_text(json.dumps(asdict(record)), encoding="utf-8")
        draft.replace(self._folder / "server.json")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one command at a time start or stop it."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


async def start_all(servers: list[Detached], progress: Progress) -> list[Status]:
    """Start several at the same time: those of our own environment are up while the other one is made.

    Raises what the first one that failed raised, once all have been tried.
    """
    started = (asyncio.to_thread(server.start, progress) for server in servers)
    found = await asyncio.gather(*started, return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException):
            raise one
    return [one for one in found if isinstance(one, Status)]


def _began(pid: int) -> str | None:
    """When the process of that number began, as this machine counts it. None where none is alive."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None if Path("/proc/self/stat").exists() else _began_elsewhere(pid)
    return None if state in {"Z", "X"} else f"{fields[18]} {boot}"


def _began_elsewhere(pid: int) -> str | None:
    asked = ("ps", "-o", "lstart=", "-p", str(pid))
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or None


def _reap(pid: int) -> None:
    """Take note of the end of a child of ours, which otherwise stays as a zombie."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
