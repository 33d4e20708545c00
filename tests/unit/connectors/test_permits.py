"""A permit cannot be had but from the one mint, and lets exactly one act through."""

import asyncio
import copy
import dataclasses
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors import permits
from connectors.base import Change, Health, Mint, Operation, Payload, Permit, Result, canonical, digest, parse
from connectors.errors import Invalid, NotPermitted, Unavailable
from connectors.permits import Grant, running_act


class Note(Payload):
    text: str
    count: int = 0


class Written(Result):
    text: str


class Write(Operation[Note, Written]):
    """Writes into a list, and asks under which act it runs, as a transport does."""

    name = "notes.write"
    effect = "write"
    repeat = "findable"
    scope = "notes:write"

    def __init__(self) -> None:
        self.notes: list[str] = []

    async def preview(self, data: Note) -> Change:
        return Change(target="notes", before="", after=data.text, needed=True)

    async def find(self, data: Note, key: str) -> Written | None:
        return Written(text=data.text) if data.text in self.notes else None

    async def apply(self, data: Note, key: str) -> Written:
        assert running_act() == Grant(operation=self.name, digest=digest(data), key=key, act="apply")
        await asyncio.sleep(0)
        self.notes.append(data.text)
        return Written(text=data.text)

    async def undo(self, data: Note, result: Written, key: str) -> None:
        assert running_act().act == "undo"
        self.notes.remove(result.text)

    async def ping(self) -> Health:
        return Health(system="notes", detail="here")


@pytest.fixture
def mint() -> Iterator[Mint]:
    mint = Mint()
    yield mint
    mint.retire()


NOTE = Note(text="hello")


async def test_an_act_runs_under_its_permit_and_only_once(mint: Mint) -> None:
    write = Write()

    with mint.permit("notes.write", NOTE, "k").open():
        result = await write.apply(NOTE, "k")
        with pytest.raises(NotPermitted):
            await write.apply(NOTE, "k")
    with mint.permit("notes.write", NOTE, "k", "undo").open():
        await write.undo(NOTE, result, key="k")

    assert result == Written(text="hello")
    assert write.notes == []


@pytest.mark.parametrize(
    "wrong",
    [
        ("notes.read", NOTE, "k", "apply"),
        ("notes.write", Note(text="hello", count=1), "k", "apply"),
        ("notes.write", NOTE, "k2", "apply"),
        ("notes.write", NOTE, "k", "undo"),
    ],
)
async def test_a_permit_for_anything_else_does_not_serve(mint: Mint, wrong: Any) -> None:
    write = Write()
    with mint.permit(*wrong).open(), pytest.raises(NotPermitted):
        await write.apply(NOTE, "k")
    assert write.notes == []


async def test_a_refused_act_does_not_use_the_permit_up(mint: Mint) -> None:
    write = Write()
    with mint.permit("notes.write", NOTE, "k").open():
        with pytest.raises(NotPermitted):
            await write.apply(NOTE, "another")
        await write.apply(NOTE, "k")
    assert write.notes == ["hello"]


async def test_no_permit_no_act(mint: Mint) -> None:
    write = Write()
    mint.permit("notes.write", NOTE, "k")  # issued, and not open
    with pytest.raises(NotPermitted):
        await write.apply(NOTE, "k")
    with pytest.raises(NotPermitted):
        await write.undo(NOTE, Written(text="hello"), "k")


async def test_a_permit_ends_with_its_block_also_for_tasks_started_inside(mint: Mint) -> None:
    write = Write()
    late = asyncio.Event()

    async def afterwards() -> None:
        await late.wait()
        await write.apply(NOTE, "k")

    permit = mint.permit("notes.write", NOTE, "k")
    with permit.open():
        task = asyncio.create_task(afterwards())
        await asyncio.sleep(0)
    late.set()

    with pytest.raises(NotPermitted):
        await task
    with pytest.raises(NotPermitted), permit.open():
        pass


async def test_two_tasks_cannot_share_a_permit(mint: Mint) -> None:
    write = Write()
    with mint.permit("notes.write", NOTE, "k").open():
        ends = await asyncio.gather(write.apply(NOTE, "k"), write.apply(NOTE, "k"), return_exceptions=True)

    assert [type(end) for end in ends] == [Written, NotPermitted]
    assert write.notes == ["hello"]


async def test_an_act_that_fails_has_used_its_permit(mint: Mint) -> None:
    class Fails(Write):
        async def apply(self, data: Note, key: str) -> Written:
            raise Invalid("no")

    with mint.permit("notes.write", NOTE, "k").open():
        with pytest.raises(Invalid):
            await Fails().apply(NOTE, "k")
        with pytest.raises(NotPermitted):
            await Write().apply(NOTE, "k")


async def test_an_act_may_call_its_own_super_and_nothing_else(mint: Mint) -> None:
    class Careful(Write):
        async def apply(self, data: Note, key: str) -> Written:
            with pytest.raises(NotPermitted):
                await super().apply(Note(text="another"), key)
            with pytest.raises(NotPermitted):
                await self.undo(data, Written(text=data.text), key)
            return await super().apply(data, key)

    careful = Careful()
    with mint.permit("notes.write", NOTE, "k").open():
        await careful.apply(NOTE, "k")
    assert careful.notes == ["hello"]


