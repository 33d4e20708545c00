"""A PostgreSQL of your own, by URL: the newest version, the oldest that is promised, and one between."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from bot.database import DatabaseUnavailable, open_database
from tests.scenario.own_postgres import PASSWORD, login, postgres


@pytest.fixture(params=["18", "16", "15"])
def admin(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A server as an administrator keeps it, with passwords; how its superuser connects."""
    with postgres(request.param, tmp_path / "theirs") as conninfo:
        yield conninfo


async def who(home: Path, url: str, owner_url: str | None = None) -> tuple[str, str, str]:
    """Who the application is there, and who owns its schema."""
    async with open_database(home, url, owner_url=owner_url) as database:
        async with database.pool.connection() as conn:
            cursor = await conn.execute(
                "SELECT current_user AS role, session_user AS login, tableowner AS owner"
                " FROM pg_tables WHERE tablename = 'checkpoints' AND schemaname = current_schema"
            )
            row = await cursor.fetchone()
        async with await psycopg.AsyncConnection.connect(database.conninfo) as own:
            assert await (await own.execute("SELECT current_user")).fetchone() == ("countersign_app",)
    assert row is not None
    return row["role"], row["login"], row["owner"]


async def test_a_login_that_may_make_roles_needs_no_preparation(admin: str, tmp_path: Path) -> None:
    bot = login(admin, "bot", "CREATEROLE")
    with psycopg.connect(admin, autocommit=True) as conn:
        conn.execute("GRANT CREATE ON DATABASE company TO bot")
    for _ in range(2):
        assert await who(tmp_path, bot) == ("countersign_app", "bot", "countersign_owner")
    assert not (tmp_path / "postgres").exists()


async def test_a_url_with_an_encoded_password_works(admin: str, tmp_path: Path) -> None:
    folder = psycopg.conninfo.conninfo_to_dict(admin)["host"]
    url = f"postgresql://admin:{quote(PASSWORD, safe='')}@/company?host={quote(str(folder), safe='')}"
    assert await who(tmp_path, url) == ("countersign_app", "admin", "countersign_owner")


async def test_an_application_login_without_rights_works_beside_an_owner(admin: str, tmp_path: Path) -> None:
    bot = login(admin, "bot")
    assert await who(tmp_path, bot, owner_url=admin) == ("countersign_app", "bot", "countersign_owner")


async def test_what_is_missing_is_spelled_out_and_doing_it_suffices(admin: str, tmp_path: Path) -> None:
    bot = login(admin, "bot")
    with pytest.raises(DatabaseUnavailable) as refusal:
        await who(tmp_path, bot)
    advice, statements = str(refusal.value).split(":\n")
    assert "bot may not make them" in advice
    assert "CREATE ROLE countersign_app NOLOGIN;" in statements
    with psycopg.connect(admin, autocommit=True) as conn:
        conn.execute(statements.encode())
    assert await who(tmp_path, bot) == ("countersign_app", "bot", "countersign_owner")


async def test_an_application_login_that_may_not_act_as_the_application_is_refused(
    admin: str, tmp_path: Path
) -> None:
    await who(tmp_path, admin)
    stranger = login(admin, "stranger")
    with pytest.raises(DatabaseUnavailable, match="permission denied to set role"):
        await who(tmp_path, stranger, owner_url=admin)


async def test_with_one_url_the_login_behind_the_role_may_do_everything(admin: str, tmp_path: Path) -> None:
    """What docs/configuration.md says of one URL: the roles are no wall."""
    bot = login(admin, "bot", "CREATEROLE")
    with psycopg.connect(admin, autocommit=True) as conn:
        conn.execute("GRANT CREATE ON DATABASE company TO bot")
    async with open_database(tmp_path, bot) as database, database.pool.connection() as conn:
        await conn.execute("SET ROLE NONE")
        await conn.execute("SET ROLE countersign_owner")
        await conn.execute("UPDATE audit_event SET body = '{}'")


async def test_with_two_urls_the_application_never_becomes_the_owner(admin: str, tmp_path: Path) -> None:
    bot = login(admin, "bot")
    async with open_database(tmp_path, bot, owner_url=admin) as database:
        for attempt in ("SET ROLE countersign_owner", "UPDATE countersign.audit_event SET body = '{}'"):
            for before in ("RESET ROLE", "SET ROLE NONE", "SET ROLE countersign_app"):
                async with await psycopg.AsyncConnection.connect(database.conninfo) as own:
                    await own.execute(before.encode())
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        await own.execute(attempt.encode())


async def test_a_wrong_password_is_reported_and_never_shown(admin: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="password authentication failed") as refusal:
        await who(tmp_path, make_conninfo(admin, password="wrong-secret"))
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://bot:top/secret@db.example/company",
        "postgresql://bot:top@secret@db.example/company",
        "postgresql://bot:secret%zz@db.example/company",
        "host=db.example passwort=secret",
        "secret",
    ],
)
async def test_a_malformed_url_is_refused_without_repeating_any_of_it(tmp_path: Path, url: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="COUNTERSIGN_DATABASE_URL") as refusal:
        await who(tmp_path, url)
    assert "secret" not in str(refusal.value)
    assert refusal.value.__cause__ is None


async def test_a_server_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="does not let us in"):
        await who(tmp_path, "postgresql://bot:secret@127.0.0.1:1/company")
