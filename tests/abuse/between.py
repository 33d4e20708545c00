"""What changes in the directory between two reads: every change at every read that a request makes.

The reads are found by running each scene once and counting. A change that takes a right away must have its
way if it comes before the last time that people were read, which is before the intent is written; one that
gives nobody a right changes nothing, and holds up nobody.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from connectors.directory.scim import Scim
from connectors.http import Answer
from connectors.sandbox import company
from graphs import rights
from graphs.workflows.it_access import ItAccess
from tests.abuse.anything import APPROVERS
from tests.abuse.arena import ADA, BEN, GRACE, PATCH, TOMAS, Arena, Asked
from tests.abuse.matrix import Tried
from tests.abuse.scenes import Scene, scenes

EMPLOYEE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber"
Act = Callable[[Arena, Asked], Awaitable[None]]


@dataclass(kw_only=True)
class Watch:
    """Counts the reads of a directory, and lets something happen just before one of them."""

    at: int = 0  # the read before which it happens, counted from 1
    happens: Callable[[], Awaitable[None]] | None = None
    shows: "Shows | None" = None  # what an answer becomes, from that read on
    reads: int = 0
    people: int = 0  # the first read of the last reading of people

    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def before(self) -> None:
        """Count a read. Whatever is read at the same time waits until what happens before it has happened."""
        async with self._one:
            self.reads += 1
            if self.reads == self.at and self.happens is not None:
                await self.happens()


@asynccontextmanager
async def watched(arena: Arena) -> AsyncIterator[Watch]:
    """Watch the arena's directory."""
    watch, whole = Watch(), rights._all
    clients = [one._client for one in _scims(arena)]
    requests = [client.request for client in clients]

    def counted(
        request: Callable[..., Awaitable[Answer]],
    ) -> Callable[..., Awaitable[Answer]]:
        async def counting(method: str, path: str, **kwargs: Any) -> Answer:
            if method == "GET":
                await watch.before()
            answer = await request(method, path, **kwargs)
            if method == "GET" and watch.shows is not None:
                return watch.shows(f"{path} {kwargs}", answer, watch.reads >= watch.at)
            return answer

        return counting

    async def reading(*given: Any) -> Any:
        watch.people = watch.reads + 1
        return await whole(*given)

    for client, request in zip(clients, requests, strict=True):
        client.request = counted(request)  # type: ignore[method-assign]  # put back below
    rights._all = reading
    try:
        yield watch
    finally:
        rights._all = whole
        for client, request in zip(clients, requests, strict=True):
            client.request = request  # type: ignore[method-assign]  # as it was


