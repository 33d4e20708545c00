"""What is done in the directory: adding somebody to a group, and removing them."""

from connectors.base import Change, Health, Operation, Payload, Result, Sight
from connectors.directory.directory import Directory


class Membership(Payload):
    """One person in one group: `group_id` says in which, `group` what people and policies call it."""

    group: str
    person: str  # SCIM user id
    group_id: str = ""  # empty in what was approved by an earlier release: there the name says which


class Added(Result):
    """A person is in a group. `changed` is False when they were before; then there is nothing to undo.

    Who made a membership cannot be seen afterwards, so what `find` finds counts as changed: look for an
    effect only after it was attempted.
    """

    group: str  # id
    person: str
    changed: bool


class Removed(Result):
    """A person is not in a group. `changed` is False when they were not seen in it before. See `Added`."""

    group: str  # id
    person: str
    changed: bool


class AddToGroup(Operation[Membership, Added]):
    """Add a person to a group. A member already is left as is."""

    name = "directory.add_to_group"
    title = "Add to a group"
    effect = "write"
    repeat = "findable"
    scope = "groups:write"
    undo_again = True  # a removal can be sent twice, and must not be left out

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def preview(self, data: Membership) -> Change:
        """From not a member to a member, or no change needed."""
        return await _preview(self._directory, data, member=True)

    async def find(self, data: Membership, key: str) -> Added | None:
        """The membership, when it is seen, whatever the key: the directory keeps none."""
        group = await _group_of(self._directory, data)
        if not await self._directory.is_shown(group, data.person):
            return None
        return Added(group=group, person=data.person, changed=True)

    async def sight(self, data: Membership, key: str, result: Added | None = None) -> Sight:
        """Whether the membership is seen, whatever the key."""
        group = await _group_of(self._directory, data, result)
        return await self._directory.sight(group, data.person)

    async def apply(self, data: Membership, key: str) -> Added:
        """Add the person, unless they are a member."""
        group = await _group_of(self._directory, data)
        changed = await self._directory.set_member(group, data.person, member=True)
        return Added(group=group, person=data.person, changed=changed)

    async def undo(self, data: Membership, result: Added, key: str) -> None:
        """Remove the person again, when it was this that added them. A group that is deleted has nobody."""
        if result.changed:
            await self._directory.set_member(result.group, data.person, member=False)

    async def ping(self) -> Health:
        """A sign of life from the directory."""
        return await self._directory.ping()


class RemoveFromGroup(Operation[Membership, Removed]):
    """Remove a person from a group. The removal is sent also where the directory does not show them in it."""

    name = "directory.remove_from_group"
    title = "Take out of a group"
    effect = "write"
    repeat = "findable"
    scope = "groups:write"

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def preview(self, data: Membership) -> Change:
        """From a member to not a member, or no change needed."""
        return await _preview(self._directory, data, member=False)

    async def find(self, data: Membership, key: str) -> Removed | None:
        """The absence, when a positive sign shows it, whatever the key: the directory keeps none."""
        group = await _group_of(self._directory, data)
        if await self._directory.sight(group, data.person) is not Sight.GONE:
            return None
        return Removed(group=group, person=data.person, changed=True)

    async def sight(self, data: Membership, key: str, result: Removed | None = None) -> Sight:
        """Whether the absence is seen: GONE is a member."""
        group = await _group_of(self._directory, data, result)
        seen = await self._directory.sight(group, data.person)
        return {Sight.GONE: Sight.THERE, Sight.THERE: Sight.GONE}.get(seen, seen)

    async def apply(self, data: Membership, key: str) -> Removed:
        """Remove the person."""
        group = await _group_of(self._directory, data)
        changed = await self._directory.set_member(group, data.person, member=False)
        return Removed(group=group, person=data.person, changed=changed)

    async def undo(self, data: Membership, result: Removed, key: str) -> None:
        """Add the person again, when it was this that removed them."""
        if result.changed:
            await self._directory.set_member(result.group, data.person, member=True)

    async def ping(self) -> Health:
        """A sign of life from the directory."""
        return await self._directory.ping()


async def _preview(directory: Directory, data: Membership, *, member: bool) -> Change:
    person = await directory.person(data.person)
    group = await directory.named(await _group_of(directory, data))
    if group.id in person.groups:
        seen = Sight.THERE
    else:
        seen = Sight.GONE if member else await directory.sight(group.id, person.id)
    wanted = Sight.THERE if member else Sight.GONE
    return Change(
        target=f"{person.name} in {data.group}",
        before=_SAYS[seen].format(person.name, data.group),
        after=_SAYS[wanted].format(person.name, data.group),
        needed=seen is not wanted,
        basis=(
            ("group", group.id),
            ("person", person.subject),
            ("active", "yes" if person.active else "no"),
            ("member", "yes" if seen is Sight.THERE else "no"),
        ),
    )


_SAYS = {
    Sight.THERE: "{} is a member of {}",
    Sight.GONE: "{} is not a member of {}",
    Sight.NOT_SEEN: "{} is not seen in {}",
}


async def _group_of(directory: Directory, data: Membership, result: Added | Removed | None = None) -> str:
    if data.group_id:
        return data.group_id
    return result.group if result else (await directory.find_group(data.group)).id
