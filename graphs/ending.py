"""How what was lent for a time ends: revoked under the approval that gave it, and looked at again."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, Protocol

from langgraph.runtime import Runtime

from connectors.errors import Conflict, ConnectorError, NotFound
from graphs import effects
from graphs.admission import Refused
from graphs.effects import Effect
from graphs.engine.nodes import State
from graphs.kit import Case
from graphs.plans import ONLY
from graphs.pools import reading
from graphs.ports import Connection
from graphs.records import Run

Owed = Callable[[Case, Connection, Run, Mapping[str, str]], Awaitable[None]]
Left = Literal["revoked", "group_deleted", "in_new_group", "was_before", "still_there"]

TOLD = 3  # attempts at an end, a few seconds; after that its owner is told
ENDED: frozenset[Left] = frozenset({"revoked", "group_deleted", "was_before"})


class Revoke(Protocol):
    """A node that ends a membership."""

    async def __call__(self, state: State, runtime: Runtime[Case]) -> State:
        """Do it, or raise."""


def revoking(owed: Owed) -> Revoke:
    """Make the first node of what ends a membership: undo the grant, under the approval that covered both.

    It is tried until the outside system shows that it has ended. `owed` tells the owner when that does not
    come to pass, with `error`, the key of what is in the way.
    """

    async def revoke(state: State, runtime: Runtime[Case]) -> State:
        case = runtime.context
        held = await case.held()
        try:
            await case.kit.gate.reverse(held, held.run.values["approval"], held.run.values.get("step", ONLY))
        except (ConnectorError, Refused) as error:
            if isinstance(error, Refused) or (await case.row()).attempts + 1 >= TOLD:
                facts = {"group": held.run.values["group"], "error": error.key}
                async with case.writing() as conn:
                    await owed(case, conn, held.run, facts)
            raise
        return {}

    return revoke


async def left(case: Case, undone: Effect, *, there: bool) -> Left:
    """Look what is left of a membership that was ended; `there` is whether it is still seen.

    A group that is deleted takes its memberships with it; another of the same name is another group. Somebody
    who was in a group before they were given it stays in it.
    """
    directory, held = case.kit.directory, undone.payload
    async with reading(case.kit.pool) as conn:
        done = await effects.find(conn, undone.approval, undone.step, "apply")
    result = (done.result or {}) if done is not None else {}
    if there:
        return "was_before" if result.get("changed") is False else "still_there"
    try:
        await directory.named(str(held.get("group_id") or result.get("group")))
    except NotFound:
        try:
            anew = await directory.find_group(str(held["group"]))
        except (NotFound, Conflict):
            return "group_deleted"
        again = await directory.is_shown(anew.id, str(held["person"]))
        return "in_new_group" if again else "group_deleted"
    return "revoked"
