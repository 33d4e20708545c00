"""Who somebody is: the directory's word, pinned at first sight, or a refusal that says why."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from slack_sdk.web.async_client import AsyncWebClient

from bot import sentences, troubles
from bot.database import Database
from bot.demo.world import TEAM, world
from bot.identity import Identity, Refused, Unknown
from bot.workspace.client import WorkspaceClient
from bot.workspace.server import running
from connectors.directory import Person
from connectors.errors import Conflict, ConnectorError, Denied, Mismatch, NotFound, Unavailable

ROOT = Path(__file__).parents[2]


@dataclass
class Book:
    """A directory that says what the test has written into it."""

    subject: str = "ada-1"
    active: bool = True
    error: ConnectorError | None = None
    asked: list[str] = field(default_factory=list)

    async def person_by_email(self, email: str, *, within: float | None = None) -> Person:
        self.asked.append(email)
        if self.error is not None:
            raise self.error
        return Person(
            id=self.subject,
            issuer="larkfield",
            user_name=email,
            name="Ada Okafor",
            email=email,
            title="",
            active=self.active,
            manager=None,
            groups=frozenset({"employees"}),
        )


@dataclass
class Desk:
    identity: Identity
    book: Book
    people: WorkspaceClient
    slack: AsyncWebClient
    database: Database


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    manifest = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
    async with (
        running(world(manifest, bot_token="xoxb-id", app_token="xapp-id")) as server,
        WorkspaceClient(server.url) as people,
    ):
        slack = AsyncWebClient(token="xoxb-id", base_url=server.api_url, timeout=5, retry_handlers=[])
        book = Book()
        yield Desk(Identity(database.pool, slack, book, TEAM), book, people, slack, database)


async def test_a_person_is_found_by_the_address_that_slack_has_and_read_afresh_each_time(desk: Desk) -> None:
    for _ in range(2):
        person = await desk.identity.person("U0ADA")
    assert person.subject == "larkfield#ada-1"
    assert desk.book.asked == ["ada.okafor@larkfield.example"] * 2


async def test_an_account_stays_with_the_person_it_was_first_seen_with(desk: Desk) -> None:
    await desk.identity.person("U0ADA")
    desk.book.subject = "another-ada"
    assert await refusal(desk, "U0ADA") == "changed"
    assert await desk.identity.users({"larkfield#ada-1", "larkfield#another-ada"}) == {
        "larkfield#ada-1": "U0ADA"
    }


@pytest.mark.parametrize(
    ("user", "key"),
    [("U0NOOR", "guest"), ("U0JUN", "deactivated"), ("U0COUNTERSIGN", "bot"), ("U0NOBODY", "stranger")],
)
async def test_who_is_no_member_is_refused_before_the_directory_is_asked(
    desk: Desk, user: str, key: str
) -> None:
    assert await refusal(desk, user) == key
    assert desk.book.asked == []


async def test_a_person_of_another_workspace_is_a_stranger(desk: Desk) -> None:
    elsewhere = Identity(desk.database.pool, desk.slack, desk.book, "T0ELSEWHERE")
    with pytest.raises(Refused) as caught:
        await elsewhere.person("U0ADA")
    assert caught.value.key == "stranger"


async def test_who_left_the_company_is_refused_and_not_pinned(desk: Desk) -> None:
    desk.book.active = False
    assert await refusal(desk, "U0ADA") == "inactive"
    assert await desk.identity.users({"larkfield#ada-1"}) == {}


async def test_who_is_not_in_the_directory_is_refused(desk: Desk) -> None:
    desk.book.error = NotFound("nobody")
    assert await refusal(desk, "U0ADA") == "not_in_directory"


@pytest.mark.parametrize("error", [Unavailable("down"), Denied("no"), Mismatch("odd"), Conflict("two")])
async def test_when_the_directory_cannot_tell_nothing_is_decided(desk: Desk, error: ConnectorError) -> None:
    desk.book.error = error
    with pytest.raises(Unknown) as caught:
        await desk.identity.person("U0ADA")
    assert (caught.value.fault.system, caught.value.fault.key) == ("directory", error.key)
    assert await desk.identity.users({"larkfield#ada-1"}) == {}


@pytest.mark.parametrize(
    ("kind", "details"),
    [("http_500", {}), ("drop", {"times": 3}), ("delay", {"seconds": 2.0}), ("ratelimited", {})],
)
async def test_when_slack_cannot_tell_nothing_is_decided(
    desk: Desk, kind: str, details: dict[str, Any]
) -> None:
    await desk.people.faults("users.info", kind, **details)
    with pytest.raises(Unknown) as caught:
        await desk.identity.person("U0ADA", within=0.5)
    assert caught.value.fault.system == "slack"
    assert "Slack" in troubles.refusal(caught.value)
    assert "directory" not in troubles.refusal(caught.value)
    assert desk.book.asked == []


async def test_two_first_sights_at_once_are_one(desk: Desk) -> None:
    found = await asyncio.gather(*(desk.identity.person("U0ADA") for _ in range(8)))
    assert {person.subject for person in found} == {"larkfield#ada-1"}


def test_every_refusal_has_its_sentence() -> None:
    keys = {"guest", "stranger", "bot", "deactivated", "no_email", "not_in_directory", "inactive", "changed"}
    assert set(sentences.REFUSALS) == keys | {Unknown.key}


async def refusal(desk: Desk, user: str) -> str:
    with pytest.raises(Refused) as caught:
        await desk.identity.person(user)
    return caught.value.key
