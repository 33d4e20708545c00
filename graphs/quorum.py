"""Whether enough people could approve, as directory and policies have it, before anybody is bothered."""

from collections.abc import Iterable, Sequence

from connectors.directory import Directory, Some
from connectors.errors import NotFound
from graphs.admission import Refused
from graphs.policy.engine import Policy
from graphs.policy.views import Asked

MOST = 50  # members of one group whom we look at


async def require(
    directory: Directory,
    policy: Policy,
    asked: Sequence[Asked],
    *,
    groups: Iterable[str],
    quorum: int,
) -> None:
    """Return if a quorum of distinct members of the groups (ids) may approve. Raises Refused otherwise.

    People are read until there are enough: in a group of thousands, that is a few. Where the directory shows
    only some of the members, or none, nobody can say that there are too few, and so nothing is refused.
    """
    able: set[str] = set()
    every = True
    for group in groups:
        some = await _some(directory, group)
        every = every and some.every
        for member in some.ids:
            if len(able) >= quorum:
                return
            try:
                person = await directory.person(member)
            except NotFound:  # left while we were reading
                continue
            if policy.rule_all("approve", person, asked).allowed:
                able.add(person.human)
    if len(able) < quorum and every:
        key = "too_few_may_approve" if able else "nobody_may_approve"
        raise Refused(key, needed=str(quorum), found=str(len(able)))


async def _some(directory: Directory, group: str) -> Some:
    try:
        return await directory.some_members(group, MOST)
    except NotFound:  # deleted since its name was resolved
        return Some(ids=(), every=True)
