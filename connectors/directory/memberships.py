"""One membership: whether it is seen, and changing it so that the change is sure. Never a list of members.

Absence is not proof. A directory may cut its lists, lag behind itself or ignore a filter; so somebody is gone
from a group only by a positive sign, and what must end is sent whatever can be seen.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.base import Sight
from connectors.errors import (
    Ambiguous,
    Conflict,
    ConnectorError,
    Denied,
    Invalid,
    NotFound,
    TooLarge,
    Unsupported,
)

if TYPE_CHECKING:
    from connectors.directory.records import GroupRecord
    from connectors.directory.scim import Scim

ATTEMPTS = 3  # at a change that somebody else's change got in the way of
LOOKS = (0.2, 0.4, 0.8, 1.6)  # seconds before each further look at a change that does not show yet


async def is_shown(scim: "Scim", group: str, person: str) -> bool:
    """Whether a person is seen in a group (ids). False does not say that they are not in it."""
    return group in await _groups_of(scim, person)


async def sight(scim: "Scim", group: str, person: str) -> Sight:
    """Whether a person is seen in a group (ids).

    They are gone if the same question shows other groups that they are in, if it shows this group for another
    member, if the directory says that nobody is in it, or if the group is deleted.
    """
    groups = await _groups_of(scim, person)
    if group in groups:
        return Sight.THERE
    if groups:
        return Sight.GONE
    return await _sight_of_others(scim, group, person)


async def _sight_of_others(scim: "Scim", group: str, person: str) -> Sight:
    """What the others in a group say of somebody who is in no group that we can see."""
    try:
        record = await scim.group(group)
    except NotFound:
        return Sight.GONE
    except TooLarge:
        return Sight.NOT_SEEN
    if person in record.people:
        return Sight.THERE
    if not record.members:
        return Sight.GONE if await scim.has_members(group) is False else Sight.NOT_SEEN
    shown = bool(record.people) and group in await _groups_of(scim, record.people[0])
    return Sight.GONE if shown else Sight.NOT_SEEN


async def _groups_of(scim: "Scim", person: str) -> frozenset[str]:
    try:
        return await scim.groups_of(person)
    except Unsupported:
        own = (await scim.user(person)).groups
        if own is None:
            raise
        return frozenset(own)


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A change of one membership. It is made when the directory shows it, and not before."""

    reader: "Scim"
    writer: "Scim"
    group: str
    person: str
    looks: Sequence[float]

    async def add(self) -> bool:
        """Add the person. False when they were a member before, and nothing was sent."""
        await self.reader.user(self.person)  # some directories keep members that do not exist
        if await self._is_shown():
            return False
        await self._send(member=True)
        await self._confirm(self._is_shown)
        return True

    async def remove(self) -> bool:
        """Remove the person, whether or not they are seen. True when they were."""
        try:
            before = await self._is_shown()
        except ConnectorError:  # it is sent all the same
            before = False
        try:
            await self._send(member=False)
        except NotFound:  # the group is deleted, or the directory says so of who is not in it
            if await self._is_deleted():
                return before
        # A question that showed them before the removal would show them still.
        await self._confirm(self._is_not_shown if before else self._is_gone)
        return before

    async def _is_shown(self) -> bool:
        return await is_shown(self.reader, self.group, self.person)

    async def _is_not_shown(self) -> bool:
        return not await self._is_shown()

    async def _is_gone(self) -> bool:
        return await sight(self.reader, self.group, self.person) is Sight.GONE

    async def _is_deleted(self) -> bool:
        try:
            await self.reader.group_only(self.group)
        except NotFound:
            return True
        return False

    async def _send(self, *, member: bool) -> None:
        for _ in range(ATTEMPTS):
            try:
                await self._write(member=member)
            except Conflict:
                continue
            return
        raise Conflict("the group keeps changing under our hands")

    async def _write(self, *, member: bool) -> None:
        try:
            await self.writer.patch_member(self.group, self.person, member=member)
        except Invalid:
            if not member and await self._removed_by_list():
                return
            await self.writer.put_group(await self._whole(member=member), self.person, member=member)

    async def _removed_by_list(self) -> bool:
        try:
            await self.writer.patch_member(self.group, self.person, member=False, by_list=True)
        except Invalid:
            return False
        return True

    async def _whole(self, *, member: bool) -> "GroupRecord":
        """The group as it would be replaced. Raises `Invalid` where others could be lost with it."""
        record = await self.reader.group(self.group)
        if not record.members and await self.reader.has_members(self.group) is not False:
            record = await self.reader.group(self.group)  # somebody may have been added meanwhile
            if not record.members:
                raise Invalid("the directory does not serve PATCH and does not show the members of a group")
        if not member and self.person not in record.people:
            raise Invalid("the directory does not serve PATCH, and its list does not show who is to go")
        return record

    async def _confirm(self, is_so: Callable[[], Awaitable[bool]]) -> None:
        """Look until the change shows. Raises `Ambiguous` when it does not within the looks."""
        failure: ConnectorError | None = None
        for wait in (0.0, *self.looks):
            await asyncio.sleep(wait)
            try:
                if await is_so():
                    return
                failure = None
            except Denied as error:
                failure = error
                break
            except ConnectorError as error:
                failure = error
        if failure is not None:
            raise Ambiguous("the directory accepted the change and cannot be read") from failure
        raise Ambiguous("the directory accepted the change and does not show it")
