"""Checkpoints: nobody reads or forges them without the key, and a worker that lost its run writes none."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

from bot.database import Database
from connectors.keys import Keys
from connectors.sandbox.process import Running
from graphs import cases
from graphs.effects import Fenced
from graphs.records import Answered, RunStatus
from graphs.sealed import FENCE, KeyMissing, NotSealed, Seal, SealedSaver
from tests.scenario.desk import TENANT, Office, open_office
from tests.scenario.test_it_access import WANTED, ask, click

KEYS = Keys.fresh()
TOO_LONG = {**WANTED, "group": "crm-readers", "days": "9"}  # refused at once


@pytest.fixture
async def office(database: Database, database_home: Path, server: Running) -> AsyncIterator[Office]:
    async with open_office(database, database_home, server, keys=KEYS) as opened:
        yield opened


def saver(office: Office, keys: Keys = KEYS, tenant: str = TENANT) -> SealedSaver:
    return SealedSaver(office.database.saver_pool, Seal(keys, tenant))


def of(run: str, **more: Any) -> RunnableConfig:
    return {"configurable": {"thread_id": run, "checkpoint_ns": "", **more}}


async def sql(office: Office, query: str, *values: object) -> list[dict[str, Any]]:
    async with office.database.pool.connection() as conn:
        cursor = await conn.execute(query.encode(), values)
        return await cursor.fetchall() if cursor.description else []


async def saved(office: Office, run: str) -> list[list[dict[str, Any]]]:
    """Return every row that the saver keeps of a run; other tests' runs lie beside it, by the thousand."""
    return [
        await sql(office, f"SELECT * FROM {table} WHERE thread_id = %s ORDER BY {order}", run)
        for table, order in (("checkpoints", "checkpoint_id"), ("checkpoint_writes", "task_id, idx"))
    ]


async def latest(office: Office, run: str, **opening: Any) -> Any:
    return await saver(office, **opening).aget_tuple(of(run))


async def test_nothing_of_what_a_checkpoint_holds_can_be_read(office: Office) -> None:
    run = await ask(office, WANTED)
    (card,) = office.desk.cards
    held = (await latest(office, run)).checkpoint["channel_values"]
    assert held["approval"] == card
    rows = await sql(
        office, "SELECT to_jsonb(checkpoints)::text AS row FROM checkpoints WHERE thread_id = %s", run
    )
    rows += await sql(
        office, "SELECT encode(blob, 'escape') AS row FROM checkpoint_writes WHERE thread_id = %s", run
    )
    assert len(rows) > 4
    for row in rows:
        assert not [word for word in (card, "approval", "collect", "interrupt", FENCE) if word in row["row"]]
    assert await sql(office, "SELECT 1 FROM checkpoint_blobs WHERE thread_id = %s", run) == []


async def test_another_key_and_another_tenant_open_nothing(office: Office) -> None:
    run = await ask(office, WANTED)
    with pytest.raises(KeyMissing, match=KEYS.newest.id):
        await latest(office, run, keys=Keys.fresh())
    with pytest.raises(NotSealed):
        await latest(office, run, tenant="another")


@dataclass(frozen=True)
class Forgery:
    """One way to put something else where a checkpoint of `run` was; `other` is a run in the same state."""

    name: str
    query: str


