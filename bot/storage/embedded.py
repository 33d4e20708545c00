"""The embedded PostgreSQL server of a home: started by its first user, stopped by its last.

Three file locks (flock(2); the kernel lets go of them however a process ends) say what is so:

    start.lock    held while somebody starts or stops the server
    users.lock    shared by every user; who can take it alone was the last
    server.lock   inherited by the server's own processes; who can take it knows that none is left

No process id is ever trusted to say that a server runs. That is decided by connecting.
"""

import asyncio
import errno
import fcntl
import logging
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

import psycopg

from bot.storage.cluster import OWNER_ROLE, Cluster, DatabaseUnavailable, program

__all__ = ["DatabaseUnavailable", "Embedded", "stop_unused"]

_PATIENCE = 60.0  # seconds for a start, with recovery after a crash, or for a stop
_PAUSE = 0.01
_WATCH = 1.0
_LONGEST_LOG = 4_000_000
_LAUNCH = 'umask 077; log=$1; shift; "$@" </dev/null >>"$log" 2>&1 &'  # reparented: never a child of a user


_logger = logging.getLogger(__name__)


class Embedded:
    """One user of the home's server. Entering starts it when it does not run; the last to leave stops it."""

    def __init__(self, home: Path) -> None:
        self._server = _Server(Cluster(home))
        self._user = -1
        self._watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> str:
        """Return how to connect as the owner. Raises DatabaseUnavailable."""
        joining = asyncio.ensure_future(asyncio.to_thread(self._server.join))
        try:
            self._user = await asyncio.shield(joining)
        except asyncio.CancelledError:  # whoever interrupts a start does not leave a server behind
            await asyncio.to_thread(self._server.leave, await joining)
            raise
        self._watch = asyncio.create_task(self._keep_running())
        return self._server.cluster.conninfo(OWNER_ROLE)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        await asyncio.shield(asyncio.to_thread(self._server.leave, self._user))

    async def _keep_running(self) -> None:
        """Start a server that died under its users again. The pools find it by themselves."""
        said = ""
        while True:
            await asyncio.sleep(_WATCH)
            try:
                if not self._server.alive():
                    _logger.warning("the database server died; starting it again")
                    await asyncio.to_thread(self._server.revive)
            except (DatabaseUnavailable, OSError) as error:
                if str(error) != said:
                    _logger.warning("the database server stays down: %s", said := str(error))


async def stop_unused(home: Path) -> None:
    """Stop the home's server if it has no user left: one that was killed could not do it itself."""
    if (home / "postgres").exists():
        await asyncio.to_thread(_Server(Cluster(home)).stop_unused)


