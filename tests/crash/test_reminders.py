"""`kill -9` around a reminder: it stands once in the thread of the card."""

from typing import Any

import pytest

from tests.town import ADA, APPROVERS, BEN, GRACE, Asked, Town, text, until

pytestmark = [pytest.mark.crash, pytest.mark.asyncio(loop_scope="session")]


async def reminders(town: Town, asked: Asked) -> list[dict[str, Any]]:
    """What stands about the card in its thread."""
    thread = await town.people.messages(as_=BEN, channel=APPROVERS, thread_ts=asked.ts)
    return [one for one in thread if "This still waits for a decision" in text(one)]


async def reminded(town: Town, asked: Asked) -> None:
    """Wait until the reminder is there, and nothing about it is left to be done."""

    async def look() -> bool:
        rows = await town.rows(
            "SELECT 1 FROM message WHERE ref = %s AND kind = 'beside' AND state = 'done'",
            f"card:{asked.card}",
        )
        return bool(rows) and bool(await reminders(town, asked))

    await until(look, "the reminder", pause=0.2)


@pytest.mark.parametrize("fault", ["drop_after", "drop"])
async def test_the_bot_is_killed_while_it_reminds(town: Town, fault: str) -> None:
    """The answer to the post is lost or the post is, and then the whole bot is; half of the time was over
    while it was dead before.
    """
    asked = await town.request(ADA)
    await town.kill("bot")
    await town.people.clock(hours=12, days=0)
    await town.people.faults("chat.postMessage", fault, times=1)
    await town.start("bot")

    async def attempted() -> bool:
        return bool(
            await town.rows(
                "SELECT 1 FROM message WHERE ref = %s AND attempted_at IS NOT NULL", f"card:{asked.card}"
            )
        )

    await until(attempted, "the post of the reminder")
    await town.kill("bot")
    await town.start("bot")
    await reminded(town, asked)
    assert len(await reminders(town, asked)) == 1
    assert (await town.click(GRACE, asked))["acknowledged"]
    await town.stands(asked.run, "done")
    assert await town.changes(asked.group) == ["added"]
    assert len(await reminders(town, asked)) == 1
