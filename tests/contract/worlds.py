"""Every operation that is registered, in a universe so small that a bug has nowhere to hide."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import chain, combinations, product
from typing import Any

import pytest

from connectors.base import Mint, Operation, Payload, Result
from connectors.directory import Membership, RemoveFromGroup
from connectors.registry import DirectorySettings, connect
from connectors.sandbox import company

PEOPLE = (company.ADA.id, company.TOMAS.id)
GROUPS = ("billing-db", "crm-readers")
KEY = "run-1/grant"

State = tuple[frozenset[str], ...]  # the members of each group


@dataclass(frozen=True, kw_only=True)
class Case:
    """One example: what the outside world holds, and what the operation is asked to do."""

    state: State
    payload: Payload


@dataclass(frozen=True, kw_only=True)
class World:
    """A universe small enough that a bug has nowhere to hide, and an administrator's view of it."""

    server: Any

    @staticmethod
    def cases() -> Iterator[Case]:
        subsets = [frozenset(some) for some in chain.from_iterable(combinations(PEOPLE, n) for n in range(3))]
        for state, group, person in product(product(subsets, repeat=2), GROUPS, PEOPLE):
            yield Case(state=state, payload=Membership(group=group, person=person))

    def arrange(self, case: Case) -> None:
        for group, members in zip(GROUPS, case.state, strict=True):
            if self.server.members(group) != members:
                self.server.set_members(group, members)

    def state(self) -> State:
        return tuple(self.server.members(group) for group in GROUPS)

    def writes(self) -> int:
        return len(self.server.changes())


WORLDS = {"directory.add_to_group": World, "directory.remove_from_group": World}


async def registered() -> list[str]:
    nowhere = DirectorySettings(url="http://127.0.0.1:9", token="none", write_token="none")
    async with connect(directory=nowhere) as (connectors, _):
        return [operation.name for operation in connectors.registry]


NAMES = asyncio.run(registered())


@dataclass(frozen=True, kw_only=True)
class Bench:
    """An operation in its world, with the mint that lets it act."""

    operation: Operation[Any, Any]
    world: World
    mint: Mint

    async def apply(self, payload: Payload, key: str = KEY) -> Any:
        with self.mint.permit(self.operation.name, payload, key).open():
            return await self.operation.apply(payload, key)

    async def undo(self, payload: Payload, result: Result, key: str = KEY) -> None:
        with self.mint.permit(self.operation.name, payload, key, "undo").open():
            await self.operation.undo(payload, result, key)


async def every_call(bench: Bench, case: Case) -> list[BaseException]:
    """What each method raises; a method that returns is a failure of the test."""
    raised: list[BaseException] = []
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: bench.operation.preview(case.payload),
        lambda: bench.operation.find(case.payload, KEY),
        bench.operation.ping,
        lambda: bench.apply(case.payload),
    ]
    for call in calls:
        with pytest.raises(BaseException) as caught:  # noqa: PT011  # which one it is, is the question
            await call()
        raised.append(caught.value)
    return raised


def needed_case(bench: Bench) -> Case:
    """A case in which the operation has something to do."""
    empty, full = frozenset[str](), frozenset(PEOPLE)
    members = full if isinstance(bench.operation, RemoveFromGroup) else empty
    return Case(state=(members, empty), payload=Membership(group=GROUPS[0], person=PEOPLE[0]))
