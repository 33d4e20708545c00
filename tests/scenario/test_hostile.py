"""A model and strangers that say and call whatever they like; `make figures ARGS=hostile` does more of it."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from knowledge.answer import Citation, Worded
from tests.figures import hostile
from tests.scenario.test_abuse import arena


def test_whatever_a_model_says_nobody_reads_what_they_may_not_and_nothing_happens() -> None:
    said = hostile.through(hostile.outputs(1_200, seed=1))
    assert said == hostile.Said(tried=1_200)


def test_a_reply_that_is_believed_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def believed(reply: str, quotes: Sequence[Citation]) -> tuple[Worded, ...]:
        return (Worded(text=reply, marks=(1,)),)

    monkeypatch.setattr(hostile, "verified", believed)
    said = hostile.through(hostile.outputs(300, seed=1))
    assert said.unsupported > 100
    assert said.forbidden > 10


def test_what_others_wrote_beside_a_request_is_no_part_of_it() -> None:
    assert hostile.taken_from_elsewhere(300, seed=2) == (300, 0)


async def test_goals_of_attackers_as_obeyed_calls_have_no_effect(database_home: Path, tmp_path: Path) -> None:
    goals = hostile.strangers()[::60]
    async with arena(database_home, tmp_path / "directory") as found:
        calls, effects = await hostile.obeyed(found, goals, whole=3)
    assert calls >= 4 * len(goals)
    assert effects == 0
