"""Abuse of every operation and workflow; `make figures ARGS=abuse` tries the whole matrix."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest import mock

import pytest

from connectors.registry import DirectorySettings, connect
from connectors.sandbox import process
from graphs import admission, recorded
from graphs.policy import views
from graphs.policy.engine import Policy
from graphs.ports import Connection
from graphs.records import Approval
from tests import histories
from tests.abuse import between, emergencies, matrix, payloads, people, records
from tests.abuse.arena import Arena
from tests.abuse.grounds import opened
from tests.abuse.records import FIELDS, leaves
from tests.abuse.scenes import OPERATIONS, WORKFLOWS, scenes, workflows

SEED, EMERGENCIES, FROM_SLACK, HISTORIES, BETWEEN, LIVES = 24, 6, 8, 15, 12, 5


async def _registered() -> set[str]:
    nowhere = DirectorySettings(url="http://127.0.0.1:9", token="none", write_token="none")
    async with connect(directory=nowhere) as (connectors, _):
        return {operation.name for operation in connectors.registry}


async def _believed(conn: Connection, found: Approval, **_: object) -> Approval:
    return found


@asynccontextmanager
async def arena(home: Path, state: Path, policy: Policy | None = None) -> AsyncIterator[Arena]:
    async with process.directory(state, faults=True) as server, opened(home, server, policy=policy) as found:
        try:
            yield found
        finally:
            await found.owner("UPDATE clock SET shift = interval '0'")


def test_every_operation_and_every_workflow_that_people_ask_for_is_abused() -> None:
    assert asyncio.run(_registered()) == set(OPERATIONS)
    asked_for = {one.name for one in workflows() if one.fields and not one.name.startswith("any ")}
    assert asked_for == {*WORKFLOWS, emergencies.SCENE.workflow}
    assert {one.operation for one in scenes()} == set(OPERATIONS)
    assert len(matrix.ABUSES) == len({one.__name__ for one in matrix.ABUSES}) >= 40


async def test_an_honest_request_has_its_effect_and_each_of_its_fields_is_abused(
    database_home: Path, tmp_path: Path
) -> None:
    async with arena(database_home, tmp_path / "directory") as found:
        for scene in scenes():
            assert await matrix.honest(found, scene) == 1, scene
            asked = await found.ask()
            ((action,),) = await found.rows("SELECT action FROM approval WHERE id = %s", asked.card)
            assert set(leaves(action)) == set(FIELDS), "an abuse for each field that an approval is bound to"


async def test_rows_alone_let_nothing_through_the_gate(
    database_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forged = [
        records.nobody_clicks_and_the_votes_say_that_they_did,
        records.a_denial_is_turned_into_an_approval,
    ]
    async with arena(database_home, tmp_path / "directory") as found:
        assert [(await matrix.attempt(found, scenes()[0], abuse)).landed for abuse in forged] == [0, 0]
        monkeypatch.setattr(admission, "_require_recorded", mock.Mock())
        monkeypatch.setattr(recorded, "approval", _believed)
        landed = [(await matrix.attempt(found, scenes()[0], abuse)).landed for abuse in forged]
    assert landed == [1, 1], "it is the record that stops them"


async def test_nothing_that_changes_between_two_reads_gives_a_right(
    database_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked = between.CHANGES[0]
    async with arena(database_home, tmp_path / "directory") as found:
        counted = {scene.name: await between.reads(found, scene) for scene in scenes()}
        chosen = random.Random(SEED).sample(between.cases(counted), BETWEEN)
        tried = [await between.attempt(found, *case) for case in chosen]
        reads = await between.life_reads(found)
        for kind in between.SHOWN:
            tried += [await between.life(found, kind, at) for at in (1, reads - LIVES)]
        monkeypatch.setattr(views, "names", lambda actor, people: actor.identities)
        planted = await between.attempt(found, scenes()[0], linked, 1)
    assert [one for one in tried if one.wrongful] == []
    assert planted.wrongful == 1, "what was true when it was asked for is not enough"


async def test_no_abuse_makes_one_person_enough_in_an_emergency(database_home: Path, tmp_path: Path) -> None:
    async with arena(database_home, tmp_path / "directory") as found:
        assert await matrix.honest(found, emergencies.SCENE) == 1
        asked = await found.ask()
        ((action,),) = await found.rows("SELECT action FROM approval WHERE id = %s", asked.card)
        assert set(leaves(action)) == set(emergencies.FIELDS)
        chosen = random.Random(SEED).sample(emergencies.ABUSES[5:], EMERGENCIES)
        tried = [
            await matrix.attempt(found, emergencies.SCENE, abuse)
            for abuse in (*emergencies.ABUSES[:5], *chosen)
        ]
    assert [one for one in tried if one.wrongful] == []


async def test_no_request_from_slack_or_as_if_from_it_does_what_no_approver_has_clicked(
    database_home: Path, tmp_path: Path
) -> None:
    chosen = random.Random(SEED).sample(payloads.ABUSES, FROM_SLACK)
    async with arena(database_home, tmp_path / "directory") as found:
        seen = await matrix.attempt(found, scenes()[0], payloads.the_card_was_edited)
        tried = [await matrix.attempt(found, scenes()[0], abuse) for abuse in chosen]
    assert seen.landed == 1, "an approver's click does what is on record"
    assert [one for one in tried if one.wrongful] == []


async def test_random_histories_keep_the_promises(database_home: Path, tmp_path: Path) -> None:
    async with arena(database_home, tmp_path / "directory") as found:
        played = [await histories.play(found, seed) for seed in range(HISTORIES)]
    assert [one for one in played if one.wrong] == []
    assert sum(one.effects for one in played) >= 1


async def test_a_planted_hole_is_found(database_home: Path, tmp_path: Path) -> None:
    shipped = Policy.shipped()
    own = (
        "principal.identities.containsAny(resource.requester) ||\n"
        "  principal.identities.containsAny(resource.beneficiary)"
    )
    assert own in shipped.text
    planted = Policy(schema=shipped.schema, text=shipped.text.replace(own, "false", 1))
    async with arena(database_home, tmp_path / "directory", planted) as found:
        tried = [
            await matrix.attempt(found, scene, people.the_requester_decides_from_a_linked_account)
            for scene in scenes()
        ]
        history = await histories.play(found, 11)  # in which a requester changes what they have asked for
    assert all(one.landed == one.wrongful == 1 for one in tried)
    assert history.wrong
