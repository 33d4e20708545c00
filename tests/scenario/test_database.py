"""The embedded server through the life of a home: real servers, real kills."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bot.database import Database, DatabaseUnavailable, open_database, open_owner
from bot.storage.cluster import Cluster
from bot.storage.migrations import Source

_PATIENCE = 30.0

# A process that opens the home, says so, and leaves when its standard input ends.
_USER = """
import asyncio, signal, sys
from pathlib import Path
from bot.storage.embedded import Embedded

signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a terminal, wherever the tests run

async def main():
    async with Embedded(Path(sys.argv[1])):
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
        print("ready", flush=True)
        await ended.wait()

asyncio.run(main())
"""


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def postmaster(home: Path) -> int | None:
    """The process whose working folder is the home's data and which leads its session's server."""
    file = home / "postgres" / "data" / "postmaster.pid"
    return int(file.read_text().split()[0]) if file.exists() else None


def processes(home: Path) -> list[int]:
    """Every process of this home's server, by the folder that it works in."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                where = (entry / "cwd").readlink()
            except OSError:
                continue
            if where == home / "postgres" / "data":
                found.append(int(entry.name))
    return found


@contextmanager
def another_user(home: Path, *, new_session: bool = False) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", _USER, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        start_new_session=new_session,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.communicate(timeout=_PATIENCE)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home in a closed folder, whose server is gone after the test whatever happened."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    yield closed / "home"
    for pid in processes(closed / "home"):
        os.kill(pid, signal.SIGKILL)


@asynccontextmanager
async def opened(home: Path) -> AsyncIterator[Database]:
    """The database without anybody's tables but those of the libraries."""
    async with open_database(home, None, migrations=()) as database:
        yield database


def socket_folder(database: Database) -> Path:
    return Path(str(conninfo_to_dict(database.conninfo)["host"]))


async def answer(database: Database) -> object:
    async with database.pool.connection() as conn:
        row = await (await conn.execute("SELECT current_user AS name")).fetchone()
    assert row is not None
    return row["name"]


async def test_first_start_makes_a_database_that_the_application_role_may_use(home: Path) -> None:
    async with opened(home) as database:
        assert await answer(database) == "countersign_app"
        async with database.saver_pool.connection() as conn:
            assert conn.autocommit
        async with database.pool.connection() as conn:
            assert not conn.autocommit
            cursor = await conn.execute(
                "SELECT current_schema AS schema, current_setting('timezone') AS zone,"
                " current_setting('countersign.tenant') AS tenant, current_setting('fsync') AS fsync"
            )
            assert await cursor.fetchone() == {
                "schema": "countersign",
                "zone": "UTC",
                "tenant": "main",
                "fsync": "on",
            }


async def test_last_clean_exit_stops_the_server_and_a_second_start_finds_the_data(home: Path) -> None:
    async with open_owner(home, None) as conn:
        await conn.execute("CREATE TABLE countersign.kept AS SELECT 42 AS value")
    assert processes(home) == []
    async with open_owner(home, None) as conn:
        row = await (await conn.execute("SELECT value FROM countersign.kept")).fetchone()
    assert row == (42,)
    assert processes(home) == []


async def test_two_processes_share_one_server_and_the_first_to_leave_does_not_stop_it(home: Path) -> None:
    with another_user(home) as other:
        async with opened(home) as database:
            first = postmaster(home)
            other.communicate(timeout=_PATIENCE)
            assert await answer(database) == "countersign_app"
            assert postmaster(home) == first
    assert processes(home) == []


async def test_many_processes_that_start_at_once_start_one_server(home: Path) -> None:
    with ExitStack() as stack:
        await asyncio.gather(*(asyncio.to_thread(stack.enter_context, another_user(home)) for _ in range(4)))
        log = (home / "postgres" / "server.log").read_text()
        assert log.count("ready to accept connections") == 1
    assert processes(home) == []


async def test_a_killed_user_leaves_the_server_usable_and_the_next_clean_exit_stops_it(home: Path) -> None:
    with another_user(home) as user:
        user.kill()
        user.wait()
    assert postmaster(home) in processes(home)
    async with opened(home) as database:
        assert await answer(database) == "countersign_app"
    assert processes(home) == []


