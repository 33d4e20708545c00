"""A system is asked so often and no more."""

import pytest

from connectors.errors import Unavailable
from connectors.pace import Pace


async def test_so_many_requests_begin_in_a_second_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    now, waited = 0.0, list[float]()
    pace = Pace("it", timer=lambda: now)

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("connectors.pace.asyncio.sleep", sleep)
    for _ in range(3):
        await pace.turn(2.0, within=1.0)
    assert waited == [0.5, 1.0]
    with pytest.raises(Unavailable) as caught:
        await pace.turn(2.0, within=1.0)
    assert (caught.value.why, caught.value.retry_after) == ("busy", 2)
    now = 1.5
    await pace.turn(2.0, within=1.0)
    assert waited == [0.5, 1.0]
