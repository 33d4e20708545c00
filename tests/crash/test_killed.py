"""`kill -9` at every point between a request and the end of what it granted: one change at the directory.

The directory's own log is the witness: it counts changes of memberships, whatever anybody believes.
"""

from contextlib import suppress

import psycopg
import pytest

from bot.storage.cluster import APPLICATION_ROLE, Cluster
from bot.workspace.client import ControlError
from tests.town import ADA, BEN, GRACE, INES, TOMAS, Asked, Town, until

pytestmark = [pytest.mark.crash, pytest.mark.asyncio(loop_scope="session")]

FOREVER = 600.0  # seconds that a fault holds a call: until the test is over


async def changed(town: Town, asked: Asked, *expected: str) -> None:
    """Wait until the directory server says that it has made these changes."""

    async def look() -> bool:
        return await town.changes(asked.group) == list(expected)

    await until(look, f"{asked.group} {expected}")


async def intended(town: Town, asked: Asked, act: str) -> None:
    """Wait until the ledger says that an act is about to be done."""

    async def look() -> bool:
        return (act, "intended", False) in await town.effects(asked.run)

    await until(look, f"the intent to {act}")


async def granted(town: Town, who: str) -> Asked:
    asked = await town.request(who)
    await town.click(GRACE, asked)
    await town.stands(asked.run, "done")
    return asked


async def test_the_bot_is_killed_while_the_approval_waits(town: Town) -> None:
    asked = await town.request(ADA)
    await town.kill("bot")
    assert not (await town.click(GRACE, asked))["acknowledged"], "Grace sees that nobody has heard her"
    assert await town.status(asked.run) == "waiting"
    await town.start("bot")
    assert (await town.click(GRACE, asked))["acknowledged"]
    await town.stands(asked.run, "done")
    assert await town.changes(asked.group) == ["added"]
    assert await town.effects(asked.run) == [("apply", "done", False)]
    await town.heard(ADA, f"Done: access to {asked.group}")
    assert len(await town.cards(asked.group)) == 1


@pytest.mark.parametrize("end", ["killed", "asked to leave"])
async def test_the_bot_ends_between_the_answer_of_the_directory_and_its_record(town: Town, end: str) -> None:
    asked = await town.request(INES)
    await town.fault("delay_after", on="PATCH", resource="Groups", seconds=FOREVER)
    await town.click(GRACE, asked)
    await changed(town, asked, "added")
    assert await town.effects(asked.run) == [("apply", "intended", False)]
    await (town.kill("bot") if end == "killed" else town.parts["bot"].stop())
    assert await town.effects(asked.run) == [("apply", "intended", False)]
    await town.start("bot")
    await town.stands(asked.run, "done")
    assert await town.changes(asked.group) == ["added"]
    assert await town.effects(asked.run) == [("apply", "done", True)], "found by looking"
    await town.heard(INES, f"Done: access to {asked.group}")


async def test_the_bot_is_killed_between_the_intent_and_the_call(town: Town) -> None:
    asked = await town.request(TOMAS)
    await town.fault("delay_before", on="PATCH", resource="Groups", seconds=FOREVER)
    await town.click(BEN, asked)
    await intended(town, asked, "apply")
    await town.kill("bot")
    assert await town.changes(asked.group) == []
    await town.directory.delete("/_sandbox/faults")
    await town.start("bot")
    await town.stands(asked.run, "done")
    assert await town.changes(asked.group) == ["added"]
    assert await town.effects(asked.run) == [("apply", "done", False)], "looked for, not there, done"


@pytest.mark.parametrize("moment", ["delay_before", "delay_after"])
async def test_the_bot_is_killed_while_it_ends_an_access(town: Town, moment: str) -> None:
    asked = await granted(town, ADA)
    ending = await town.ending(asked.run)
    # Everything that earlier tests were granted ends at the same hour, so every change is held.
    await town.fault(moment, on="PATCH", resource="Groups", seconds=FOREVER, times=20)
    await town.people.clock(days=3, hours=1)
    await intended(town, asked, "undo")
    if moment == "delay_after":
        await changed(town, asked, "added", "removed")
    await town.kill("bot")
    done = ["added"] if moment == "delay_before" else ["added", "removed"]
    assert await town.changes(asked.group) == done
    await town.directory.delete("/_sandbox/faults")
    await town.start("bot")
    await town.stands(ending, "done")
    assert await town.changes(asked.group) == ["added", "removed"]
    found = moment == "delay_after"
    assert await town.effects(asked.run) == [("apply", "done", False), ("undo", "done", found)]
    await town.heard(ADA, f"The access to {asked.group} has ended")


