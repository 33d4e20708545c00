"""One of two bots is lost while it works: the other does its work, and nothing is done twice."""

import signal

import pytest

from tests.figures import workers
from tests.town import Town

pytestmark = [pytest.mark.crash, pytest.mark.asyncio(loop_scope="session")]


async def test_one_of_two_bots_is_killed_and_the_other_does_its_work(running_town: Town) -> None:
    await running_town.ensure_up()
    asked = await running_town.requests(4)
    batch = await workers.interrupted(running_town, asked, signal.SIGKILL)
    assert (batch.lost, batch.doubled, batch.repeated) == (0, 0, 0)
    assert batch.seconds <= workers.TAKEN_OVER_WITHIN
