"""Whether enough people could approve, as directory and policies have it, before anybody is bothered."""

from collections.abc import Iterable

from connectors.directory import Directory, Group
from connectors.errors import NotFound
from graphs.admission import Refused
from graphs.policy.engine import Context, Policy, Resource


async def require(
    directory: Directory,
    policy: Policy,
    asked: tuple[Resource, Context],
    *,
    groups: Iterable[str],
    quorum: int,
) -> None:
    """Return if a quorum of distinct members of the groups (ids) may approve. Raises Refused otherwise.

    People are read until there are enough: in a group of thousands, that is a few.
    """
    able: set[str] = set()
    for group in groups:
        for member in sorted((await _group(directory, group)).members):
            if len(able) >= quorum:
                return
            try:
                person = await directory.person(member)
            except NotFound:  # left while we were reading
                continue
            if policy.rule("approve", person, *asked).allowed:
                able.add(person.human)
    if len(able) < quorum:
        key = "too_few_may_approve" if able else "nobody_may_approve"
        raise Refused(key, needed=str(quorum), found=str(len(able)))


async def _group(directory: Directory, group: str) -> Group:
    try:
        return await directory.group(group)
    except NotFound:  # deleted since its name was resolved
        return Group(id=group, name="", members=frozenset())