FORGERIES = (
    Forgery(
        "a plain checkpoint",
        'UPDATE checkpoints SET checkpoint = checkpoint || \'{"channel_values": {"approval": "mine"}}\''
        " WHERE thread_id = %(run)s",
    ),
    Forgery(
        "another run's checkpoint",
        "UPDATE checkpoints AS mine SET checkpoint = mine.checkpoint || jsonb_build_object('channel_values',"
        " (SELECT checkpoint->'channel_values' FROM checkpoints WHERE thread_id = %(other)s"
        "  ORDER BY checkpoint_id DESC LIMIT 1)) WHERE thread_id = %(run)s",
    ),
    Forgery(
        "an earlier checkpoint of the same run",
        "UPDATE checkpoints AS mine SET checkpoint = mine.checkpoint || jsonb_build_object('channel_values',"
        " (SELECT checkpoint->'channel_values' FROM checkpoints WHERE thread_id = %(run)s"
        "  ORDER BY checkpoint_id LIMIT 1)) WHERE thread_id = %(run)s",
    ),
    Forgery(
        "one bit changed",
        "UPDATE checkpoints SET checkpoint = jsonb_set(checkpoint, '{channel_values,sealed}', to_jsonb("
        "encode(set_bit(decode(checkpoint->'channel_values'->>'sealed', 'base64'), 500,"
        " 1 - get_bit(decode(checkpoint->'channel_values'->>'sealed', 'base64'), 500)), 'base64')))"
        " WHERE thread_id = %(run)s",
    ),
    Forgery(
        "a checkpoint behind another one",
        "UPDATE checkpoints SET parent_checkpoint_id = NULL WHERE thread_id = %(run)s",
    ),
    Forgery(
        "a plain write",
        "UPDATE checkpoint_writes SET type = 'msgpack', blob = '\\xa46d696e65' WHERE thread_id = %(run)s",
    ),
    Forgery(
        "a plain write that claims to be sealed",
        "UPDATE checkpoint_writes SET blob = '\\xa46d696e65' WHERE thread_id = %(run)s",
    ),
    Forgery(
        "another run's write",
        "UPDATE checkpoint_writes AS mine SET blob = (SELECT blob FROM checkpoint_writes"
        " WHERE thread_id = %(other)s AND channel = '__interrupt__' LIMIT 1)"
        " WHERE thread_id = %(run)s AND channel = '__interrupt__'",
    ),
    Forgery(
        "a write in another channel",
        "UPDATE checkpoint_writes SET channel = 'approval' WHERE thread_id = %(run)s",
    ),
)


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda one: one.name)
async def test_what_is_not_this_checkpoint_is_refused(office: Office, forgery: Forgery) -> None:
    run = await ask(office, WANTED)
    other = await ask(office, {**WANTED, "group": "crm-readers"})
    await sql_named(office, forgery.query, run=run, other=other)
    with pytest.raises(NotSealed):
        await latest(office, run)
    with pytest.raises(NotSealed):
        await office.runs.advance(run)
    assert (await latest(office, other)).checkpoint["channel_values"]["run"] == other
    assert (await office.runs.run(run)).status is RunStatus.WAITING


async def sql_named(office: Office, query: str, **values: str) -> None:
    async with office.database.pool.connection() as conn:
        cursor = await conn.execute(query.encode(), values)
        assert cursor.rowcount > 0


async def test_writes_of_one_node_cannot_change_places(office: Office) -> None:
    run = await ask(office, WANTED)
    found = await latest(office, run)
    async with office.database.pool.connection() as conn:
        held = of(run, **{FENCE: await cases.fence_off(conn, run)}, **_id(found))
    await saver(office).aput_writes(held, [("note", "first"), ("note", "second")], "task")
    opened = [value for task, _, value in (await latest(office, run)).pending_writes if task == "task"]
    assert opened == ["first", "second"]
    await sql(office, "UPDATE checkpoint_writes SET idx = 7 WHERE task_id = 'task' AND idx = 0")
    with pytest.raises(NotSealed, match="reordered"):
        await latest(office, run)


def _id(found: Any) -> dict[str, str]:
    return {"checkpoint_id": found.config["configurable"]["checkpoint_id"]}


async def test_a_worker_that_has_lost_its_run_writes_no_checkpoint(office: Office) -> None:
    run = await ask(office, WANTED)
    found = await latest(office, run)
    async with office.database.pool.connection() as conn:
        stale = await cases.fence_off(conn, run)
        current = await cases.fence_off(conn, run)
    before = await saved(office, run)
    late = of(run, **{FENCE: stale}, **_id(found))
    with pytest.raises(Fenced):
        await saver(office).aput(late, {**found.checkpoint, "id": "zz"}, found.metadata, {})
    with pytest.raises(Fenced):
        await saver(office).aput_writes(late, [("approval", "mine")], "task")
    assert await saved(office, run) == before
    held = of(run, **{FENCE: current}, **_id(found))
    await saver(office).aput_writes(held, [("approval", "mine")], "task")
    assert await saved(office, run) != before


