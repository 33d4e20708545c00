"""Whatever any column is changed to after a grant, be it a value that cannot be read at all: the grant ends.

The columns are asked of the database: all that the application's role may change in what an end passes by.
"""

from collections.abc import Mapping

import pytest

from bot.database import open_owner
from bot.privacy import people
from bot.privacy.export import export
from bot.privacy.files import Mentions
from graphs.records import Answered
from tests.scenario import test_every_grant as grants
from tests.scenario.desk import Office

TABLES = ("run", "approval", "effect", "timer")
NASTY: Mapping[str, tuple[str, ...]] = {  # by type: wrong in shape, in size, or for Python
    "jsonb": ("'5'", "'{}'", "'[5]'", "repeat('9', 9000)::jsonb",
              "(repeat('[', 3000) || repeat(']', 3000))::jsonb",
              "('{\"days\": ' || repeat('9', 9000) || '}')::jsonb",
              "('{\"days\": ' || repeat('[', 3000) || repeat(']', 3000) || '}')::jsonb"),
    "timestamp with time zone": ("'infinity'", "'290000-01-01'"),
    "interval": ("'9999999 years'",),
    "text": ("'x'",),
    "integer": ("2147483647",),
    "bigint": ("9223372036854775807",),
    "boolean": ("true",),
}  # fmt: skip
FORGED = (
    "INSERT INTO vote (approval, subject, human, holder, person, verdict)"
    " VALUES (%(card)s, 'x#1', 'x#1', 'x#1', '5', 'approve')",
    "INSERT INTO edit (approval, run, subject, author, before, after, narrows)"
    " SELECT %(card)s, id, 'x', '{}', '{}', '{}', false FROM run WHERE key LIKE 'end %%'",
    "INSERT INTO run_step (run, mark, key, facts) SELECT id, 'x', 'x', '5' FROM run",
    "INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, checkpoint, metadata)"
    " SELECT id, '', 'x', '{}', '{}' FROM run WHERE key LIKE 'end %%'",
)


async def changes(office: Office, table: str) -> list[str]:
    """Return statements that change every column which the application's role may change."""
    async with office.database.pool.connection() as conn:
        cursor = await conn.execute(
            "SELECT column_name AS name, data_type AS type FROM information_schema.columns"
            " JOIN information_schema.column_privileges USING (table_schema, table_name, column_name)"
            " WHERE grantee = current_user AND privilege_type = 'UPDATE' AND table_name = %s",
            (table,),
        )
        columns = await cursor.fetchall()
    assert columns
    return [f"UPDATE {table} SET {one['name']} = {value}" for one in columns for value in NASTY[one["type"]]]


@pytest.mark.parametrize("table", TABLES)
async def test_what_was_granted_ends_whatever_a_column_is_changed_to(office: Office, table: str) -> None:
    for statement in await changes(office, table):
        await grants.after_effect(office, statement)


@pytest.mark.parametrize("table", TABLES)
async def test_a_person_is_found_and_exported_whatever_a_column_is_changed_to(
    office: Office, table: str
) -> None:
    run = await office.ask(grants.WANTED)
    (card,) = office.desk.cards
    assert await grants.decide(office, card, grants.GRACE) is Answered.RECORDED
    await office.work()
    ada = await office.person(grants.ADA)
    for statement in await changes(office, table):
        await grants.write(office, statement, run, card)
        found = await people.find(office.database.pool, ada.subject, person=ada, harmless=frozenset())
        assert found is not None, statement
        async with open_owner(office.home, None) as owner:
            kept = await export(office.database, owner, found, Mentions())
        assert kept["tables"]["run"], statement


@pytest.mark.parametrize("statement", FORGED)
async def test_what_was_granted_ends_whatever_is_written_beside_it(office: Office, statement: str) -> None:
    await grants.after_effect(office, statement)
