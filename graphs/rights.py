"""Whose right somebody uses when they decide: their own, or that of a person for whom they stand in.

The policies judge both people, and everybody whom the request concerns, as the directory has them all at one
moment. What is said here of time comes from the database's clock alone.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.directory import Directory, Person
from connectors.errors import NotFound, Unavailable
from graphs import delegations
from graphs.policy import views
from graphs.policy.engine import THROUGH, Attribute, Context, Policy, Ruling
from graphs.policy.views import People
from graphs.ports import Connection
from graphs.records import Approval, Delegation, Vote

CLICK = 1.0  # seconds for everybody whom a click concerns; who clicked has been read, and Slack waits three
_LOOKS = 4  # at people who keep changing while they are read


@dataclass(frozen=True, kw_only=True, slots=True)
class Right:
    """Two people as the directory has them now: who decides, and by whose right. Mostly they are one."""

    by: Person
    holder: Person

    @property
    def stands_for(self) -> Person | None:
        """Return whose right it is where it is another's."""
        return None if self.holder.subject == self.by.subject else self.holder


def own(person: Person) -> Right:
    """Return the right that somebody has themselves."""
    return Right(by=person, holder=person)


async def look(directory: Directory, subjects: Iterable[str], *, within: float) -> People:
    """Read people once, for a click: whatever it does is looked at again by `read` before anything is done.

    None stands for whoever has left. Raises the directory's errors.
    """
    try:
        async with asyncio.timeout(within):
            return await _all(directory, sorted(set(subjects)))
    except TimeoutError as error:
        raise _away(f"the directory did not answer within {within} s") from error


async def read(directory: Directory, subjects: Iterable[str], *, within: float | None = None) -> People:
    """Read people so that all that is said of them was so at one moment: none of them changes meanwhile.

    They are read until two readings say the same. Read one after the other, two accounts that are linked in
    between would look like two people. None stands for whoever has left. Raises the directory's errors.
    """
    wanted = sorted(set(subjects))
    try:
        async with asyncio.timeout(within):
            before = await _all(directory, wanted)
            for _ in range(_LOOKS):
                now = await _all(directory, wanted)
                if now == before:
                    return now
                before = now
    except TimeoutError as error:
        raise _away(f"the directory did not answer within {within} s") from error
    raise _away("the directory keeps changing while people are read")


def _away(message: str) -> Unavailable:
    error = Unavailable(message)
    error.system = "directory"
    return error


async def _all(directory: Directory, subjects: Sequence[str]) -> People:
    found = await asyncio.gather(*(_person(directory, subject) for subject in subjects))
    return dict(zip(subjects, found, strict=True))


def gone(person: Person) -> Person:
    """Return somebody whom the directory has had a moment ago, and has no longer."""
    return person.model_copy(update={"active": False})


def concerned(approval: Approval) -> set[str]:
    """Return the subjects of everybody on whom it depends who may decide: asked, granted, wrote or voted."""
    voters = [one for vote in approval.votes for one in (vote.by, vote.stands_for) if one is not None]
    return {one.subject for one in (*approval.people, *voters)}


def held(person: Person, lent: Sequence[Delegation], people: People) -> list[Right]:
    """Return somebody's rights, their own first. Those who have left have no right to lend."""
    holders = [people.get(delegation.holder.subject) for delegation in lent]
    return [own(person), *(Right(by=person, holder=holder) for holder in holders if holder)]


def used(votes: Sequence[Vote], people: People) -> list[tuple[Vote, Right | None]]:
    """Return by whose right each voted, as they are now. None where either of them has left."""
    found: list[tuple[Vote, Right | None]] = []
    for vote in votes:
        by, holder = people.get(vote.by.subject), people.get((vote.stands_for or vote.by).subject)
        found.append((vote, Right(by=by, holder=holder) if by and holder else None))
    return found


async def circumstances(
    conn: Connection, approval: Approval, right: Right, *, at: datetime
) -> Context | None:
    """Return what the policies have to know of a right that is used, or was used, at that time.

    None where it is another's and was not lent then, or has been called back since.
    """
    escalated = approval.escalation is not None and approval.escalation.at <= at
    if right.stands_for is None:
        return {"escalated": escalated}
    if not await delegations.covers(conn, holder=right.holder.human, stand_in=right.by.human, at=at):
        return None
    return {"escalated": escalated, "holder": _seen(right.holder)}


async def choose(
    conn: Connection,
    policy: Policy,
    approval: Approval,
    rights: Sequence[Right],
    people: People,
    *,
    at: datetime,
) -> tuple[Right, Ruling]:
    """Return the first of the rights by which the policies let somebody decide, an unused one before others.

    `people` are those whom the approval concerns, as they are now. Where there is no such right, the ruling
    says why as precisely as it can: the first right is their own.
    """
    found = []
    for right in rights[:1] if approval.confirmed else rights:  # what is theirs alone, nobody stands in for
        told = await circumstances(conn, approval, right, at=at)
        if told is not None:
            found.append((right, views.decides(policy, right.by, approval, people, told)))
    allowed = [one for one in found if one[1].allowed]
    used = {name for vote in approval.votes for name in views.names(vote.stands_for or vote.by, people)}
    unused = [one for one in allowed if one[0].holder.human not in used]
    why = [one for one in found[1:] if THROUGH in one[1].policies and not found[0][1].policies]
    return (unused or allowed or why or found)[0]


def _seen(holder: Person) -> Mapping[str, Attribute]:
    """Return whose right it is, as the policies see them."""
    identities = sorted({holder.subject, holder.human})
    return {"identities": identities, "active": holder.active, "groups": sorted(holder.groups)}


async def _person(directory: Directory, subject: str) -> Person | None:
    try:
        return await directory.person_of(subject)
    except NotFound:
        return None