async def test_the_bot_is_killed_again_while_it_recovers(town: Town) -> None:
    asked = await town.request(INES)
    await town.fault("delay_after", on="PATCH", resource="Groups", seconds=FOREVER)
    await town.click(GRACE, asked)
    await changed(town, asked, "added")
    await town.kill("bot")
    ((token,),) = await town.rows("SELECT token FROM run WHERE id = %s", asked.run)
    await town.fault("delay_before", on="search", resource="Groups", seconds=FOREVER, times=0)
    await town.start("bot")

    async def taken_again() -> bool:
        return await town.rows("SELECT token FROM run WHERE id = %s", asked.run) > [(token,)]

    await until(taken_again, "the second attempt")
    await town.kill("bot")
    await town.directory.delete("/_sandbox/faults")
    await town.start("bot")
    await town.stands(asked.run, "done")
    assert await town.changes(asked.group) == ["added"]
    assert await town.effects(asked.run) == [("apply", "done", True)]


@pytest.mark.parametrize("fault", ["error_after", "drop_after"])
async def test_the_directory_does_it_and_says_that_it_failed(town: Town, fault: str) -> None:
    asked = await town.request(ADA)
    await town.fault(fault, on="PATCH", resource="Groups")
    await town.click(GRACE, asked)
    await town.stands(asked.run, "done")
    assert await town.changes(asked.group) == ["added"]
    assert await town.effects(asked.run) == [("apply", "done", True)]


@pytest.mark.parametrize("moment", ["delay_before", "delay_after"])
async def test_the_directory_is_killed_during_the_call(town: Town, moment: str) -> None:
    asked = await town.request(TOMAS)
    await town.fault(moment, on="PATCH", resource="Groups", seconds=FOREVER)
    await town.click(GRACE, asked)
    await intended(town, asked, "apply")
    if moment == "delay_after":
        await changed(town, asked, "added")
    await town.kill("directory")
    await town.stands(asked.run, "retrying")
    await town.heard(TOMAS, "The company directory cannot be reached; I keep trying")
    await town.start("directory")
    await town.stands(asked.run, "done", within=120)
    assert await town.changes(asked.group) == ["added"]
    assert await town.effects(asked.run) == [("apply", "done", moment == "delay_after")]


async def test_the_workspace_is_killed_while_the_card_is_posted(town: Town) -> None:
    """The answers to the posts are lost, and then the whole workspace is."""
    group = await town.group()
    channel = await town.dm(ADA)
    await town.people.faults("chat.postMessage", "drop_after", times=2)
    await town.people.message(f"I need {group} for 3 days to try", as_=ADA, channel=channel)

    async def attempted() -> bool:
        return bool(
            await town.rows(
                "SELECT 1 FROM message JOIN approval ON message.ref = approval.id JOIN run ON run = run.id"
                " WHERE slots->>'group' = %s AND attempted_at IS NOT NULL",
                group,
            )
        )

    await until(attempted, "the post of the card")
    await town.kill("workspace")
    await town.start("workspace")
    await town.people.connected(timeout=60)
    asked = await town.asked(group)
    assert (await town.click(GRACE, asked))["acknowledged"]
    await town.stands(asked.run, "done")
    await town.heard(ADA, f"Done: access to {group}")
    assert len(await town.cards(group)) == 1
    assert await town.changes(group) == ["added"]


@pytest.mark.parametrize("moment", ["while the approval waits", "during the call"])
async def test_the_database_server_is_killed(town: Town, moment: str) -> None:
    """The bot outlives it, and hears of new jobs at once again."""
    bot = town.parts["bot"].process
    asked = await town.request(ADA)
    if moment == "during the call":
        await town.fault("delay_after", on="PATCH", resource="Groups", seconds=2)
        await town.click(GRACE, asked)
        await changed(town, asked, "added")
    town.kill_database()

    async def done() -> bool:
        if moment == "while the approval waits":
            with suppress(ControlError):  # once it is decided the card has no buttons
                await town.click(GRACE, asked)
        return await town.status(asked.run) == "done"

    await until(done, "the end of the run", pause=0.5)
    assert await town.changes(asked.group) == ["added"]
    ((act, state, _),) = await town.effects(asked.run)
    assert (act, state) == ("apply", "done")
    await until(lambda: listens(town), "the worker's ear for new jobs", pause=0.5)
    assert bot is not None
    assert bot.returncode is None


async def listens(town: Town) -> bool:
    """Whether a connection of the bot waits for notifications."""
    cluster = Cluster(town.home)
    cluster.prepare()
    role = cluster.conninfo(APPLICATION_ROLE)  # who sees what its other connections have asked last
    async with await psycopg.AsyncConnection.connect(role) as conn:
        cursor = await conn.execute("SELECT 1 FROM pg_stat_activity WHERE query ILIKE 'LISTEN%'")
        return await cursor.fetchone() is not None
