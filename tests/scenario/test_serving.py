"""Which edition serves, in a real database: taken over from the file, swapped at once, noticed by the bot."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from bot.database import Database
from bot.serving import DatabaseSilent, Rows, in_bot, of_home
from bot.shelf import PAUSE, Shelf
from knowledge.build import build
from knowledge.edition import Edition
from knowledge.errors import ServesElsewhere
from knowledge.serving import CurrentFile, Serving
from knowledge.sources.folder import Folder
from tests.unit.knowledge.conftest import Heard, Words

Ingest = Callable[[str, Serving | None], Edition]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def ingest(tmp_path: Path, home: Path) -> Ingest:
    source = tmp_path / "source"
    source.mkdir()

    def run(text: str, serving: Serving | None) -> Edition:
        (source / "leave.md").write_text(f"# Leave\n\n{text}\n")
        return build(home, [Folder(source)], Words(), Heard(), serving=serving, by="grace")

    return run


@pytest.fixture
def serving(home: Path, database: Database) -> Iterator[Serving]:
    """As a running bot asks."""
    with in_bot(home, database.conninfo) as opened:
        yield opened


@pytest.fixture
def command(home: Path, database: Database) -> Serving:
    """As a command in another process asks."""
    return Rows(home, lambda: psycopg.connect(database.conninfo, autocommit=True))


def current_file(home: Path) -> str:
    return (home / "editions" / "current").read_text().strip()


async def test_a_thread_that_asks_after_the_end_opens_no_connection(home: Path, database: Database) -> None:
    with in_bot(home, database.conninfo) as opened:
        opened.current()
    with pytest.raises(DatabaseSilent):
        opened.current()


async def test_the_database_takes_over_what_the_file_said(
    database: Database, home: Path, ingest: Ingest, serving: Serving
) -> None:
    first, second = ingest("25 days.", None), ingest("26 days.", None)
    assert serving.current() == second.id
    assert current_file(home) == "database"
    assert [row.edition for row in serving.history()] == [first.id, second.id]
    assert {row.by for row in serving.history()} == {"grace"}


async def test_where_the_database_decides_a_process_without_it_says_so(
    database: Database, home: Path, ingest: Ingest, command: Serving
) -> None:
    ingest("25 days.", command)
    assert current_file(home) == "database"
    with pytest.raises(ServesElsewhere, match="COUNTERSIGN_DATABASE_URL"):
        CurrentFile(home).current()
    with pytest.raises(ServesElsewhere):
        ingest("26 days.", None)


async def test_a_command_goes_on_when_the_home_gets_its_database_meanwhile(
    database: Database, home: Path, ingest: Ingest, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "bot.serving._momentary", lambda settings: psycopg.connect(database.conninfo, autocommit=True)
    )
    command = of_home(home)
    first = ingest("25 days.", command)
    assert current_file(home) == first.id
    (home / "postgres" / "data").mkdir(parents=True)  # a bot starts,
    assert serving.current() == first.id  # and takes over what the file said
    assert current_file(home) == "database"
    assert command.current() == first.id
    second = ingest("26 days.", command)
    assert serving.current() == command.current() == second.id


async def test_an_activation_is_a_row_with_who_when_and_why(ingest: Ingest, serving: Serving) -> None:
    first = ingest("25 days.", serving)
    second = ingest("26 days.", serving)
    serving.activate(first.id, by="ada", why="activate")
    serving.activate(first.id, by="ada", why="activate")  # it serves already
    assert [(row.edition, row.by, row.why) for row in serving.history()] == [
        (first.id, "grace", "ingest"),
        (second.id, "grace", "ingest"),
        (first.id, "ada", "activate"),
    ]
    assert serving.current() == first.id


async def test_the_application_cannot_rewrite_the_history(
    database: Database, ingest: Ingest, command: Serving
) -> None:
    ingest("25 days.", command)
    for query in ("DELETE FROM edition_activation", "UPDATE edition_activation SET by = 'eve'"):
        with (
            psycopg.connect(database.conninfo) as conn,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            conn.execute(query)  # type: ignore[call-overload]  # the loop hides that it is a literal


async def test_another_tenant_sees_nothing_of_it(
    database: Database, home: Path, ingest: Ingest, serving: Serving, command: Serving
) -> None:
    ingest("25 days.", command)
    other = database.conninfo.replace("countersign.tenant=test-", "countersign.tenant=other-")
    assert other != database.conninfo
    with in_bot(home, other) as elsewhere:
        assert elsewhere.current() is None


async def test_the_bot_notices_within_its_pause(
    home: Path, ingest: Ingest, serving: Serving, command: Serving
) -> None:
    now = [0.0]
    first = ingest("25 days.", serving)
    shelf = Shelf(home, Words(), serving, clock=lambda: now[0])
    assert shelf.library().edition.id == first.id
    second = ingest("26 days.", command)
    assert shelf.library().edition.id == first.id
    now[0] += PAUSE
    assert shelf.library().edition.id == second.id


async def test_what_governs_an_approval_is_looked_up_at_once(
    home: Path, ingest: Ingest, serving: Serving, command: Serving
) -> None:
    ingest("25 days.", serving)
    shelf = Shelf(home, Words(), serving, clock=lambda: 0.0)
    shelf.library()
    second = ingest("26 days.", command)
    assert shelf.edition().id == second.id


async def test_without_the_database_answers_go_on_and_approvals_do_not(
    database: Database, home: Path, ingest: Ingest, command: Serving
) -> None:
    now = [0.0]
    first = ingest("25 days.", command)
    broken = False

    def connect() -> psycopg.Connection:
        if broken:
            raise psycopg.OperationalError("the server is gone")
        return psycopg.connect(database.conninfo, autocommit=True)

    shelf = Shelf(home, Words(), Rows(home, connect), clock=lambda: now[0])
    assert shelf.library().edition.id == first.id
    broken, now[0] = True, PAUSE
    assert shelf.library().edition.id == first.id
    with pytest.raises(DatabaseSilent):
        shelf.edition()


async def test_a_lost_connection_is_made_again(database: Database, ingest: Ingest, serving: Serving) -> None:
    first = ingest("25 days.", serving)
    async with database.pool.connection() as conn:
        await conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND query LIKE '%edition_activation%'"
        )
    assert serving.current() == first.id
