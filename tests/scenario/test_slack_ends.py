"""The end of an access as people in Slack hear of it, while the directory hides, swallows or refuses."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.database import Database
from connectors.directory.records import GroupRecord
from connectors.directory.scim import Scim
from connectors.sandbox.process import Running
from tests.scenario.slack_office import ADA, APPROVERS, GRACE, Office, open_office, texts

ASK = "I need billing-db for 3 days to close the quarter"
ENOUGH = 60.0  # seconds, on a machine that is busy with other things


@pytest.fixture
async def office(
    database: Database,
    database_home: Path,
    slack_home: Path,
    server: Running,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Office]:
    monkeypatch.setattr("connectors.directory.memberships.LOOKS", (0.0,))
    async with open_office(database, database_home, slack_home, server) as opened:
        yield opened


async def until(seen: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(ENOUGH):
        while not await seen():
            await asyncio.sleep(0.1)


async def granted(
    office: Office,
) -> tuple[Callable[[str], Awaitable[bool]], Callable[[str], Awaitable[bool]]]:
    """Have Ada given access. Returns who can tell what her thread and the card's thread have heard."""
    dm = await office.dm(ADA)
    asked = await office.people.message(ASK, as_=ADA, channel=dm)

    async def cards() -> list[dict[str, Any]]:
        return await office.people.messages(as_=GRACE, channel=APPROVERS)

    async def posted() -> bool:
        return any("billing-db" in texts(one) for one in await cards())

    async def there() -> bool:
        return "Ada Okafor" in await office.members("billing-db")

    await until(posted)
    card = (await cards())[-1]["ts"]
    await office.people.action("approval.approve", as_=GRACE, channel=APPROVERS, message_ts=card)
    await until(there)

    async def thread(words: str) -> bool:
        told = await office.people.messages(as_=ADA, channel=dm, thread_ts=asked)
        return any(words in texts(one) for one in told)

    async def beside(words: str) -> bool:
        told = await office.people.messages(as_=GRACE, channel=APPROVERS, thread_ts=card)
        return any(words in texts(one) for one in told)

    return thread, beside


async def test_a_list_that_is_cut_does_not_keep_the_access(office: Office) -> None:
    thread, _ = await granted(office)
    ada = (await office.parts.identity.person(ADA)).id
    read, patch, sent = Scim._read, Scim.patch_member, []

    async def cut(self: Scim, model: Any, one: str) -> Any:
        found = await read(self, model, one)
        if not isinstance(found, GroupRecord):
            return found
        return found.model_copy(update={"members": [m for m in (found.members or ()) if m.value != ada]})

    async def counted(self: Scim, *args: Any, **kwargs: Any) -> None:
        sent.append(args)
        await patch(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(Scim, "_read", cut)
        patching.setattr(Scim, "patch_member", counted)
        await office.move_clock(timedelta(days=3, hours=1))
        await until(lambda: thread("has ended, as agreed"))
    assert len(sent) == 1
    assert "Ada Okafor" not in await office.members("billing-db")


async def test_an_access_that_does_not_end_is_told_in_both_threads_until_it_does(office: Office) -> None:
    thread, beside = await granted(office)

    async def swallowed(self: Scim, *args: Any, **kwargs: Any) -> None:
        return None

    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(Scim, "patch_member", swallowed)
        await office.move_clock(timedelta(days=3, hours=1))
        await until(lambda: thread("I cannot confirm that the access"))
        await until(lambda: beside("should have ended, and I cannot confirm that it has"))
        assert not await thread("has ended, as agreed")
        assert "Ada Okafor" in await office.members("billing-db")
    await office.move_clock(timedelta(hours=2))
    await until(lambda: thread("has ended, as agreed"))
    assert "Ada Okafor" not in await office.members("billing-db")
