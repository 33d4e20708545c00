"""Whose right somebody uses when they decide: their own, or that of a person for whom they stand in.

The policies judge both people. What is said here of time comes from the database's clock alone.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.directory import Directory, Person
from connectors.errors import NotFound
from graphs import delegations
from graphs.policy import views
from graphs.policy.engine import THROUGH, Attribute, Context, Policy, Ruling
from graphs.ports import Connection
from graphs.records import Actor, Approval, Delegation, Vote


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


async def lent(
    directory: Directory, person: Person, found: Sequence[Delegation], *, within: float | None = None
) -> list[Right]:
    """Read, now and all within so many seconds where that is given, those for whom somebody stands in.

    Those who have left have no right to lend. Raises the directory's errors.
    """
    people = [_person(directory, delegation.holder, within=within) for delegation in found]
    return [Right(by=person, holder=holder) for holder in await asyncio.gather(*people) if holder]


async def used(directory: Directory, votes: Sequence[Vote]) -> list[tuple[Vote, Right | None]]:
    """Read again, now, whoever voted and by whose right. None where either of them has left."""
    found: list[tuple[Vote, Right | None]] = []
    for vote in votes:
        by = await _person(directory, vote.by)
        holder = by if vote.stands_for is None else await _person(directory, vote.stands_for)
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
    conn: Connection, policy: Policy, approval: Approval, rights: Sequence[Right], *, at: datetime
) -> tuple[Right, Ruling]:
    """Return the first of the rights by which the policies let somebody decide, an unused one before others.

    Where there is none, the ruling says why as precisely as it can: the first right is their own.
    """
    asked, context = views.approval(approval), views.context(approval)
    found = []
    for right in rights:
        told = await circumstances(conn, approval, right, at=at)
        if told is not None:
            found.append((right, policy.rule("approve", right.by, asked, {**context, **told})))
    allowed = [one for one in found if one[1].allowed]
    used = {(vote.stands_for or vote.by).human for vote in approval.votes}
    unused = [one for one in allowed if one[0].holder.human not in used]
    why = [one for one in found[1:] if THROUGH in one[1].policies and not found[0][1].policies]
    return (unused or allowed or why or found)[0]


def _seen(holder: Person) -> Mapping[str, Attribute]:
    """Return whose right it is, as the policies see them."""
    identities = sorted({holder.subject, holder.human})
    return {"identities": identities, "active": holder.active, "groups": sorted(holder.groups)}


async def _person(directory: Directory, actor: Actor, *, within: float | None = None) -> Person | None:
    try:
        return await directory.person_of(actor.subject, within=within)
    except NotFound:
        return None
