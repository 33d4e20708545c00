"""PostgreSQL servers of one's own, and PgBouncer before them: started by a test, gone after it."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bot.storage.cluster import Cluster, program
from bot.storage.privileges import Account, run

PASSWORD = "a secret: @/?#%"
_PATIENCE = 60.0
_DEBIAN = Path("/usr/lib/postgresql")


def programs(version: str) -> Path:
    """Return where the programs of a PostgreSQL are: 18 and 16 come with the wheel, 15 with Debian 12."""
    if version in {"18", "16"}:
        brought = "pginstall18" if version == "18" else "pginstall"
        return Path(program("postgres").replace("pginstall18", brought)).parent
    folder = _DEBIAN / version / "bin"
    if not (folder / "postgres").is_file():
        pytest.fail(
            f"PostgreSQL {version} is missing: apt-get install postgresql-{version} (see CONTRIBUTING.md)"
        )
    return folder


@dataclass(frozen=True, kw_only=True)
class Own:
    """A server that can go away, come back, and refuse to be written."""

    conninfo: str  # how its superuser connects
    execute: Callable[[str], None]  # a command of pg_ctl

    def stop(self) -> None:
        """Cut every connection, and let none in."""
        self.execute("stop")

    def start(self) -> None:
        """Come back."""
        self.execute("start")

    def write(self, allowed: bool) -> None:
        """Let everybody write, or nobody; return when everybody has been told."""
        with psycopg.connect(self.conninfo, autocommit=True) as conn:
            conn.execute(f"ALTER SYSTEM SET default_transaction_read_only = {not allowed}".encode())
            conn.execute("SELECT pg_reload_conf()")

        def told() -> bool:
            with psycopg.connect(self.conninfo) as conn:
                return conn.execute("SHOW transaction_read_only").fetchone() == ("off" if allowed else "on",)

        _until(told)


@contextmanager
def postgres(version: str, folder: Path) -> Iterator[str]:
    """Run a server as an administrator keeps it, with passwords; yield how its superuser connects."""
    with own(version, folder) as server:
        yield server.conninfo


@contextmanager
def own(version: str, folder: Path) -> Iterator[Own]:
    """Run such a server; yield it."""
    cluster = Cluster(folder)
    cluster.prepare()
    place = programs(version)
    with _socket(cluster.account) as socket:
        cluster.data.mkdir(mode=0o700)
        os.chown(cluster.data, cluster.account.uid, cluster.account.gid)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        flags = ["-U", "admin", "--auth=scram-sha-256", f"--pwfile={secret}", "--encoding=UTF8", "--no-sync"]
        _execute([str(place / "initdb"), "-D", str(cluster.data), *flags], cluster.account)
        options = f"-c listen_addresses= -c unix_socket_directories={socket} -c fsync=off"
        control = [str(place / "pg_ctl"), "-D", str(cluster.data), "-w"]

        def act(command: str) -> None:
            how = (
                ["-m", "immediate"] if command == "stop" else ["-l", str(cluster.data / "log"), "-o", options]
            )
            _execute([*control, *how, command], cluster.account)

        act("start")
        conninfo = make_conninfo(host=str(socket), user="admin", password=PASSWORD, dbname="company")
        try:
            with psycopg.connect(make_conninfo(conninfo, dbname="postgres"), autocommit=True) as conn:
                conn.execute("CREATE DATABASE company")
            yield Own(conninfo=conninfo, execute=act)
        finally:
            act("stop")


def login(admin: str, name: str, rights: str = "") -> str:
    """Add a login role; return how it connects."""
    statement = f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}' {rights}"
    with psycopg.connect(admin, autocommit=True) as conn:
        conn.execute(statement.encode())
    return make_conninfo(admin, user=name)


@contextmanager
def pgbouncer(admin: str, folder: Path, *, mode: str, settings: str = "") -> Iterator[str]:
    """Run PgBouncer before a server, in a pooling mode; yield how the superuser connects through it."""
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if found is None:
        pytest.fail("PgBouncer is missing: apt-get install pgbouncer")
    folder.mkdir(mode=0o700, exist_ok=True)
    account = Cluster(folder)
    account.prepare()
    there = conninfo_to_dict(admin)
    logins = ["admin", *(row[0] for row in _logins(admin))]
    users = folder / "users.txt"
    users.write_text("".join(f'"{name}" "{PASSWORD}"\n' for name in dict.fromkeys(logins)))
    pid = folder / "pgbouncer.pid"
    with _socket(account.account) as socket:
        configuration = folder / "pgbouncer.ini"
        configuration.write_text(
            f"[databases]\n* = host={there['host']}\n[pgbouncer]\nlisten_port = 6432\nlisten_addr =\n"
            f"unix_socket_dir = {socket}\nauth_type = scram-sha-256\nauth_file = {users}\n"
            f"pool_mode = {mode}\npidfile = {pid}\nlogfile = {folder / 'pgbouncer.log'}\n{settings}\n"
        )
        os.chown(folder, account.account.uid, account.account.gid)
        _execute([found, "-d", str(configuration)], account.account)
        _until(lambda: pid.exists() and pid.read_text().strip() != "" and (socket / ".s.PGSQL.6432").exists())
        try:
            yield make_conninfo(admin, host=str(socket), port=6432)
        finally:
            _end(int(pid.read_text()))


def _logins(admin: str) -> list[tuple[str]]:
    with psycopg.connect(admin) as conn:
        return conn.execute("SELECT rolname FROM pg_roles WHERE rolcanlogin").fetchall()


@contextmanager
def _socket(account: Account) -> Iterator[Path]:
    """Make a folder for a socket, near enough for its short path, and take it away."""
    socket = Path("/tmp", f"countersign-test-{uuid4().hex[:12]}")
    socket.mkdir(mode=0o700)
    os.chown(socket, account.uid, account.gid)
    try:
        yield socket
    finally:
        shutil.rmtree(socket, ignore_errors=True)


def _execute(command: list[str], account: Account) -> None:
    done = run(command, account=account, environment={"LC_ALL": "C"})
    assert done.returncode == 0, done.stdout


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    _until(lambda: not Path(f"/proc/{pid}").exists())


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
