"""Two bots on one database, of which one is lost in the middle of its work."""

import signal

import pytest

from tests.figures import workers
from tests.town import Town

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.crash]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "paused past its time"])
async def test_the_work_of_a_lost_bot_is_taken_over_once(town: Town, number: signal.Signals) -> None:
    batch = await workers.interrupted(town, await workers.requests(town, 3), number)
    assert (batch.lost, batch.doubled, batch.cards) == (0, 0, 0)
