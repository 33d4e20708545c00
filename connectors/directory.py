"""The company directory: people, groups, and who is in which group (SCIM 2.0)."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from connectors.base import Change, Health, Operation, Payload, Result
from connectors.errors import (
    Ambiguous,
    Conflict,
    ConnectorError,
    Denied,
    Invalid,
    Mismatch,
    NotFound,
    Unavailable,
)

if TYPE_CHECKING:
    from scim2_models import Group as GroupRecord

    from connectors.scim import Scim, UserRecord

ATTEMPTS = 3  # at a change that somebody else's change got in the way of


class Person(BaseModel):
    """A person as the directory knows them now. `manager` is a person's id; `groups` are names.

    `country` is where they work, by its two letters, and `employee` their number in the company; each is
    empty where the directory does not say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    issuer: str
    user_name: str
    name: str
    email: str
    title: str
    active: bool
    manager: str | None
    groups: frozenset[str]
    country: str = ""
    employee: str = ""

    @property
    def subject(self) -> str:
        """Whose account this is, once and for all: never a name, never an e-mail address."""
        return f"{self.issuer}#{self.id}"

    @property
    def human(self) -> str:
        """Who this is, whatever the account: accounts with one employee number belong to one human."""
        return f"{self.issuer}#employee {self.employee}" if self.employee else self.subject


