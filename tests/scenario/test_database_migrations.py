"""Migrations on a real server: once, in order, by one process, and never behind anybody's back."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from bot.database import Database, DatabaseUnavailable, open_database, open_owner
from bot.storage.migrations import MigrationRefused, Source, sources

_ITEM = """
CREATE TABLE item (id text PRIMARY KEY);
GRANT SELECT, INSERT ON item TO countersign_app;
"""
_NOTE = """
CREATE TABLE note (item text REFERENCES item);
GRANT SELECT, INSERT, UPDATE, DELETE ON note TO countersign_app;
"""

_PROCRASTINATE = b"""
SELECT proname || pg_get_function_identity_arguments(oid) FROM pg_proc
WHERE pronamespace = 'countersign'::regnamespace AND starts_with(proname, 'procrastinate') ORDER BY 1
"""
_NO_PROCRASTINATE = b"""
DO $$ DECLARE thing text; BEGIN
    FOR thing IN SELECT oid::regclass FROM pg_class
        WHERE relkind = 'r' AND starts_with(relname, 'procrastinate')
    LOOP EXECUTE 'DROP TABLE ' || thing || ' CASCADE'; END LOOP;
    FOR thing IN SELECT oid::regprocedure FROM pg_proc WHERE starts_with(proname, 'procrastinate')
    LOOP EXECUTE 'DROP FUNCTION ' || thing || ' CASCADE'; END LOOP;
    FOR thing IN SELECT oid::regtype FROM pg_type WHERE starts_with(typname, 'procrastinate')
    LOOP EXECUTE 'DROP TYPE ' || thing || ' CASCADE'; END LOOP;
END $$
"""

_OPEN = """
import asyncio, sys
from pathlib import Path
from bot.database import open_database
from bot.storage.migrations import Source

