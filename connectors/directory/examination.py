"""What Countersign needs of a directory, asked of it one by one. Reads only."""

import uuid
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from connectors.base import Finding
from connectors.directory.records import GroupRecord, UserRecord, quoted
from connectors.errors import ConnectorError, Denied, Invalid, Mismatch, Unavailable, Unsupported

if TYPE_CHECKING:
    from connectors.directory.scim import Scim

_MENDS: dict[type[ConnectorError], str] = {
    Denied: "Make a token that may read Users and Groups, and give it with `countersign secrets set "
    "directory_token`.",
    Unavailable: "Check `url` under [directory] in countersign.toml, the network, and the directory itself.",
    Invalid: "Check `url` under [directory] in countersign.toml: it has to be the SCIM 2.0 base address.",
    Mismatch: "Check `url` under [directory] in countersign.toml: it has to be the SCIM 2.0 base address.",
}


async def examine(scim: "Scim", writer: "Scim | None") -> tuple[Finding, ...]:
    """One finding for each need. When the directory cannot be read at all, that is the only one."""
    try:
        person, group = await scim.sample(UserRecord), await scim.sample(GroupRecord)
    except ConnectorError as error:
        mend = next((said for kind, said in _MENDS.items() if isinstance(error, kind)), "")
        return (Finding(name="reading people and groups", ok=False, detail=str(error), mend=mend),)
    found = [Finding(name="reading people and groups", ok=True, detail="both are shown", mend="")]
    if person is not None:
        found += [one async for one in _of_people(scim, person)]
    if group is not None:
        found += [one async for one in _of_groups(scim, group)]
    return (*found, await _of_changes(writer))


async def _of_people(scim: "Scim", person: UserRecord) -> AsyncIterator[Finding]:
    address = person.emails[0] if person.emails else person.user_name
    yield await _finding(
        "finding a person by e-mail address",
        _by_address(scim, person, address),
        "Have the directory honour a filter on emails.value, or on userName if it keeps no addresses.",
    )
    yield await _finding(
        "the groups of one person",
        _groups_of(scim, person),
        "Have the directory honour a filter on members.value, or show `groups` in a person's record.",
    )


async def _by_address(scim: "Scim", person: UserRecord, address: str) -> str:
    if not address:
        raise Unsupported("a person has neither an e-mail address nor a user name")
    for attribute in ("emails.value", "userName"):
        try:
            found = await scim.users(f"{attribute} eq {quoted(address)}")
            control = await scim.users(f"{attribute} eq {quoted(f'nobody-{uuid.uuid4()}')}")
        except Invalid:
            continue
        if control:
            raise Unsupported(f"the directory ignores a filter on {attribute}")
        if [one.id for one in found] == [person.id]:
            return f"by a filter on {attribute}"
    raise Unsupported("neither a filter on emails.value nor one on userName finds a person")


async def _groups_of(scim: "Scim", person: UserRecord) -> str:
    groups = await scim.groups_of(person.id, own=person.groups)
    return f"asked for one person: {len(groups)} groups"


async def _of_groups(scim: "Scim", group: GroupRecord) -> AsyncIterator[Finding]:
    yield await _finding(
        "finding a group by name",
        _by_name(scim, group),
        "Have the directory honour a filter on displayName.",
    )
    yield await _finding(
        "whose turn it is to approve",
        _lists(scim, group),
        "Have the directory show the members of a group. Until it does, approvers are not mentioned by name, "
        "and a request that too few people could approve is not refused beforehand.",
    )


async def _by_name(scim: "Scim", group: GroupRecord) -> str:
    found = await scim.groups(f"displayName eq {quoted(group.display_name)}")
    if any(one.display_name.casefold() != group.display_name.casefold() for one in found):
        raise Unsupported("the directory ignores a filter on displayName")
    if group.id not in {one.id for one in found}:
        raise Unsupported("a filter on displayName does not find a group that is there")
    return "by a filter on displayName"


async def _lists(scim: "Scim", group: GroupRecord) -> str:
    if (await scim.group(group.id)).members:
        return "the members of a group are shown"
    if await scim.has_members(group.id) is not False:
        raise Unsupported("the directory does not show the members of a group")
    return "the group that was looked at is empty"


async def _of_changes(writer: "Scim | None") -> Finding:
    return await _finding(
        "changing one membership",
        _changes(writer),
        "Have the directory serve PATCH on Groups. Without it a group is replaced as a whole, which needs "
        "ETags and lists that are never cut.",
    )


async def _changes(writer: "Scim | None") -> str:
    if writer is None:
        return "not asked: this connection only reads"
    try:
        said = await writer.service()
    except (Mismatch, Invalid) as error:
        return f"not known: the directory does not describe itself ({error})"
    except ConnectorError as error:
        if isinstance(error, Denied | Unavailable):
            raise
        return "not known: the directory does not describe itself"
    if not _supported(said, "patch") and not _supported(said, "etag"):
        raise Unsupported("the directory says that it serves neither PATCH nor versions (ETag)")
    return "by PATCH" if _supported(said, "patch") else "by PUT with If-Match"


def _supported(said: dict[str, Any], what: str) -> bool:
    feature = said.get(what)
    return isinstance(feature, dict) and feature.get("supported") is True


async def _finding(name: str, question: Any, mend: str) -> Finding:
    """What a question found, or what was missing when it was asked."""
    try:
        return Finding(name=name, ok=True, detail=await question, mend="")
    except ConnectorError as error:
        for kind in (Denied, Unavailable):
            mend = _MENDS[kind] if isinstance(error, kind) else mend
        return Finding(name=name, ok=False, detail=str(error), mend=mend)