def test_nothing_runs_outside_of_an_act() -> None:
    with pytest.raises(NotPermitted):
        running_act()


def test_a_permit_cannot_be_built_copied_or_sent(mint: Mint) -> None:
    permit = mint.permit("notes.write", NOTE, "k")

    for forge in (
        Permit,
        lambda: copy.copy(permit),
        lambda: copy.deepcopy(permit),
        lambda: pickle.dumps(permit),
        lambda: object.__new__(Permit).open().__enter__(),
        lambda: object.__new__(Permit).grant,
    ):
        with pytest.raises(NotPermitted):
            forge()
    for attribute in ("grant", "state"):
        with pytest.raises(AttributeError):
            setattr(permit, attribute, "changed")
    with pytest.raises(dataclasses.FrozenInstanceError):
        permit.grant.key = "changed"  # type: ignore[misc]  # that it cannot be, is the point


def test_nobody_opens_a_second_mint(mint: Mint) -> None:
    with pytest.raises(NotPermitted):
        Mint()


async def test_the_permits_of_a_retired_mint_are_worthless() -> None:
    first = Mint()
    permit = first.permit("notes.write", NOTE, "k")
    opened = permit.open()
    other = first.permit("notes.write", NOTE, "k")
    with other.open():
        first.retire()
        with pytest.raises(NotPermitted):
            await Write().apply(NOTE, "k")
    second = Mint()
    try:
        with pytest.raises(NotPermitted), opened:
            pass
        with pytest.raises(NotPermitted):
            first.permit("notes.write", NOTE, "k")
    finally:
        second.retire()


def test_the_guard_leaves_no_way_around_itself() -> None:
    assert not hasattr(Write.apply, "__wrapped__")
    assert not hasattr(Write.undo, "__wrapped__")


def test_a_permit_needs_a_key(mint: Mint) -> None:
    with pytest.raises(Invalid):
        mint.permit("notes.write", NOTE, "")


# Digests.


class Wide(Payload):
    number: int = 0
    amount: Decimal = Decimal(0)
    when: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    words: tuple[str, ...] = ()
    table: dict[str, str] = {}  # noqa: RUF012  # pydantic copies it


@given(
    st.builds(Wide, number=st.integers(-(2**53) + 1, 2**53 - 1), words=st.lists(st.text()).map(tuple)),
    st.builds(Wide, number=st.integers(-(2**53) + 1, 2**53 - 1), words=st.lists(st.text()).map(tuple)),
)
def test_equal_payloads_have_equal_digests_and_others_have_not(one: Wide, other: Wide) -> None:
    assert (digest(one) == digest(other)) is (one == other)
    assert digest(Wide.model_validate_json(one.model_dump_json())) == digest(one)


def test_the_canonical_form_is_sorted_json_without_spaces() -> None:
    payload = Wide(number=3, amount=Decimal("1.50"), table={"b": "2", "a": "1"})
    assert canonical(payload) == (
        b'{"amount":"1.50","number":3,"table":{"a":"1","b":"2"},"when":"2026-01-01T00:00:00Z","words":[]}'
    )


def test_what_has_no_single_form_is_refused() -> None:
    class Loose(Payload):
        value: Any

    for value in (1.5, {"a", "b"}, frozenset("a"), b"x", {"deep": [1.5]}, 2**60, "\ud800"):
        with pytest.raises(Invalid):
            digest(Loose(value=value))


# Declarations and payloads.


def test_payloads_are_closed_and_frozen() -> None:
    with pytest.raises(ValidationError):
        Note.model_validate({"text": "x", "surplus": 1})
    with pytest.raises(ValidationError):
        NOTE.text = "changed"  # type: ignore[misc]  # that it cannot be, is the point


def test_a_payload_comes_back_from_json_or_is_refused_without_repeating_it() -> None:
    write = Write()
    assert parse(write, NOTE.model_dump(mode="json")) == NOTE
    with pytest.raises(Invalid) as caught:
        parse(write, {"text": 5, "secret": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_an_operation_knows_its_payload_and_result() -> None:
    assert (Write.payload, Write.result) == (Note, Written)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("name", "nodot"), ("effect", "maybe"), ("repeat", "often"), ("scope", "")],
)
def test_an_operation_that_does_not_declare_itself_is_refused(attribute: str, value: Any) -> None:
    with pytest.raises(TypeError):
        type("Careless", (Write,), {attribute: value})


async def test_what_a_permit_allows_is_sent_within_its_lease_or_not_at_all(
    mint: Mint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that was stopped meanwhile may have lost its run to another."""
    write, later = Write(), permits.time.monotonic() + permits.LEASE + 1
    with mint.permit("notes.write", NOTE, "k").open():
        monkeypatch.setattr(permits.time, "monotonic", lambda: later)
        with pytest.raises(Unavailable):
            await write.apply(NOTE, "k")
    assert write.notes == []