class _Server:
    """The server of a cluster. Every method blocks; call them in a thread."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def join(self) -> int:
        """Become a user; return the descriptor that says so. Raises DatabaseUnavailable."""
        try:
            self.cluster.prepare()
            with self._alone():
                user = self._open("users.lock")
                try:
                    fcntl.flock(user, fcntl.LOCK_SH)
                    self._ensure_running()
                except BaseException:
                    os.close(user)
                    raise
                return user
        except OSError as error:
            raise DatabaseUnavailable(self._explain(error)) from error

    def revive(self) -> None:
        """Start the server if it does not run. Raises DatabaseUnavailable, OSError."""
        with self._alone():
            self._ensure_running()

    def leave(self, user: int) -> None:
        """Stop being a user; stop the server when there is no other."""
        if not self.cluster.folder.exists():  # removed under our feet: the server notices within a minute
            os.close(user)
            return
        with self._alone():
            os.close(user)
            self._stop_if_last()

    def stop_unused(self) -> None:
        """Stop the server when it has no user. Raises DatabaseUnavailable, OSError."""
        self.cluster.prepare()
        with self._alone():
            self._stop_if_last()

    def _stop_if_last(self) -> None:
        last = self._open("users.lock")
        try:
            if _taken(last):
                self._stop()
        finally:
            os.close(last)

    def _ensure_running(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while problem := self._problem():
            lock = self._open("server.lock")
            if _taken(lock):
                self._start(lock)  # closes the lock
                return
            os.close(lock)
            self._wait(deadline, problem)

    def _start(self, lock: int) -> None:
        """Start a server and wait until it answers. `lock` says that no process of an earlier one is left."""
        cluster = self.cluster
        try:
            cluster.ready()
            for stale in (cluster.data / "postmaster.pid", self._socket_lock(), cluster.socket_file):
                stale.unlink(missing_ok=True)
            began = self._trim_log()
            command = [program("postgres"), "-D", str(cluster.data), f"--config_file={cluster.configuration}"]
            cluster.execute(["/bin/sh", "-c", _LAUNCH, "sh", str(cluster.log), *command], pass_fds=(lock,))
        finally:
            os.close(lock)
        deadline = time.monotonic() + _PATIENCE
        while problem := self._problem():
            if not self.alive():
                with cluster.log.open(encoding="utf-8", errors="replace") as log:
                    log.seek(began)
                    raise DatabaseUnavailable(cluster.explain(log.read()))
            self._wait(deadline, problem)

    def _stop(self) -> None:
        """Ask the server to stop, and wait until nothing is left of it. A server that hangs is told twice."""
        self._interrupt()
        if self.cluster.socket.parent != self.cluster.folder:
            with suppress(OSError):
                self.cluster.socket.rmdir()

    def _interrupt(self) -> None:
        for how, patience in ((signal.SIGINT, _PATIENCE), (signal.SIGQUIT, 10.0)):  # fast, then immediate
            if (pid := self._postmaster()) is None:
                return
            with suppress(ProcessLookupError):
                os.kill(pid, how)
            deadline = time.monotonic() + patience
            while self.alive() and time.monotonic() < deadline:
                time.sleep(_PAUSE)

    def _problem(self) -> str:
        """Why one cannot connect; empty when one can. Raises DatabaseUnavailable when waiting cannot help."""
        try:
            psycopg.connect(self.cluster.conninfo(OWNER_ROLE), connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if "authentication failed" in str(error):
                raise DatabaseUnavailable(
                    f"The server of {self.cluster.folder} was started by somebody else. "
                    "Let them stop it first."
                ) from error
            return str(error)
        return ""

    def alive(self) -> bool:
        """Whether any process of the server is left."""
        lock = self._open("server.lock")
        try:
            return not _taken(lock)
        finally:
            os.close(lock)

    def _postmaster(self) -> int | None:
        """The process id of whoever listens on the socket; None when nobody does."""
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.cluster.socket_file))
            except OSError:
                return None
            if sys.platform != "linux":
                return int((self.cluster.data / "postmaster.pid").read_text().split()[0])
            credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid: int = struct.unpack("3i", credentials)[0]
        return pid or None  # 0: a process of another container

    def _trim_log(self) -> int:
        """Keep the log bounded; return its length. The server appends, so emptying it is safe."""
        log = self.cluster.log
        if not log.exists():
            log.touch(mode=0o600)
            os.chown(log, self.cluster.account.uid, self.cluster.account.gid)
        if log.stat().st_size > _LONGEST_LOG:
            os.truncate(log, 0)
        return log.stat().st_size

    def _socket_lock(self) -> Path:
        return Path(f"{self.cluster.socket_file}.lock")

    def _wait(self, deadline: float, problem: str) -> None:
        if time.monotonic() > deadline:
            raise DatabaseUnavailable(
                f"The database in {self.cluster.folder} does not answer: {problem} (see {self.cluster.log})"
            )
        time.sleep(_PAUSE)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the start lock."""
        lock = self._open("start.lock")
        try:
            deadline = time.monotonic() + 2 * _PATIENCE
            while not _taken(lock):
                self._wait(deadline, "another process has been starting or stopping it for too long")
            yield
        finally:
            os.close(lock)

    def _open(self, name: str) -> int:
        """Open a lock's file. Python closes the descriptor in every program that is started."""
        path = self.cluster.folder / name
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.cluster.own(path)
        return descriptor

    def _explain(self, error: OSError) -> str:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return f"The disk that holds {self.cluster.folder} is full. Free some space and start again."
        return (
            f"The database folder {self.cluster.folder} cannot be used: {error.strerror} ({error.filename}). "
            "Make it writable, or choose another home."
        )


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
