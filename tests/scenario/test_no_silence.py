"""Whatever goes wrong with what somebody said or clicked, they are told, and the log has it once."""

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.app import Rounds
from bot.blocks import request
from bot.database import Database
from connectors.sandbox.process import Running
from graphs.ports import Connection
from tests.scenario.slack_office import ADA, ASK_POLICY, BOT, Office, open_office, texts

Json = dict[str, Any]
WRONG = "Something went wrong on my side"
STORES = ("jobs", "events", "identity", "answering", "questions", "outbox", "runs", "understanding")
SAID = {
    "a question": "How long is parental leave?",
    "a request": "I need billing-db for 3 days to close the quarter",
    "a call for a person": "I want to talk to a human",
}


def option(value: str) -> Json:
    return {"text": {"type": "plain_text", "text": value}, "value": value}


@pytest.fixture
async def office(
    database: Database, database_home: Path, slack_home: Path, server: Running
) -> AsyncIterator[Office]:
    async with open_office(database, database_home, slack_home, server) as opened:
        yield opened


def steps(office: Office) -> Iterator[tuple[str, str]]:
    """Yield every public method of the parts that a message passes through, as (store, name)."""
    for store in STORES:
        part = getattr(office.parts, store)
        for name, _ in inspect.getmembers(part, inspect.iscoroutinefunction):
            if not name.startswith("_"):
                yield store, name


@contextmanager
def wrapped(part: object, name: str, around: Callable[..., Awaitable[Any]]) -> Iterator[None]:
    """Have a method of that part run `around(method, ...)` instead."""
    method = getattr(part, name)

    async def instead(*given: Any, **named: Any) -> Any:
        return await around(method, *given, **named)

    setattr(part, name, instead)
    try:
        yield
    finally:
        delattr(part, name)


def in_round() -> bool:
    """Whether the worker calls in one of its rounds, in which it does not deal with what somebody said.

    The round that gives an event anew does: it runs the event's listener.
    """
    task = asyncio.current_task()
    name = "" if task is None else task.get_name()
    return name.startswith(f"{Rounds.__name__}.") and name != Rounds._give_untaken.__qualname__


async def passed(office: Office, act: Callable[[], Awaitable[Any]]) -> list[tuple[str, str]]:
    """Return the methods that are called while what the person did is dealt with, as it turns out well."""
    called: list[tuple[str, str]] = []

    @contextmanager
    def watching() -> Iterator[None]:
        rest = [*steps(office)]

        def watch(store: str, name: str) -> None:
            method = getattr(getattr(office.parts, store), name)

            async def instead(*given: Any, **named: Any) -> Any:
                if (store, name) not in called and not in_round():
                    called.append((store, name))
                return await method(*given, **named)

            setattr(getattr(office.parts, store), name, instead)

        for store, name in rest:
            watch(store, name)
        try:
            yield
        finally:
            for store, name in rest:
                delattr(getattr(office.parts, store), name)

    with watching():
        await act()
    return [(store, name) for store, name in called if (store, name) not in BESIDE]


# Of workers and their rounds, whoever they work for; each is tried again by itself.
BESIDE = {
    ("outbox", "sweep"),
    ("outbox", "deliver"),
    ("outbox", "progress"),
    ("outbox", "card"),
    ("outbox", "tell"),
    ("runs", "sweep"),
    ("runs", "advance"),
    ("runs", "run"),
    ("runs", "approval"),
    ("events", "store_held"),
    ("events", "untaken"),
    ("events", "forget"),
    ("questions", "forget"),
    ("identity", "users"),
    ("jobs", "given_up"),
    ("jobs", "forget"),
    ("jobs", "deliver"),
    ("jobs", "advance"),
    ("jobs", "sync"),
}
# It fails before anybody can be told, and is tried again: Slack sends the event anew, or the job is repeated.
AGAIN = {
    ("events", "store"),
    ("events", "take"),
    ("events", "just_said"),
    ("events", "body"),
    ("outbox", "has_replied"),
    ("jobs", "reply"),
}


class Boom(Exception):
    """No error that anybody has foreseen."""