async def main():
    folders = [Source(package=p, folder=Path(sys.argv[2]) / p) for p in ("first", "second")]
    async with open_database(Path(sys.argv[1]), None, migrations=folders):
        print("open", flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two packages of SQL, the second of which needs the first."""
    for package, name, text in (("first", "0001_item.sql", _ITEM), ("second", "0001_note.sql", _NOTE)):
        (tmp_path / "sql" / package).mkdir(parents=True)
        (tmp_path / "sql" / package / name).write_text(text)
    return tmp_path / "sql"


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Database]:
    migrations = [Source(package=package, folder=folder / package) for package in ("first", "second")]
    async with open_database(folder.parent / "home", None, migrations=migrations) as database:
        yield database


async def values(database: Database, query: bytes) -> list[object]:
    async with database.pool.connection() as conn:
        cursor = await conn.execute(query)
        return [next(iter(row.values())) for row in await cursor.fetchall()]


async def applied(database: Database) -> list[object]:
    return await values(
        database, b"SELECT package || '/' || name FROM migration ORDER BY applied_at, package, name"
    )


async def test_packages_are_applied_in_order_and_once(folder: Path) -> None:
    for _ in range(2):
        async with opened(folder) as database:
            assert await applied(database) == ["first/0001_item.sql", "second/0001_note.sql"]


async def test_a_new_file_is_applied_at_the_next_start(folder: Path) -> None:
    async with opened(folder):
        pass
    (folder / "first" / "0002_more.sql").write_text("ALTER TABLE item ADD COLUMN label text;")
    async with opened(folder) as database:
        assert (await applied(database))[-1] == "first/0002_more.sql"
        assert await values(database, b"SELECT label FROM item") == []


async def test_a_changed_file_is_refused_by_name(folder: Path) -> None:
    async with opened(folder):
        pass
    file = folder / "first" / "0001_item.sql"
    file.write_text(_ITEM + "-- an afterthought")
    with pytest.raises(MigrationRefused, match=r"first/schema/0001_item\.sql changed after it was applied"):
        async with opened(folder):
            pass
    file.write_bytes(_ITEM.replace("\n", "\r\n").encode())  # a checkout may change the ends of lines
    async with opened(folder):
        pass


async def test_a_database_that_is_newer_than_the_code_is_refused(folder: Path) -> None:
    newer = folder / "second" / "0002_newer.sql"
    newer.write_text("SELECT 1;")
    async with opened(folder):
        pass
    newer.unlink()
    with pytest.raises(MigrationRefused, match=r"newer than this release.*second/schema/0002_newer\.sql"):
        async with opened(folder):
            pass


async def test_tables_of_a_newer_library_are_refused(folder: Path) -> None:
    async with opened(folder):
        pass
    async with open_owner(folder.parent / "home", None) as conn:
        await conn.execute("UPDATE library SET version = '99.0' WHERE name = 'procrastinate'")
    with pytest.raises(
        MigrationRefused, match=r"newer than this release.*procrastinate are of version 99\.0"
    ):
        async with opened(folder):
            pass


async def test_an_older_procrastinate_gets_only_its_later_migrations(folder: Path) -> None:
    from procrastinate.schema import migrations_path

    async with opened(folder) as database:
        current = await values(database, _PROCRASTINATE)
    async with open_owner(folder.parent / "home", None) as conn:
        await conn.execute(_NO_PROCRASTINATE)
        for file in sorted(migrations_path.glob("*.sql")):
            if file.name < "03.03":
                await conn.execute(file.read_bytes())
        await conn.execute("UPDATE library SET version = '3.2.2' WHERE name = 'procrastinate'")
        older = [row[0] for row in await (await conn.execute(_PROCRASTINATE)).fetchall()]
    assert older != current
    async with opened(folder) as database:
        assert await values(database, _PROCRASTINATE) == current
        assert await values(database, b"SELECT count(*) FROM procrastinate_jobs") == [0]


async def test_a_failing_file_is_named_and_leaves_nothing(folder: Path) -> None:
    broken = folder / "second" / "0002_broken.sql"
    broken.write_text("CREATE TABLE half (id text); SELECT nothing FROM nowhere;")
    with pytest.raises(MigrationRefused, match=r'second/schema/0002_broken\.sql .*"nowhere" does not exist'):
        async with opened(folder):
            pass
    broken.unlink()
    async with opened(folder) as database:
        assert await values(database, b"SELECT to_regclass('half')::text") == [None]


@pytest.mark.parametrize("name", ["0001_twin.sql", "second.sql"])
async def test_a_file_out_of_sequence_is_refused(folder: Path, name: str) -> None:
    (folder / "first" / name).write_text("SELECT 1;")
    with pytest.raises(DatabaseUnavailable, match=name):
        async with opened(folder):
            pass


async def test_processes_that_migrate_at_once_apply_everything_once(folder: Path) -> None:
    command = [sys.executable, "-c", _OPEN, str(folder.parent / "home"), str(folder)]
    processes = [
        await asyncio.create_subprocess_exec(
            *command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 60) == b"open\n"
    async with opened(folder) as database:
        assert await applied(database) == ["first/0001_item.sql", "second/0001_note.sql"]
    for process in processes:
        _, errors = await process.communicate(b"")
        assert (process.returncode, errors) == (0, b"")


@pytest.mark.parametrize(
    "statement",
    [
        b"UPDATE item SET id = 'b'",
        b"DELETE FROM item",
        b"TRUNCATE item",
        b"DROP TABLE item",
        b"ALTER TABLE item OWNER TO countersign_app",
        b"CREATE TABLE other (id text)",
        b"INSERT INTO migration (package, name, sha256) VALUES ('first', '0009_forged.sql', '')",
        b"SET ROLE countersign_owner",
    ],
)
async def test_the_application_role_may_only_append_where_it_was_granted_no_more(
    folder: Path, statement: bytes
) -> None:
    async with opened(folder) as database:
        async with database.pool.connection() as conn:
            await conn.execute("INSERT INTO item VALUES ('a')")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with database.pool.connection() as conn:
                await conn.execute(statement)
        assert await values(database, b"SELECT id FROM item") == ["a"]


async def test_jobs_and_checkpoints_work_as_the_application_role(folder: Path) -> None:
    import procrastinate
    from langgraph.checkpoint.base import empty_checkpoint
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

    async with opened(folder) as database:
        done: list[int] = []
        app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=database.conninfo))

        @app.task(name="tally")
        async def tally(number: int) -> None:
            done.append(number)

        async with app.open_async():
            await tally.defer_async(number=7)
            await app.run_worker_async(wait=False, install_signal_handlers=False)
        assert done == [7]
        saver = AsyncPostgresSaver(database.saver_pool)
        config = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
        await saver.aput(config, empty_checkpoint(), {}, {})  # type: ignore[arg-type]
        assert await saver.aget_tuple(config) is not None  # type: ignore[arg-type]


async def test_our_own_sql_applies(tmp_path: Path) -> None:
    async with open_database(tmp_path, None) as database:
        expected = {
            f"{s.package}/{f.name}" for s in sources() if s.folder.is_dir() for f in s.folder.iterdir()
        }
        assert set(await applied(database)) == expected


_DECIDED_BEFORE = """
INSERT INTO run (tenant, id, key, workflow, version, status, requester, origin, slots)
    VALUES ('t', 'r', 'r', 'it_access', 1, 'waiting', '{"subject": "ada"}', '{}', '{}');
INSERT INTO approval (tenant, id, run, round, status, digest, action, card, replaces, decide_by, decided_by,
                      decided_at, reason)
    SELECT 't', id, 'r', round, status, 'd', '{"approvers": "data-owners", "clause": "ab"}',
        '{"clause": {"document": "it.md", "anchor": "a", "edition": "e1"}}', replaces, now(),
        CASE WHEN status IN ('approved', 'denied') THEN '{"subject": "grace"}'::jsonb END,
        CASE WHEN status IN ('approved', 'denied') THEN now() END, reason
    FROM (VALUES ('outdated', 1, 'approved', NULL, NULL), ('old', 2, 'void', 'outdated', NULL),
                 ('no', 3, 'denied', 'old', 'not now'), ('yes', 4, 'approved', NULL, NULL),
                 ('waits', 5, 'pending', NULL, NULL)) AS one (id, round, status, replaces, reason);
"""


async def test_approvals_that_were_decided_before_there_were_votes_keep_their_decisions(
    tmp_path: Path,
) -> None:
    (shipped,) = [source.folder for source in sources() if source.package == "graphs"]
    files = {file.name: file.read_text() for file in shipped.iterdir() if file.name[:4] <= "0002"}
    folder = tmp_path / "sql"
    for package in ("first", "second"):
        (folder / package).mkdir(parents=True)
    before, after = sorted(files)
    (folder / "first" / before).write_text(files[before])
    (folder / "second" / "0001_rows.sql").write_text(_DECIDED_BEFORE)
    async with opened(folder):
        pass
    (folder / "second" / "0002_approvals.sql").write_text(files[after])
    async with open_database(
        folder.parent / "home",
        None,
        migrations=[Source(package=package, folder=folder / package) for package in ("first", "second")],
        tenant="t",
    ) as database:
        said = await values(
            database, b"SELECT approval || ' ' || verdict || ' ' || coalesce(reason, '') FROM vote ORDER BY 1"
        )
        assert said == ["no deny not now", "outdated approve ", "yes approve "]
        stands = await values(database, b"SELECT id || ' ' || status FROM approval ORDER BY round")
        assert stands == ["outdated void", "old void", "no denied", "yes approved", "waits pending"]