def _scims(arena: Arena) -> list[Scim]:
    directory = arena.connectors.directory
    return [one for one in (directory._scim, directory._writer) if one is not None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """Something that somebody does in the directory, and who clicks."""

    name: str
    act: Act
    who: str
    takes: bool = False  # whether it takes from `who`, or from whoever asked, what they need
    allowed: bool = True  # whether `who` may decide without it


async def _linked(arena: Arena, asked: Asked) -> None:
    for email in (ADA, GRACE):
        await _set(arena, "Users", _person(email), EMPLOYEE, "E42")


async def _left(arena: Arena, asked: Asked) -> None:
    await arena.members(APPROVERS, BEN)


async def _deactivated(arena: Arena, asked: Asked) -> None:
    await arena.activate(GRACE, False)


async def _requester_deactivated(arena: Arena, asked: Asked) -> None:
    await arena.activate(ADA, False)


def _twin(name: str) -> Act:
    async def founded(arena: Arena, asked: Asked) -> None:
        arena.founded.append(await arena._make(name, [{"value": _person(TOMAS)}]))

    return founded


async def _exchanged(arena: Arena, asked: Asked) -> None:
    twin = await arena._make("newcomers", [{"value": _person(TOMAS)}])
    arena.founded.append(twin)
    await _set(arena, "Groups", _group(APPROVERS), "displayName", "former owners")
    await _set(arena, "Groups", twin, "displayName", APPROVERS)


async def _target_twin(arena: Arena, asked: Asked) -> None:
    arena.founded.append(await arena._make(asked.target, []))


async def _target_renamed(arena: Arena, asked: Asked) -> None:
    await _set(arena, "Groups", arena.watched[asked.target], "displayName", f"{asked.target} renamed")
    arena.watched[f"{asked.target} renamed"] = arena.watched[asked.target]


CHANGES: tuple[Change, ...] = (
    Change(name="accounts are linked", act=_linked, who=GRACE, takes=True),
    Change(name="the approver leaves the group", act=_left, who=GRACE, takes=True),
    Change(name="the approver is deactivated", act=_deactivated, who=GRACE, takes=True),
    Change(name="the requester is deactivated", act=_requester_deactivated, who=GRACE, takes=True),
    Change(name="a group is called as the approvers' is", act=_twin(APPROVERS), who=TOMAS, allowed=False),
    Change(name="so, but for the case", act=_twin(APPROVERS.upper()), who=TOMAS, allowed=False),
    Change(name="groups exchange names", act=_exchanged, who=TOMAS, allowed=False),
    Change(name="groups exchange names, and an approver clicks", act=_exchanged, who=GRACE),
    Change(name="a group is called so, and an approver clicks", act=_twin(APPROVERS), who=GRACE),
    Change(name="a group is called as the one that is asked for", act=_target_twin, who=GRACE),
    Change(name="the group that is asked for is renamed", act=_target_renamed, who=GRACE),
)


async def reads(arena: Arena, scene: Scene) -> int:
    """Return how many reads a click and what follows it make in a scene, when nothing changes."""
    await arena.begin(scene)
    asked = await arena.ask()
    async with watched(arena) as watch:
        await arena.click(asked.card, GRACE)
        await arena.work()
    assert await arena.landed() == 1
    return watch.reads


async def attempt(arena: Arena, scene: Scene, change: Change, at: int) -> Tried:
    """Let the change happen before that read, and count the effects at the server."""
    await arena.begin(scene)
    asked = await arena.ask()
    arena.founded.clear()
    try:
        async with watched(arena) as watch:

            async def happens() -> None:
                await change.act(arena, asked)

            watch.at, watch.happens = at, happens
            await arena.click(asked.card, change.who)
            await arena.work()
            came = watch.reads >= at
            before = came and at <= watch.people
            await arena.later(timedelta(minutes=11))
        landed = await arena.landed()
    finally:
        await _put_right(arena)
    rightful = int(change.allowed and not (change.takes and before))
    held_up = change.allowed and not change.takes and landed == 0
    return Tried(
        abuse=f"{change.name}, before read {at}",
        scene=scene.name,
        landed=landed,
        rightful=rightful,
        objection="a rightful request was held up" if held_up else "",
    )


# What the directory shows.

Shows = Callable[[str, Answer, bool], Answer]  # question, answer, whether the time has come


def _without_members() -> Shows:
    """Groups are shown without the requester among their members: a list that was cut short."""

    def shows(question: str, answer: Answer, come: bool) -> Answer:
        return _with(answer, _cut) if come and "/Groups" in question else answer

    return shows


def _without_groups() -> Shows:
    """A search for groups finds none, and announces none: a filter that the server does not keep."""

    nothing = {"Resources": [], "totalResults": 0}

    def shows(question: str, answer: Answer, come: bool) -> Answer:
        searched = come and question.startswith("/Groups ") and "members" in question
        return _with(answer, lambda data: {**data, **nothing}) if searched else answer

    return shows


def _as_before() -> Shows:
    """Every question has the answer that it had before: a replica that lags behind."""
    earlier: dict[str, Answer] = {}

    def shows(question: str, answer: Answer, come: bool) -> Answer:
        return earlier.setdefault(question, answer) if come else earlier.update({question: answer}) or answer

    return shows


SHOWN: Mapping[str, Callable[[], Shows]] = {
    "a list of members is cut short": _without_members,
    "a search for somebody's groups finds none": _without_groups,
    "the directory lags behind": _as_before,
}
DAYS = timedelta(days=3, hours=1)


async def life(arena: Arena, kind: str, at: int) -> Tried:
    """Lend a membership and end it while the directory shows that from a read on; what is said, and is so?

    Wrong is what people are told that is not so, and an access that stays after the directory is right again.
    """
    scene = next(one for one in scenes() if one.workflow == ItAccess.name)
    await arena.begin(scene)
    asked = await arena.ask()
    arena.desk.told.clear()
    async with watched(arena) as watch:
        watch.at, watch.shows = at, SHOWN[kind]()
        await arena.click(asked.card, GRACE)
        await arena.work()
        objection = await _false(arena, asked, "granted", member=True)
        await arena.later(DAYS)
        objection = objection or await _false(arena, asked, "revoked", member=False)
    for _ in range(3):
        await arena.later(timedelta(hours=1, minutes=1))
    if not objection and await _is_member(arena, asked):
        objection = "the access stays"
    return Tried(
        abuse=f"{kind}, from read {at} on", scene=scene.name, landed=0, rightful=0, objection=objection
    )


async def life_reads(arena: Arena) -> int:
    """Return how many reads a membership takes from the click to its end, when nothing is amiss."""
    scene = next(one for one in scenes() if one.workflow == ItAccess.name)
    await arena.begin(scene)
    asked = await arena.ask()
    async with watched(arena) as watch:
        await arena.click(asked.card, GRACE)
        await arena.work()
        await arena.later(DAYS)
    assert not await _is_member(arena, asked)
    return watch.reads


async def _false(arena: Arena, asked: Asked, key: str, *, member: bool) -> str:
    told = any(notice.key == key for _, notice in arena.desk.told)
    return f"{key} is said, and is not so" if told and await _is_member(arena, asked) is not member else ""


async def _is_member(arena: Arena, asked: Asked) -> bool:
    return _person(ADA) in (await arena.group(asked.target))["members_ids"]


def _cut(data: Any) -> Any:
    if isinstance(data, list):
        return [_cut(one) for one in data]
    if not isinstance(data, dict):
        return data
    kept = {key: _cut(value) for key, value in data.items()}
    if isinstance(kept.get("members"), list):
        kept["members"] = [one for one in kept["members"] if one.get("value") != _person(ADA)]
    return kept


def _with(answer: Answer, change: Callable[[Any], Any]) -> Answer:
    return replace(answer, body=json.dumps(change(json.loads(answer.body))).encode())


async def _put_right(arena: Arena) -> None:
    for email in (ADA, GRACE):
        await _set(arena, "Users", _person(email), EMPLOYEE, None)
    for group in arena.founded:
        await arena.scim.delete(f"/v2/Groups/{group}")
    await _set(arena, "Groups", _group(APPROVERS), "displayName", APPROVERS)


async def _set(arena: Arena, kind: str, id_: str, path: str, value: str | None) -> None:
    change: Mapping[str, Any] = (
        {"op": "remove", "path": path} if value is None else {"op": "replace", "path": path, "value": value}
    )
    body = {"schemas": [PATCH], "Operations": [change]}
    answer = await arena.scim.patch(f"/v2/{kind}/{id_}", json=body)
    if value is not None:
        answer.raise_for_status()


def _person(email: str) -> str:
    return company.record_id("User", email.partition("@")[0])


def _group(name: str) -> str:
    return company.record_id("Group", name)


def cases(found: Mapping[str, int]) -> list[tuple[Scene, Change, int]]:
    """Return every change at every read of every scene, whose number of reads was counted."""
    return [
        (scene, change, at)
        for scene in scenes()
        for change in CHANGES
        for at in range(1, found[scene.name] + 1)
    ]