async def test_a_worker_that_loses_its_run_in_the_middle_of_a_node_goes_no_further(office: Office) -> None:
    directory = office.connectors.directory
    read = directory.person

    async def overtaken(*args: Any, **given: Any) -> Any:
        for one in await sql(office, "SELECT id FROM run WHERE status = 'checking'"):
            async with office.database.pool.connection() as conn:
                await cases.fence_off(conn, one["id"])
        return await read(*args, **given)

    directory.person = overtaken  # type: ignore[method-assign]  # in the node `check`
    run = await ask(office, WANTED)
    directory.person = read  # type: ignore[method-assign]
    assert (await office.runs.run(run)).status is RunStatus.CHECKING
    assert office.desk.cards == []
    await office.runs.advance(run)
    assert (await office.runs.run(run)).status is RunStatus.WAITING
    assert len(office.desk.cards) == 1


async def test_after_a_rotation_old_checkpoints_open_and_new_ones_have_the_new_key(
    database: Database, database_home: Path, server: Running
) -> None:
    async with open_office(database, database_home, server, keys=KEYS) as office:
        run = await ask(office, WANTED)
        (card,) = office.desk.cards
    rotated = Keys.parse(KEYS.rotated().text())
    async with open_office(database, database_home, server, keys=rotated) as office:
        assert (await latest(office, run, keys=rotated)).checkpoint["channel_values"]["approval"] == card
        assert await click(office, card, "grace.lindqvist") is Answered.RECORDED
        assert (await office.runs.run(run)).status is RunStatus.DONE
        assert await latest(office, run, keys=Keys((rotated.newest,))) is not None
        with pytest.raises(KeyMissing):
            await latest(office, run, keys=KEYS)  # whoever has not been given the new key


async def test_open_runs_of_an_earlier_release_go_on_and_their_checkpoints_are_sealed(office: Office) -> None:
    run = await ask(office, WANTED)
    over = await ask(office, TOO_LONG)
    (card,) = office.desk.cards
    await in_plain(office, run)
    await in_plain(office, over)
    with pytest.raises(NotSealed):
        await latest(office, run)
    async with office.database.pool.connection() as conn:
        assert await saver(office).adopt(conn) == 1
    assert await latest(office, over) is None
    assert await sql(office, "SELECT 1 FROM checkpoint_blobs WHERE thread_id = %s", run) == []
    assert await click(office, card, "grace.lindqvist") is Answered.RECORDED
    assert (await office.runs.run(run)).status is RunStatus.DONE


async def in_plain(office: Office, run: str) -> None:
    """Leave a run's latest checkpoint as LangGraph's saver alone would have."""
    found = await latest(office, run)
    plain = AsyncPostgresSaver(office.database.saver_pool)
    await plain.adelete_thread(run)
    at = of(run, checkpoint_id=None)
    await plain.aput(at, found.checkpoint, found.metadata, found.checkpoint["channel_versions"])
    for task, channel, value in found.pending_writes:
        await plain.aput_writes(found.config, [(channel, value)], task)


async def test_checkpoints_of_a_run_that_has_ended_are_forgotten_after_a_week(office: Office) -> None:
    run = await ask(office, TOO_LONG)
    assert (await office.runs.run(run)).status is RunStatus.REFUSED
    await office.runs.advance(run)  # a second job of the same run
    await office.later(timedelta(days=6))
    assert await latest(office, run) is not None
    (before,) = await sql(office, "SELECT token FROM run WHERE id = %s", run)
    slept = of(run, **{FENCE: before["token"]}, checkpoint_id="c")
    await office.later(timedelta(days=2))
    assert await latest(office, run) is None
    with pytest.raises(Fenced):
        await saver(office).aput_writes(slept, [("approval", "mine")], "task")
    await office.runs.advance(run)
    assert await latest(office, run) is None
    assert (await office.runs.run(run)).status is RunStatus.REFUSED


@dataclass
class Foreign:
    """A type that is on nobody's list."""

    text: str


async def test_a_checkpoint_brings_no_foreign_type_to_life() -> None:
    seal = Seal(KEYS, TENANT)
    assert not isinstance(seal.open(seal.close(Foreign("x"), "here"), "here"), Foreign)
