"""The company directory as the rest of Countersign knows it: people, groups, and who is in which group."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from connectors.base import Finding, Health, Sight
from connectors.directory import examination, memberships
from connectors.directory.records import quoted
from connectors.errors import (
    Conflict,
    Denied,
    Invalid,
    Mismatch,
    NotFound,
    TooLarge,
    Unavailable,
    naming,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.directory.records import GroupRecord, UserRecord
    from connectors.directory.scim import Scim


class Person(BaseModel):
    """A person as the directory knows them now. `manager` is a person's id; `groups` are groups' ids.

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


class Named(BaseModel):
    """A group by its id, and its name for reading."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str


class Group(Named):
    """A group with the list of its members (people's ids), as far as the directory shows it.

    Who is not in the list may be a member all the same: ask for one person with `Directory.sight`.
    """

    members: frozenset[str]


class Some(BaseModel):
    """Some members of a group, by id. `every` is False where there may be others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ids: tuple[str, ...]
    every: bool


class Directory:
    """Reads people and groups, always afresh, and never hands out another record than was asked for.

    Every method raises `Denied`, `Unavailable`, `NotFound`, `Conflict` (two records where one was expected),
    `Mismatch` (the answer does not fit the question) or `Unsupported` (the directory lacks what is needed for
    it). `within` is the seconds for the whole answer; without it each request has the connection's own.
    Changes go through `writer`, a connection with the credential for them; without one there are none.
    `looks` are the seconds between two looks at a change that the directory accepted and does not show yet;
    by default a few, three seconds in all.
    """

    def __init__(
        self,
        scim: "Scim",
        issuer: str,
        *,
        writer: "Scim | None" = None,
        looks: "Sequence[float] | None" = None,
    ) -> None:
        self._scim = scim
        self._writer = writer
        self._looks = memberships.LOOKS if looks is None else looks
        self.issuer = issuer

    async def person_by_email(self, email: str, *, within: float | None = None) -> Person:
        """The one person with that e-mail address, in any case of letters.

        In a directory that keeps no addresses, the one whose user name it is.
        """
        async with _within(within):
            found = await self._with_address(_wanted(email))
            record = await self._scim.user(_only(found, "person of that e-mail address"))
            if not _has_address(record, email):
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

    async def find_group(self, name: str, *, within: float | None = None) -> Named:
        """The one group of that name: the one that is written so, else the only one in any case of letters.

        A name is for people. Resolve it once, and go on with the id: another group may be given it later.
        """
        async with _within(within):
            found = await self._scim.groups(f"displayName eq {quoted(_wanted(name))}")
            if not all(_is_named(record, name) for record in found):
                raise Mismatch("the directory answered with groups of another name")
            found = [record for record in found if record.display_name == name.strip()] or found
            record = await self._scim.group_only(_only(found, "group of that name"))
            if not _is_named(record, name):
                raise Mismatch("the directory's search and its record disagree on the group's name")
            return Named(id=record.id, name=record.display_name)

    async def named(self, group_id: str, *, within: float | None = None) -> Named:
        """The group of that id, without its members."""
        async with _within(within):
            record = await self._scim.group_only(group_id)
            return Named(id=record.id, name=record.display_name)

    async def group_by_name(self, name: str, *, within: float | None = None) -> Group:
        """The one group of that name, as `find_group` finds it, with its members as `group` has them."""
        async with _within(within):
            found = await self.find_group(name)
            record = await self._scim.group(found.id)
            if not _is_named(record, name):
                raise Mismatch("the directory's search and its record disagree on the group's name")
            return _group(record)

    async def group(self, group_id: str, *, within: float | None = None) -> Group:
        """The group of that id, with its whole list of members: not to learn of one person."""
        async with _within(within):
            return _group(await self._scim.group(group_id))

    async def some_members(self, group_id: str, most: int, *, within: float | None = None) -> Some:
        """Up to `most` members of a group, in the order of their ids. None are read of a list too large."""
        async with _within(within):
            try:
                record = await self._scim.group(group_id)
            except TooLarge:
                return Some(ids=(), every=False)
            people = sorted(record.people)
            every = len(people) <= most
            if not record.members:  # an empty group, or a directory that keeps its lists to itself
                every = await self._scim.has_members(group_id) is False
            return Some(ids=tuple(people[:most]), every=every)

    async def sight(self, group_id: str, person_id: str, *, within: float | None = None) -> Sight:
        """Whether a person is seen in a group. GONE only by a positive sign."""
        async with _within(within):
            return await memberships.sight(self._scim, group_id, person_id)

    async def is_shown(self, group_id: str, person_id: str, *, within: float | None = None) -> bool:
        """Whether a person is seen in a group. False is no proof that they are not: see `sight`."""
        async with _within(within):
            return await memberships.is_shown(self._scim, group_id, person_id)

    async def examine(self) -> tuple[Finding, ...]:
        """What Countersign needs of the directory, one finding each, and what to change where it lacks it."""
        return await examination.examine(self._scim, self._writer)

    async def ping(self, *, within: float | None = None) -> Health:
        """A sign of life, with our credential."""
        async with _within(within):
            await self._scim.groups('displayName eq "countersign"')  # a search needs the credential
            return Health(system="directory", detail=self.issuer)

    async def set_member(self, group_id: str, person_id: str, *, member: bool) -> bool:
        """Make a person a member of a group, or none. True when it was seen to be otherwise before.

        Other members are untouched, also those that somebody changes meanwhile. A removal is sent whatever
        can be seen. Returns when the directory shows that it is so; raises `Ambiguous` when the change may
        have been made and the directory does not show it, after some looks. Runs within a permitted act only
        (`NotPermitted`).
        """
        if self._writer is None:
            raise Denied("this connection to the directory only reads")
        change = memberships.Change(
            reader=self._scim, writer=self._writer, group=group_id, person=person_id, looks=self._looks
        )
        async with _within(None):
            return await (change.add() if member else change.remove())

    async def _with_address(self, email: str) -> "list[UserRecord]":
        try:
            found = await self._scim.users(f"emails.value eq {quoted(email)}")
        except Invalid:  # the directory does not filter by it
            found = []
        found = found or await self._scim.users(f"userName eq {quoted(email)}")
        if not all(_has_address(record, email) or _same(record.user_name, email) for record in found):
            raise Mismatch("the directory answered with people of another e-mail address")
        return [record for record in found if _has_address(record, email)]

    async def _person(self, record: "UserRecord", email: str | None = None) -> Person:
        groups = await self._scim.groups_of(record.id, own=record.groups)
        addresses = record.emails or ((record.user_name,) if "@" in record.user_name else ())
        return Person(
            id=record.id,
            issuer=self.issuer,
            user_name=record.user_name,
            name=record.name,
            email=next((known for known in addresses if email is None or _same(known, email)), ""),
            title=record.title,
            active=record.active,
            manager=record.manager,
            groups=groups,
            country=record.country,
            employee=record.employee,
        )


@asynccontextmanager
async def open_directory(
    url: str, token: str, *, write_token: str | None = None, within: float = 10.0, issuer: str = ""
) -> AsyncIterator[Directory]:
    """Connect to the directory at `url`; without `write_token` only to read. A request has `within` seconds.

    `issuer` names the directory in every subject; it outlives a change of address. By default the URL.
    """
    from connectors.directory.scim import open_scim  # noqa: PLC0415  # httpx is slow to import; models need it not

    async with open_scim(url, token, within=within) as scim:
        if write_token is None:
            yield Directory(scim, issuer or url)
            return
        async with open_scim(url, write_token, within=within) as writer:
            yield Directory(scim, issuer or url, writer=writer)


@asynccontextmanager
async def _within(seconds: float | None) -> AsyncIterator[None]:
    """Give an answer its time, and say of every error that it was the directory's."""
    with naming("directory"):
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


def _only(found: "list[UserRecord] | list[GroupRecord]", what: str) -> str:
    if not found:
        raise NotFound(f"the directory knows no {what}")
    if len(found) > 1:
        raise Conflict(f"the directory knows more than one {what}")
    return found[0].id


def _has_address(record: "UserRecord", email: str) -> bool:
    """Whether an address is a person's: one of theirs, or their user name where they have none."""
    return any(_same(known, email) for known in record.emails or (record.user_name,))


def _same(known: str, email: str) -> bool:
    return known.casefold() == email.strip().casefold()


def _is_named(record: "GroupRecord", name: str) -> bool:
    return record.display_name.casefold() == name.strip().casefold()


def _refuse_older(record: "UserRecord", seen: "UserRecord") -> None:
    """Refuse a record that the server has shown in a newer form a moment ago."""
    if record.modified and seen.modified and record.modified < seen.modified:
        raise Mismatch("the directory answered with an old record of the person")


def _group(record: "GroupRecord") -> Group:
    return Group(id=record.id, name=record.display_name, members=frozenset(record.people))