async def test_a_server_killed_with_its_users_recovers_at_the_next_open(home: Path) -> None:
    async with open_owner(home, None) as conn:
        await conn.execute("CREATE TABLE countersign.kept AS SELECT 42 AS value")
    with another_user(home) as user:
        pid = postmaster(home)
        assert pid is not None
        user.kill()
        user.wait()
        os.kill(pid, signal.SIGKILL)
    async with open_owner(home, None) as conn:
        row = await (await conn.execute("SELECT value FROM countersign.kept")).fetchone()
    assert row == (42,)
    assert processes(home) == []


async def test_a_server_killed_under_a_living_user_comes_back_for_it(home: Path) -> None:
    async with opened(home) as database:
        pid = postmaster(home)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        until(lambda: pid not in processes(home), "the server did not die")
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                assert await answer(database) == "countersign_app"
                break
            except psycopg.OperationalError:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
        assert postmaster(home) != pid
    assert processes(home) == []


async def test_a_connection_that_the_server_has_ended_is_lent_to_nobody(home: Path) -> None:
    async with opened(home) as database:
        async with database.pool.connection() as conn:
            ended = conn.info.backend_pid
        async with database.saver_pool.connection() as other:
            await other.execute("SELECT pg_terminate_backend(%s, 5000)", (ended,))
        async with database.pool.connection() as conn:  # used a moment ago: only its socket says so
            await conn.execute("SELECT 1")
            assert conn.info.backend_pid != ended


async def test_a_stale_pid_file_that_names_a_living_process_does_not_hinder_a_start(home: Path) -> None:
    async with opened(home) as database:
        data, folder = home / "postgres" / "data", socket_folder(database)
        lines = (data / "postmaster.pid").read_text().splitlines()
    account = data.stat()
    with subprocess.Popen(
        ["sleep", "60"],
        user=account.st_uid if os.geteuid() == 0 else None,  # a process that the server's user may signal
    ) as bystander:
        folder.mkdir(mode=0o700, exist_ok=True)
        os.chown(folder, account.st_uid, account.st_gid)
        lines[0] = str(bystander.pid)
        for stale in (data / "postmaster.pid", folder / ".s.PGSQL.5432.lock"):
            stale.write_text("\n".join(lines) + "\n")
            os.chown(stale, account.st_uid, account.st_gid)
        try:
            async with opened(home) as database:
                assert await answer(database) == "countersign_app"
            assert bystander.poll() is None
        finally:
            bystander.kill()


async def test_interrupting_a_start_leaves_no_server_behind(home: Path) -> None:
    async def start() -> None:
        async with opened(home):
            await asyncio.Event().wait()

    starting = asyncio.create_task(start())
    while not (home / "postgres" / "start.lock").exists():
        await asyncio.sleep(0.01)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert processes(home) == []


async def test_an_interrupted_first_start_is_begun_anew(home: Path) -> None:
    half = home / "postgres" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    async with opened(home) as database:
        assert await answer(database) == "countersign_app"


def test_ctrl_c_in_the_terminal_reaches_the_user_and_not_the_server(home: Path) -> None:
    with another_user(home), another_user(home, new_session=True) as interrupted:
        pid = postmaster(home)
        assert pid is not None
        assert os.getsid(pid) != os.getsid(interrupted.pid)
        os.killpg(interrupted.pid, signal.SIGINT)
        interrupted.wait(_PATIENCE)
        assert pid in processes(home)
    assert processes(home) == []


async def test_the_server_runs_unprivileged_and_opens_no_folder(home: Path) -> None:
    async with opened(home) as database:
        pid = postmaster(home)
        assert pid is not None
        status = Path(f"/proc/{pid}/status").read_text()
        uid = int(next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1])
        capabilities = next(line for line in status.splitlines() if line.startswith("CapEff:")).split()[1]
        assert uid != 0
        assert int(capabilities, 16) in {0, 1 << 1}  # nothing, or CAP_DAC_OVERRIDE alone
        for folder in (home.parent, home, home / "postgres", socket_folder(database)):
            assert folder.stat().st_mode & 0o077 == 0, folder
        assert listening(processes(home)) == []


def listening(pids: list[int]) -> list[str]:
    """The TCP sockets that these processes listen on."""
    sockets = {
        str(descriptor.readlink())
        for pid in pids
        for descriptor in Path(f"/proc/{pid}/fd").iterdir()
        if descriptor.is_symlink()
    }
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    return [row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets]


async def test_the_superuser_has_no_way_in(home: Path) -> None:
    async with opened(home) as database:
        with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
            psycopg.connect(make_conninfo(database.conninfo, user="postgres", dbname="postgres"))


