"""The contract of every operation that is registered, against real servers and in small universes.

An operation joins by registering; without a world to run it in, the first test here fails. The checks are
functions of an operation, so that the last tests can run them on operations with a planted bug.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.base import Health, Mint, Permit
from connectors.directory import Added, AddToGroup, Membership
from connectors.errors import Ambiguous, ConnectorError, Denied, NotPermitted, Unavailable, Unreadable
from connectors.registry import Connectors, connect
from connectors.sandbox import company
from tests.contract.worlds import (
    GROUPS,
    KEY,
    NAMES,
    PEOPLE,
    WORLDS,
    Bench,
    Case,
    World,
    every_call,
    needed_case,
)


def test_every_registered_operation_has_a_world_and_no_world_is_idle() -> None:
    assert set(NAMES) == set(WORLDS)


# The contract: each check is about one example.


async def reading_writes_nothing(bench: Bench, case: Case) -> None:
    before, writes = bench.world.state(), bench.world.writes()
    await bench.operation.preview(case.payload)
    await bench.operation.find(case.payload, KEY)
    await bench.operation.ping()
    assert (bench.world.state(), bench.world.writes()) == (before, writes)


async def preview_says_what_apply_does(bench: Bench, case: Case) -> None:
    before = bench.world.state()
    change = await bench.operation.preview(case.payload)
    await bench.apply(case.payload)
    assert (bench.world.state() != before) is change.needed
    assert (change.before != change.after) is change.needed
    then = await bench.operation.preview(case.payload)
    assert not then.needed
    assert then.before == change.after


async def twice_with_one_key_equals_once(bench: Bench, case: Case) -> None:
    writes = bench.world.writes()
    await bench.apply(case.payload)
    once = bench.world.state(), bench.world.writes()
    await bench.apply(case.payload)
    assert (bench.world.state(), bench.world.writes()) == once
    assert once[1] <= writes + 1


async def find_sees_what_apply_did(bench: Bench, case: Case) -> None:
    needed = (await bench.operation.preview(case.payload)).needed
    assert (await bench.operation.find(case.payload, KEY) is None) is needed
    result = await bench.apply(case.payload)
    found = await bench.operation.find(case.payload, KEY)
    if needed:
        assert found == result
    else:
        assert found is not None


async def undo_restores(bench: Bench, case: Case) -> None:
    before = bench.world.state()
    result = await bench.apply(case.payload)
    await bench.undo(case.payload, result)
    assert bench.world.state() == before
    writes = bench.world.writes()
    await bench.undo(case.payload, result)
    assert (bench.world.state(), bench.world.writes()) == (before, writes)


async def results_survive_json(bench: Bench, case: Case) -> None:
    operation = bench.operation
    result = await bench.apply(case.payload)
    assert operation.result.model_validate_json(result.model_dump_json()) == result
    assert operation.payload.model_validate_json(case.payload.model_dump_json()) == case.payload


Check = Callable[[Bench, Case], Awaitable[None]]
CHECKS: list[Check] = [
    reading_writes_nothing,
    preview_says_what_apply_does,
    twice_with_one_key_equals_once,
    find_sees_what_apply_did,
    undo_restores,
    results_survive_json,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@given(data=st.data())
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_contract(bench: Bench, check: Check, data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(list(bench.world.cases())))
    bench.world.arrange(case)
    await check(bench, case)


# The contract when the outside world is unkind.


@pytest.mark.parametrize(
    ("change", "expected"),
    [({"token": "not-the-token-at-all"}, Denied), ({"url": "http://127.0.0.1:9/v2"}, Unavailable)],
    ids=["a refused credential is Denied", "an unreachable server is Unavailable"],
)
async def test_every_method_says_why_it_cannot(
    name: str, server: Any, change: dict[str, str], expected: type[ConnectorError]
) -> None:
    async with connect(directory=replace(server.settings, **change)) as (connectors, mint):
        operation = connectors.registry.operation(name)
        bench = Bench(operation=operation, world=WORLDS[name](server=server), mint=mint)
        case = needed_case(bench)
        bench.world.arrange(case)
        writes = bench.world.writes()

        assert [type(error) for error in await every_call(bench, case)] == [expected] * 4
        assert bench.world.writes() == writes


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "down"}, Unavailable),
        ({"kind": "rate_limited", "seconds": 7}, Unavailable),
        ({"kind": "denied"}, Denied),
        ({"kind": "drop_before"}, Unavailable),
        ({"kind": "delay_before", "seconds": 3}, Unavailable),
        ({"kind": "garbage"}, Unreadable),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else value.__name__,
)
async def test_no_class_of_a_library_escapes_when_the_server_misbehaves(
    name: str, server: Any, fault: dict[str, Any], expected: type[ConnectorError]
) -> None:
    async with connect(directory=replace(server.settings, timeout=0.3)) as (connectors, mint):
        operation = connectors.registry.operation(name)
        bench = Bench(operation=operation, world=WORLDS[name](server=server), mint=mint)
        case = needed_case(bench)
        bench.world.arrange(case)
        server.arm(**fault, times=0)

        errors = await every_call(bench, case)

        assert [type(error) for error in errors] == [expected] * 4
        if fault["kind"] == "rate_limited":
            assert {getattr(error, "retry_after", None) for error in errors} == {7.0}


@pytest.mark.parametrize("act", ["apply", "undo"])
@pytest.mark.parametrize(
    ("kind", "written"),
    [("delay_after", True), ("error_after", True), ("drop_after", True), ("drop_before", False)],
)
async def test_a_write_without_an_answer_is_ambiguous_and_found_by_looking(
    name: str, server: Any, kind: str, act: Literal["apply", "undo"], *, written: bool
) -> None:
    async with connect(directory=replace(server.settings, timeout=1.0)) as (connectors, mint):
        operation = connectors.registry.operation(name)
        bench = Bench(operation=operation, world=WORLDS[name](server=server), mint=mint)
        case = needed_case(bench)
        bench.world.arrange(case)
        result = await bench.apply(case.payload) if act == "undo" else None
        before, writes = bench.world.state(), bench.world.writes()
        server.arm(kind, on="write", seconds=3)

        with pytest.raises(Ambiguous):
            await (bench.undo(case.payload, result) if result else bench.apply(case.payload))

        assert (bench.world.state() != before) is written
        assert bench.world.writes() == writes + written
        found = await bench.operation.find(case.payload, KEY)
        assert (found is not None) is (written if act == "apply" else not written)
        if result:
            await bench.undo(case.payload, result)
        else:
            await bench.apply(case.payload)
        assert bench.world.writes() == writes + 1  # tried again, and still one change


# Permits, at the real operations.


async def test_nothing_is_written_without_a_permit(bench: Bench) -> None:
    case = needed_case(bench)
    bench.world.arrange(case)
    before = bench.world.state(), bench.world.writes()
    other = Membership(group=GROUPS[1], person=PEOPLE[0])
    name, mint = bench.operation.name, bench.mint
    wrong: list[Permit] = [
        mint.permit("directory.other", case.payload, KEY),
        mint.permit(name, other, KEY),
        mint.permit(name, case.payload, "another key"),
        mint.permit(name, case.payload, KEY, "undo"),
    ]

    with pytest.raises(NotPermitted):
        await bench.operation.apply(case.payload, KEY)
    for permit in wrong:
        with permit.open(), pytest.raises(NotPermitted):
            await bench.operation.apply(case.payload, KEY)

    assert (bench.world.state(), bench.world.writes()) == before


async def test_a_permit_lets_one_act_through_and_no_second(bench: Bench) -> None:
    case = needed_case(bench)
    bench.world.arrange(case)
    permit = bench.mint.permit(bench.operation.name, case.payload, KEY)

    with permit.open():
        result = await bench.operation.apply(case.payload, KEY)
        with pytest.raises(NotPermitted):
            await bench.operation.apply(case.payload, KEY)
        with pytest.raises(NotPermitted):
            await bench.operation.undo(case.payload, result, KEY)
    with pytest.raises(NotPermitted), permit.open():
        pass


# Planted bugs: the suite must be able to fail.


class UndoDoesNothing(AddToGroup):
    async def undo(self, data: Membership, result: Added, key: str) -> None:
        pass


class UndoRemovesEarlierMembers(AddToGroup):
    async def undo(self, data: Membership, result: Added, key: str) -> None:
        await super().undo(data, result.model_copy(update={"changed": True}), key)


class FindIsBlind(AddToGroup):
    async def find(self, data: Membership, key: str) -> Added | None:
        return None


class FindIsDeluded(AddToGroup):
    async def find(self, data: Membership, key: str) -> Added | None:
        return Added(group=company.record_id("Group", data.group), person=data.person, changed=True)


class ApplyTakesAnotherPerson(AddToGroup):
    async def apply(self, data: Membership, key: str) -> Added:
        group = await self._directory.group_by_name(data.group)
        other = next(person for person in PEOPLE if person != data.person)
        await self._directory.set_member(group.id, other, member=True)
        return Added(group=group.id, person=data.person, changed=True)


class ApplyTogglesMembership(AddToGroup):
    async def apply(self, data: Membership, key: str) -> Added:
        group = await self._directory.group_by_name(data.group)
        member = data.person not in group.members
        await self._directory.set_member(group.id, data.person, member=member)
        return Added(group=group.id, person=data.person, changed=True)


class PreviewWrites(AddToGroup):
    async def preview(self, data: Membership) -> Any:
        group = await self._directory.group_by_name(data.group)
        await self._directory.set_member(group.id, data.person, member=True)
        return await super().preview(data)


class PingLies(AddToGroup):
    async def ping(self) -> Health:
        return Health(system="directory", detail="surely up")


@pytest.mark.parametrize(
    ("planted", "check", "caught"),
    [
        (UndoDoesNothing, undo_restores, AssertionError),
        (UndoRemovesEarlierMembers, undo_restores, AssertionError),
        (FindIsBlind, find_sees_what_apply_did, AssertionError),
        (FindIsDeluded, find_sees_what_apply_did, AssertionError),
        (ApplyTakesAnotherPerson, preview_says_what_apply_does, AssertionError),
        (ApplyTogglesMembership, twice_with_one_key_equals_once, AssertionError),
        (PreviewWrites, reading_writes_nothing, NotPermitted),  # caught before it could write
    ],
    ids=lambda value: value.__name__,
)
async def test_a_planted_bug_is_caught(
    planted: type[AddToGroup],
    check: Check,
    caught: type[Exception],
    connected: tuple[Connectors, Mint],
    server: Any,
) -> None:
    connectors, mint = connected
    groups = connectors.registry.operation(AddToGroup.name)._directory  # type: ignore[attr-defined]  # it writes
    bench = Bench(operation=planted(groups), world=World(server=server), mint=mint)

    async def until_caught() -> None:
        for case in bench.world.cases():
            bench.world.arrange(case)
            await check(bench, case)

    with pytest.raises(caught):
        await until_caught()


async def test_the_credential_that_reads_changes_nothing(name: str, server: Any) -> None:
    only_reads = replace(server.settings, write_token=server.settings.token)
    async with connect(directory=only_reads) as (connectors, mint):
        operation = connectors.registry.operation(name)
        bench = Bench(operation=operation, world=WORLDS[name](server=server), mint=mint)
        case = needed_case(bench)
        bench.world.arrange(case)
        writes = bench.world.writes()
        assert (await operation.preview(case.payload)).needed
        with pytest.raises(Denied), mint.permit(name, case.payload, "k", "apply").open():
            await operation.apply(case.payload, "k")
        assert bench.world.writes() == writes


async def test_what_the_rest_of_the_bot_is_given_of_the_directory_only_reads(
    connected: tuple[Connectors, Mint],
) -> None:
    connectors, _ = connected
    group = await connectors.directory.group_by_name("billing-db")
    with pytest.raises(Denied, match="only reads"):
        await connectors.directory.set_member(group.id, company.ADA.id, member=True)


async def test_a_ping_that_lies_is_caught(server: Any) -> None:
    async with connect(directory=replace(server.settings, token="not-the-token-at-all")) as (
        connectors,
        mint,
    ):
        liar = PingLies(connectors.directory)
        bench = Bench(operation=liar, world=World(server=server), mint=mint)
        with pytest.raises(pytest.fail.Exception):
            await every_call(bench, needed_case(bench))
