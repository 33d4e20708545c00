"""Every error of every system against the sentences that people read: system, cause, what stands (D5)."""

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial

from tests.figures.record import Figure, none_wrong
from tests.unit.bot import test_truth as truth


async def measure(*, quick: bool) -> AsyncIterator[Figure]:
    """Yield how many sentences were read, and how many were false. A sample takes all: it is seconds."""
    yield _counted("errors of connectors, at every step of a run", _of_connectors(), least=500)
    yield _counted("errors of Slack", _of_slack(), least=50)
    yield _counted("errors of the database", _of_the_database(), least=200)


def _of_connectors() -> Iterator[Callable[[], None]]:
    for at in truth.AT:
        yield partial(truth.is_said_at, *at)


def _of_slack() -> Iterator[Callable[[], None]]:
    for code in truth.slack_codes():
        yield partial(truth.is_said_of_slack, code)


def _of_the_database() -> Iterator[Callable[[], None]]:
    for kind in truth.OF_DATABASE:
        yield partial(truth.is_said_of_the_database, kind)


def _counted(what: str, checks: Iterator[Callable[[], None]], *, least: int) -> Figure:
    tried = wrong = 0
    for check in checks:
        tried += 1
        try:
            check()
        except AssertionError:
            wrong += 1
    return none_wrong("D5", f"false sentences about {what}", tried=tried, wrong=wrong, least=least)