@pytest.mark.parametrize("name", ["x" * 150, "with, comma", "quo'te", 'double"quote', "Bücher und Hefte"])
async def test_an_unusual_home_path_works(tmp_path: Path, name: str) -> None:
    home = tmp_path / name
    async with opened(home) as database:
        assert await answer(database) == "countersign_app"
        folder = socket_folder(database)
        assert folder.stat().st_mode & 0o077 == 0
    assert processes(home) == []


async def test_a_home_reached_by_another_path_is_the_same_home(home: Path, tmp_path: Path) -> None:
    async with opened(home):
        pid = postmaster(home)
        (tmp_path / "way").symlink_to(home, target_is_directory=True)
        async with opened(tmp_path / "way") as database:
            assert await answer(database) == "countersign_app"
            assert postmaster(home) == pid
            assert (home / "postgres" / "server.log").read_text().count("starting PostgreSQL") == 1


async def test_a_foreign_socket_folder_is_refused(tmp_path: Path) -> None:
    home = tmp_path / ("x" * 150)
    async with opened(home):
        pass
    cluster = Cluster(home)
    cluster.prepare()
    assert cluster.socket.parent.name == f"countersign-{os.geteuid()}"
    cluster.socket.mkdir()
    cluster.socket.chmod(0o777)
    with pytest.raises(DatabaseUnavailable, match=r"alone\. Remove it"):
        async with opened(home):
            pass
    cluster.socket.rmdir()


async def test_data_of_another_major_version_is_refused(home: Path) -> None:
    async with opened(home):
        pass
    (home / "postgres" / "data" / "PG_VERSION").write_text("16\n")
    with pytest.raises(DatabaseUnavailable, match=r"written by PostgreSQL 16, and this release runs"):
        async with opened(home):
            pass


async def test_a_damaged_database_says_where_to_look(home: Path) -> None:
    async with opened(home):
        pass
    (home / "postgres" / "data" / "global" / "pg_control").unlink()
    with pytest.raises(DatabaseUnavailable, match=r"did not start: .*pg_control.* \(see .*server\.log\)"):
        async with opened(home):
            pass


async def test_a_folder_that_cannot_be_used_is_named(home: Path) -> None:
    home.mkdir()
    (home / "postgres").write_text("in the way")
    with pytest.raises(DatabaseUnavailable, match=rf"{home}/postgres cannot be used"):
        async with opened(home):
            pass


async def test_somebody_elses_home_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "postgres").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    with pytest.raises(DatabaseUnavailable, match=r"belongs to \w+\. Run as that user"):
        async with opened(tmp_path):
            pass


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (
            'FATAL:  could not write lock file "postmaster.pid": No space left on device',
            "is full. Free some space",
        ),
        ("initdb: error: could not create directory: Read-only file system", "is read-only"),
        ("initdb: error: could not look up effective user ID 4242: user does not exist", "has no name"),
    ],
)
def test_what_the_server_said_becomes_advice(tmp_path: Path, said: str, sentence: str) -> None:
    cluster = Cluster(tmp_path)
    cluster.prepare()
    assert sentence in cluster.explain(said)


async def test_the_log_is_bounded_and_holds_nothing_that_people_wrote(home: Path) -> None:
    async with opened(home) as database:
        with pytest.raises(psycopg.DataError):
            async with database.pool.connection() as conn:
                await conn.execute("SELECT %s::text::integer", ("ada's secret",))
    log = home / "postgres" / "server.log"
    assert "secret" not in log.read_text()
    os.truncate(log, 10_000_000)
    async with opened(home):
        assert log.stat().st_size < 1_000_000


async def test_a_warm_open_is_quick_and_imports_no_langgraph(home: Path) -> None:
    async with opened(home):
        script = (
            "import asyncio, sys; from pathlib import Path; from bot.database import open_database\n"
            "async def main():\n"
            "    async with open_database(Path(sys.argv[1]), None, migrations=()): pass\n"
            "asyncio.run(main()); assert 'langgraph' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", script, str(home)], check=True, cwd=Path(__file__).parents[2])
        began = time.perf_counter()
        async with opened(home):
            took = time.perf_counter() - began
    assert took < 1.0


def test_our_own_sql_is_found() -> None:
    from bot.storage.migrations import sources

    assert [source.package for source in sources()] == ["graphs", "bot"]
    assert all(isinstance(source, Source) for source in sources())
