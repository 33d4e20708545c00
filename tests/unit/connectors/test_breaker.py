"""A system that fails again and again is left alone, and tried again by one."""

import pytest

from connectors.breaker import MOST, REST, Breaker
from connectors.errors import Denied, Resting, Unavailable


class Timer:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def fail(breaker: Breaker) -> None:
    with pytest.raises(Unavailable), breaker.attempt():
        raise Unavailable("away")


def test_a_system_that_failed_too_often_is_left_alone_and_then_tried_by_one() -> None:
    timer = Timer()
    breaker = Breaker("directory", timer=timer)
    for _ in range(MOST):
        fail(breaker)
    with pytest.raises(Resting) as resting, breaker.attempt():
        pytest.fail("it was asked")
    assert resting.value.retry_after == REST
    timer.now = REST
    with breaker.attempt(), pytest.raises(Resting), breaker.attempt():
        pytest.fail("a second one tried")
    with breaker.attempt():
        pass


def test_a_trial_that_fails_begins_another_rest() -> None:
    timer = Timer()
    breaker = Breaker("directory", timer=timer)
    for _ in range(MOST):
        fail(breaker)
    timer.now = REST
    fail(breaker)
    with pytest.raises(Resting), breaker.attempt():
        pytest.fail("it was asked")


def test_a_refusal_is_an_answer() -> None:
    breaker = Breaker("directory", timer=Timer())
    for _ in range(MOST * 2):
        with pytest.raises(Denied), breaker.attempt():
            raise Denied("no")