async def answered(office: Office, conversation: str, ts: str, *, least: int = 1) -> str:
    """Return what is said in the thread, once there is something."""
    async with asyncio.timeout(60):
        while True:
            thread = await office.people.messages(as_=ADA, channel=conversation, thread_ts=ts)
            said = [one for one in thread if one["user"] == BOT]
            if len(said) >= least:
                return "\n".join(texts(one) for one in said)
            async with office.parts.pool.connection() as conn:  # no test waits for a second attempt
                await conn.execute("UPDATE event SET next_at = clock_timestamp() WHERE taken_at IS NULL")
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("text", SAID.values(), ids=SAID)
async def test_wherever_a_message_fails_the_person_is_told(
    office: Office, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    conversation = await office.dm(ADA)

    async def say() -> None:
        ts = await office.people.message(text, as_=ADA, channel=conversation)
        await answered(office, conversation, ts)

    found = await passed(office, say)
    assert {name for _, name in found} >= {"take", "body", "person", "message"}
    for store, name in found:
        part = getattr(office.parts, store)
        failed: list[str] = []

        async def fail(method: Any, *given: Any, failed: list[str] = failed, **named: Any) -> Any:
            if not failed and not in_round():
                failed.append("once")
                raise Boom
            return await method(*given, **named)

        caplog.clear()
        with wrapped(part, name, fail):
            ts = await office.people.message(text, as_=ADA, channel=conversation)
            said = await answered(office, conversation, ts)
        assert failed, f"{name} was not called"
        if (store, name) in AGAIN:
            assert WRONG not in said
            continue
        assert WRONG in said, f"{type(part).__name__}.{name} failed and the person read: {said}"
        logged = [one for one in caplog.records if one.exc_info and one.levelno >= logging.ERROR]
        assert len(logged) == 1, name
        assert logged[0].getMessage().split()[4] in said.replace(".", " ").split()


async def test_a_mention_that_fails_is_told_to_whoever_mentioned_the_bot_alone(office: Office) -> None:
    async def fail(method: Any, *given: Any, **named: Any) -> Any:
        raise Boom

    with wrapped(office.parts.answering, "among_others", fail):
        await office.people.message(f"<@{BOT}> how long is parental leave?", as_=ADA, channel=ASK_POLICY)
        async with asyncio.timeout(30):
            while not any(
                WRONG in texts(one) for one in await office.people.messages(as_=ADA, channel=ASK_POLICY)
            ):
                await asyncio.sleep(0.05)


async def test_a_job_that_fails_for_good_is_told_once(office: Office) -> None:
    """As procrastinate leaves a job that was tried too often."""
    conversation = await office.dm(ADA)

    async def never(method: Any, conn: Connection, event: str, **named: int) -> None:
        async with conn.transaction():
            await method(conn, event, **named)
            await conn.execute(
                "UPDATE procrastinate_jobs SET status = 'failed', attempts = 6"
                " WHERE task_name = 'reply' AND status = 'todo'"
            )

    with wrapped(office.parts.jobs, "reply", never):
        ts = await office.people.message("How long is parental leave?", as_=ADA, channel=conversation)
        assert WRONG in await answered(office, conversation, ts)
    async with asyncio.timeout(20):
        while await office.parts.jobs.given_up():
            await asyncio.sleep(0.05)


CLICKS: dict[str, tuple[str, str]] = {
    "/ask": ("answering", "privately"),
    "/request": ("understanding", "slots"),
}


@pytest.mark.parametrize("command", CLICKS)
async def test_a_command_that_fails_is_told(office: Office, command: str) -> None:
    async def fail(method: Any, *given: Any, **named: Any) -> Any:
        raise Boom

    store, name = CLICKS[command]
    with wrapped(getattr(office.parts, store), name, fail):
        await office.people.command(command, "billing-db for 3 days", as_=ADA, channel=ASK_POLICY)
        async with asyncio.timeout(30):
            while not any(
                WRONG in texts(one) for one in await office.people.messages(as_=ADA, channel=ASK_POLICY)
            ):
                await asyncio.sleep(0.05)


async def test_a_form_that_fails_says_so_beside_its_first_field(office: Office) -> None:
    async def fail(method: Any, *given: Any, **named: Any) -> Any:
        raise Boom

    await office.people.command("/request", "billing-db", as_=ADA, channel=ASK_POLICY)
    view = await office.people.wait_for_view(as_=ADA)
    filled = {
        "group": {"type": "static_select", "selected_option": option("billing-db")},
        "days": {"type": "number_input", "value": "3"},
        "reason": {"type": "plain_text_input", "value": "audit"},
    }
    with wrapped(office.parts.runs, "start", fail):
        answer = await office.people.submit(
            view["id"], {name: {request.VALUE: state} for name, state in filled.items()}, as_=ADA
        )
    assert answer["response_action"] == "errors"
    assert WRONG in next(iter(answer["errors"].values()))
