"""Where guests or another company listen, only what the company publishes is said aloud."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.database import Database
from connectors.sandbox.process import Running
from knowledge import build, embedder
from knowledge.documents import PUBLIC
from knowledge.sources.base import Defaults
from knowledge.sources.folder import Folder
from tests.scenario.slack_office import (
    ADA,
    ASK_POLICY,
    BOT,
    LEAVE,
    NOOR,
    TOMAS,
    Office,
    Silence,
    open_office,
    texts,
)

GENERAL = "C0GENERAL"  # a guest reads it
RETURNS = """\
---
title: Returns
owner: service@larkfield.example
effective: 2025-01-01
---
# Returns
## Time to return
A customer may return an article within ninety days of its delivery.
"""
INTERNAL, PUBLISHED = (
    "How many days of annual leave do I get?",
    "Within how many days may a customer return an article?",
)


@pytest.fixture
async def office(
    database: Database, database_home: Path, tmp_path: Path, read_home: Path, server: Running
) -> AsyncIterator[Office]:
    home = tmp_path / "home"
    sources = []
    for name, text, defaults in (
        ("leave", LEAVE, Defaults()),
        ("returns", RETURNS, Defaults(audience=frozenset({PUBLIC}))),
    ):
        folder = tmp_path / name
        folder.mkdir()
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
        sources.append(Folder(folder, prefix=name, defaults=defaults))
    home.mkdir()
    (home / "models").symlink_to(read_home / "models")
    build.build(home, sources, embedder.load(home), Silence())
    async with open_office(database, database_home, home, server) as opened:
        yield opened


async def heard(office: Office, expected: str, *, as_: str, channel: str) -> bool:
    """Whether the person sees it there, the threads included."""
    roots = await office.people.messages(as_=as_, channel=channel)
    found = [*roots]
    for root in roots:
        if root.get("reply_count"):
            found += await office.people.messages(as_=as_, channel=channel, thread_ts=root["ts"])
    return any(expected in texts(one) for one in found)


async def until_heard(office: Office, expected: str, *, as_: str, channel: str) -> None:
    async with asyncio.timeout(60):
        while not await heard(office, expected, as_=as_, channel=channel):
            await asyncio.sleep(0.05)


async def test_what_is_for_us_is_answered_to_the_asker_alone_where_a_guest_reads(office: Office) -> None:
    await office.people.message(f"<@{BOT}> {INTERNAL}", as_=ADA, channel=GENERAL)
    await until_heard(office, "27 days", as_=ADA, channel=GENERAL)
    for person in (NOOR, TOMAS):
        assert not await heard(office, "27 days", as_=person, channel=GENERAL)
    await office.people.message(f"<@{BOT}> {INTERNAL}", as_=ADA, channel=ASK_POLICY)
    await until_heard(office, "27 days", as_=TOMAS, channel=ASK_POLICY)


async def test_what_is_published_is_said_aloud_there(office: Office) -> None:
    await office.people.message(f"<@{BOT}> {PUBLISHED}", as_=ADA, channel=GENERAL)
    await until_heard(office, "ninety days", as_=NOOR, channel=GENERAL)


async def test_a_request_that_is_made_there_is_spoken_of_with_its_requester(office: Office) -> None:
    wish = f"<@{BOT}> I need billing-db for 3 days to plan the layoffs"
    await office.people.message(wish, as_=ADA, channel=GENERAL)
    conversation = await office.dm(ADA)
    await until_heard(office, "Requested", as_=ADA, channel=conversation)
    assert not await heard(office, "Requested", as_=NOOR, channel=GENERAL)
