"""Every request that writes, three times: as the server had it, as it was sent, as the ledger has it (E1).

What is sent is watched at the transport, below every connector, where only the running act can be asked for.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import httpx

from connectors import permits
from connectors.errors import NotPermitted
from graphs.effects import Held
from graphs.records import RunStatus, Verdict
from tests.abuse import emergencies
from tests.abuse.arena import ADMINISTRATOR, GRACE, Arena
from tests.abuse.scenes import Scene, scenes


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """How many requests to write there were."""

    at_the_server: int
    in_an_act: int
    outside: int  # sent by this process without an act
    in_the_ledger: int
    operations: frozenset[tuple[str, str]]  # operation and act

    @property
    def wrong(self) -> int:
        """How many have no act, or no effect in the ledger."""
        return max(
            self.outside,
            self.at_the_server - self.in_an_act,
            abs(self.at_the_server - self.in_the_ledger),
        )


@contextmanager
def watched() -> Iterator[list[permits.Grant | None]]:
    """Collect the act under which each request to write leaves this process, None where there is none."""
    send, sent = httpx.AsyncHTTPTransport.handle_async_request, []

    async def noted(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        if request.method != "GET" and request.headers.get("user-agent") != ADMINISTRATOR:
            try:
                sent.append(permits.running_act())
            except NotPermitted:
                sent.append(None)
        return await send(transport, request)

    httpx.AsyncHTTPTransport.handle_async_request = noted  # type: ignore[method-assign]  # for as long as it lasts
    try:
        yield sent
    finally:
        httpx.AsyncHTTPTransport.handle_async_request = send  # type: ignore[method-assign]


async def played(arena: Arena, sent: Sequence[permits.Grant | None]) -> Written:
    """Let every operation be granted, refused, ended and taken back, in every workflow, and count."""
    for scene in (*scenes(), emergencies.SCENE):
        for play in (_granted, _refused):
            await arena.begin(scene)
            await play(arena, scene)
    return await counted(arena, sent)


async def counted(arena: Arena, sent: Sequence[permits.Grant | None]) -> Written:
    """Count what was written so far."""
    ((effects,),) = await arena.rows("SELECT count(*) FROM effect WHERE tenant = %s", arena.tenant)
    acts = [one for one in sent if one is not None]
    return Written(
        at_the_server=await arena.written(),
        in_an_act=len(acts),
        outside=len(sent) - len(acts),
        in_the_ledger=int(effects),
        operations=frozenset((one.operation, one.act) for one in acts),
    )


async def _granted(arena: Arena, scene: Scene) -> None:
    """Have it approved and done; what does not end by itself is taken back."""
    asked = await arena.ask()
    await arena.click(asked.card, GRACE)
    await arena.work()
    assert (await arena.run(asked)).status is RunStatus.DONE, scene.name
    await arena.later(timedelta(days=4))
    query = "SELECT count(*) FROM effect WHERE approval = %s AND act = 'undo'"
    if await arena.rows(query, asked.card) == [(0,)]:
        ((token, version),) = await arena.rows("SELECT token, version FROM run WHERE id = %s", asked.run)
        held = Held(run=await arena.run(asked), version=version, token=token)
        ((step,),) = await arena.rows("SELECT step FROM effect WHERE approval = %s", asked.card)
        await arena.runs._kit.gate.reverse(held, asked.card, str(step))


async def _refused(arena: Arena, scene: Scene) -> None:
    asked = await arena.ask()
    await arena.click(asked.card, GRACE, Verdict.DENY, "no")
    await arena.work()
    assert (await arena.run(asked)).status is RunStatus.REFUSED, scene.name
