"""Nothing is written but by an act of the gate (E1): counted at the server, on the way, and in the ledger."""

import httpx
import pytest

from connectors.directory import AddToGroup
from connectors.errors import NotPermitted
from tests import writes
from tests.abuse import grounds
from tests.abuse.anything import APPROVERS
from tests.abuse.arena import ADA, Arena


async def test_every_request_to_write_is_sent_in_an_act_that_the_ledger_has() -> None:
    async with grounds.arena() as arena:
        with writes.watched() as sent:
            written = await writes.played(arena, sent)
            assert written.wrong == 0, written
            registered = {operation.name for operation in arena.connectors.registry}
            assert written.operations == {(name, act) for name in registered for act in ("apply", "undo")}

            await _refuses_outside_of_an_act(arena)
            assert await arena.written() == written.at_the_server

            await _writes_around_every_connector(arena)
            assert sent[-1] is None
            assert await arena.written() == written.at_the_server + 1
            assert (await writes.counted(arena, sent)).wrong == 1


async def _writes_around_every_connector(arena: Arena) -> None:
    headers = {"Authorization": arena.scim.headers["Authorization"]}
    async with httpx.AsyncClient(
        base_url=arena.scim.base_url, headers=headers, trust_env=False, verify=False
    ) as client:
        await client.patch("/v2/Groups/none", json={})


async def _refuses_outside_of_an_act(arena: Arena) -> None:
    operation = arena.connectors.registry.operation(AddToGroup.name)
    group = await arena.group(APPROVERS)
    with pytest.raises(NotPermitted):
        await operation._directory.set_member(group["id"], (await arena.person(ADA)).id, member=True)  # type: ignore[attr-defined]