class Group(BaseModel):
    """A group as the directory knows it now. `members` are people's ids."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    members: frozenset[str]


class Directory:
    """Reads people and groups, always afresh, and never hands out another record than was asked for.

    Every method raises `Denied`, `Unavailable`, `NotFound`, `Conflict` (two records where one was expected)
    or `Mismatch` (the answer does not fit the question). `within` is the seconds for the whole answer;
    without it each request has the connection's own. Changes go through `writer`, a connection with the
    credential for them; without one there are none.
    """

    def __init__(self, scim: "Scim", issuer: str, *, writer: "Scim | None" = None) -> None:
        self._scim = scim
        self._writer = writer
        self.issuer = issuer

    async def person_by_email(self, email: str, *, within: float | None = None) -> Person:
        """The one person with that e-mail address, in any case of letters."""
        async with _within(within):
            found = await self._scim.users(f"emails.value eq {_quoted(_wanted(email))}")
            if not all(_has_email(record, email) for record in found):
                raise Mismatch("the directory answered with people of another e-mail address")
            record = await self._scim.user(_only(found, "person of that e-mail address"))
            if not _has_email(record, email):
                raise Mismatch("the directory's search and its record disagree on the e-mail address")
            _refuse_older(record, found[0])
            return await self._person(record, email)

    async def person(self, person_id: str, *, within: float | None = None) -> Person:
        """The person of that id."""
        async with _within(within):
            return await self._person(await self._scim.user(person_id))

    async def person_of(self, subject: str, *, within: float | None = None) -> Person:
        """The person whom a subject names. NotFound also where another directory vouched for it."""
        issuer, _, person_id = subject.rpartition("#")
        if issuer != self.issuer:
            raise NotFound("the subject belongs to another directory")
        return await self.person(person_id, within=within)

    async def group_by_name(self, name: str, *, within: float | None = None) -> Group:
        """The one group of that name, in any case of letters."""
        async with _within(within):
            found = await self._scim.groups(f"displayName eq {_quoted(_wanted(name))}")
            if not all(_is_named(record, name) for record in found):
                raise Mismatch("the directory answered with groups of another name")
            record = await self._scim.group(_only(found, "group of that name"))
            if not _is_named(record, name):
                raise Mismatch("the directory's search and its record disagree on the group's name")
            return _group(record)

    async def group(self, group_id: str, *, within: float | None = None) -> Group:
        """The group of that id."""
        async with _within(within):
            return _group(await self._scim.group(group_id))

    async def ping(self, *, within: float | None = None) -> Health:
        """A sign of life, with our credential."""
        async with _within(within):
            await self._scim.groups('displayName eq "countersign"')  # a search needs the credential
            return Health(system="directory", detail=self.issuer)

    async def set_member(self, group_id: str, person_id: str, *, member: bool) -> bool:
        """Make a person a member of a group, or none, and look whether it is so. True when it was not yet.

        Other members are untouched, also those that somebody changes meanwhile. Runs within a permitted act
        only (`NotPermitted`). Raises `Ambiguous` when the change may have been made and cannot be confirmed.
        """
        if self._writer is None:
            raise Denied("this connection to the directory only reads")
        if member:
            await self._scim.user(person_id)  # some directories keep members that do not exist
        for _ in range(ATTEMPTS):
            record = await self._scim.group(group_id)
            if (person_id in _members(record)) is member:
                return False
            try:
                await _write_member(self._writer, record, person_id, member=member)
            except Conflict:
                continue
            await self._confirm(group_id, person_id, member=member)
            return True
        raise Conflict("the group keeps changing under our hands")

    async def _confirm(self, group_id: str, person_id: str, *, member: bool) -> None:
        try:
            record = await self._scim.group(group_id)
        except ConnectorError as error:
            raise Ambiguous("the directory accepted the change and cannot be read") from error
        if (person_id in _members(record)) is not member:
            raise Ambiguous("the directory accepted the change and does not show it")

    async def _person(self, record: "UserRecord", email: str | None = None) -> Person:
        from connectors import scim  # noqa: PLC0415  # see open_directory

        groups = await self._scim.groups(f"members.value eq {_quoted(str(record.id))}")
        if not all(record.id in _members(group) for group in groups):
            raise Mismatch("the directory answered with groups that the person is not in")
        return Person(
            id=str(record.id),
            issuer=self.issuer,
            user_name=record.user_name or "",
            name=scim.full_name(record),
            email=next((known for known in _emails(record) if _same(known, email)), ""),
            title=record.title or "",
            active=record.active is True,
            manager=scim.manager(record),
            groups=frozenset(str(group.display_name) for group in groups),
            country=scim.country(record),
            employee=scim.employee_number(record),
        )


async def _write_member(writer: "Scim", record: "GroupRecord", person_id: str, *, member: bool) -> None:
    try:
        await writer.patch_member(str(record.id), person_id, member=member)
    except Invalid:
        await writer.put_group(_with_member(record, person_id, member=member))


@asynccontextmanager
async def open_directory(
    url: str, token: str, *, write_token: str | None = None, within: float = 10.0, issuer: str = ""
) -> AsyncIterator[Directory]:
    """Connect to the directory at `url`; without `write_token` only to read. A request has `within` seconds.

    `issuer` names the directory in every subject; it outlives a change of address. By default the URL.
    """
    from connectors.scim import open_scim  # noqa: PLC0415  # takes a second to import; models need it not

    async with open_scim(url, token, within=within) as scim:
        if write_token is None:
            yield Directory(scim, issuer or url)
            return
        async with open_scim(url, write_token, within=within) as writer:
            yield Directory(scim, issuer or url, writer=writer)


class Membership(Payload):
    """One person in one group."""

    group: str  # its name
    person: str  # SCIM user id


class Added(Result):
    """A person is in a group. `changed` is False when they were before; then there is nothing to undo.

    Who made a membership cannot be seen afterwards, so what `find` finds counts as changed: look for an
    effect only after it was attempted.
    """

    group: str  # id
    person: str
    changed: bool


class Removed(Result):
    """A person is not in a group. `changed` is False when they were not before. See `Added`."""

    group: str  # id
    person: str
    changed: bool


class AddToGroup(Operation[Membership, Added]):
    """Add a person to a group. A member already is left as is."""

    name = "directory.add_to_group"
    effect = "write"
    repeat = "findable"
    scopes = frozenset({"groups:write"})

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def preview(self, data: Membership) -> Change:
        """From not a member to a member, or no change needed."""
        return await _preview(self._directory, data, member=True)

    async def find(self, data: Membership, key: str) -> Added | None:
        """The membership, when it is there, whatever the key: the directory keeps none."""
        group = await self._directory.group_by_name(data.group)
        if data.person not in group.members:
            return None
        return Added(group=group.id, person=data.person, changed=True)

    async def apply(self, data: Membership, key: str) -> Added:
        """Add the person, unless they are a member."""
        group = await self._directory.group_by_name(data.group)
        changed = await self._directory.set_member(group.id, data.person, member=True)
        return Added(group=group.id, person=data.person, changed=changed)

    async def undo(self, data: Membership, result: Added, key: str) -> None:
        """Remove the person again, when it was this that added them."""
        if result.changed:
            await self._directory.set_member(result.group, data.person, member=False)

    async def ping(self) -> Health:
        """A sign of life from the directory."""
        return await self._directory.ping()


class RemoveFromGroup(Operation[Membership, Removed]):
    """Remove a person from a group. Who is no member is left as is."""

    name = "directory.remove_from_group"
    effect = "write"
    repeat = "findable"
    scopes = frozenset({"groups:write"})

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def preview(self, data: Membership) -> Change:
        """From a member to not a member, or no change needed."""
        return await _preview(self._directory, data, member=False)

    async def find(self, data: Membership, key: str) -> Removed | None:
        """The absence, when it is so, whatever the key: the directory keeps none."""
        group = await self._directory.group_by_name(data.group)
        if data.person in group.members:
            return None
        return Removed(group=group.id, person=data.person, changed=True)

    async def apply(self, data: Membership, key: str) -> Removed:
        """Remove the person, when they are a member."""
        group = await self._directory.group_by_name(data.group)
        changed = await self._directory.set_member(group.id, data.person, member=False)
        return Removed(group=group.id, person=data.person, changed=changed)

    async def undo(self, data: Membership, result: Removed, key: str) -> None:
        """Add the person again, when it was this that removed them."""
        if result.changed:
            await self._directory.set_member(result.group, data.person, member=True)

    async def ping(self) -> Health:
        """A sign of life from the directory."""
        return await self._directory.ping()


async def _preview(directory: Directory, data: Membership, *, member: bool) -> Change:
    person = await directory.person(data.person)
    group = await directory.group_by_name(data.group)
    now = person.id in group.members
    return Change(
        target=f"{person.name} in {group.name}",
        before=_sentence(person, group, member=now),
        after=_sentence(person, group, member=member),
        needed=now is not member,
        basis=(
            ("group", group.id),
            ("person", person.subject),
            ("active", "yes" if person.active else "no"),
            ("member", "yes" if now else "no"),
        ),
    )


def _sentence(person: Person, group: Group, *, member: bool) -> str:
    return f"{person.name} is {'a' if member else 'not a'} member of {group.name}"


@asynccontextmanager
async def _within(seconds: float | None) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise Unavailable(f"the directory did not answer within {seconds} s") from error


def _wanted(text: str) -> str:
    wanted = text.strip()
    if not wanted:
        raise Invalid("an e-mail address or a name is needed")
    return wanted


def _quoted(text: str) -> str:
    from connectors.scim import quoted  # noqa: PLC0415  # see open_directory

    return quoted(text)


def _only(found: "list[UserRecord] | list[GroupRecord]", what: str) -> str:
    if not found:
        raise NotFound(f"the directory knows no {what}")
    if len(found) > 1:
        raise Conflict(f"the directory knows more than one {what}")
    return str(found[0].id)


def _emails(record: "UserRecord") -> Iterator[str]:
    """Primary address first."""
    emails = sorted(record.emails or [], key=lambda email: email.primary is not True)
    return (str(email.value) for email in emails if email.value)


def _has_email(record: "UserRecord", email: str) -> bool:
    return any(_same(known, email) for known in _emails(record))


def _same(known: str, email: str | None) -> bool:
    return email is None or known.casefold() == email.strip().casefold()


def _is_named(record: "GroupRecord", name: str) -> bool:
    return (record.display_name or "").casefold() == name.strip().casefold()


def _refuse_older(record: "UserRecord", seen: "UserRecord") -> None:
    """Refuse a record that the server has shown in a newer form a moment ago."""
    read = record.meta.last_modified if record.meta else None
    known = seen.meta.last_modified if seen.meta else None
    if read and known and read < known:
        raise Mismatch("the directory answered with an old record of the person")


def _members(record: "GroupRecord") -> frozenset[str]:
    return frozenset(
        str(member.value) for member in record.members or [] if member.value and member.type != "Group"
    )


def _group(record: "GroupRecord") -> Group:
    return Group(id=str(record.id), name=str(record.display_name), members=_members(record))


def _with_member(record: "GroupRecord", person_id: str, *, member: bool) -> "GroupRecord":
    from scim2_models import GroupMember  # noqa: PLC0415  # see open_directory

    others = [known for known in record.members or [] if known.value != person_id]
    changed = [*others, GroupMember(value=person_id)] if member else others
    return record.model_copy(update={"members": changed})
