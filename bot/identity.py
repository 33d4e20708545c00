"""Who a Slack user is: the person of the company directory, or nobody we act for."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot import faults
from bot.accounts import Ours
from bot.database import Pool
from bot.faults import Fault
from bot.refusals import NETWORK, key
from connectors.directory import Person, Some
from connectors.errors import ConnectorError, NotFound, naming

CLICK = 1.5  # seconds that a click can wait for the directory; Slack wants its answer within three
JOB = 10.0
CALLED = 500  # members of one group among whom we look for those whom we can mention


class Refused(Exception):
    """We do not act for this Slack user. `key` says why."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class Unknown(Exception):
    """Nobody can say at the moment who this is, because of a fault of one system. Nothing was done."""

    key = "unavailable"

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault.system}: {fault.key}")
        self.fault = fault


class People(Protocol):
    """What of the directory is needed here."""

    issuer: str

    async def person_by_email(self, email: str, *, within: float | None = None) -> Person:
        """Return the one person with that e-mail address, read now."""

    async def some_members(self, group_id: str, most: int, *, within: float | None = None) -> Some:
        """Return up to so many members of a group, read now."""


class Identity:
    """Finds the person behind a Slack user, afresh each time."""

    def __init__(
        self,
        pool: Pool,
        slack: AsyncWebClient,
        people: People,
        team: str,
        *,
        enterprise: str | None = None,
    ) -> None:
        """Take the workspace that the bot was installed in, and its organisation, if it is part of one."""
        self._ours = Ours(team=team, enterprise=enterprise)
        self._pool = pool
        self._slack = slack
        self._people = people
        self._team = team
        self._zones: dict[str, str] = {}  # as Slack said when each was last looked up

    async def person(self, user: str, *, within: float = CLICK) -> Person:
        """The active person whose account this is. Raises Refused, or Unknown when it takes too long."""
        email = await self._email(user, within)
        try:
            with naming("directory"):
                person = await self._people.person_by_email(email, within=within)
        except NotFound as error:
            raise Refused("not_in_directory") from error
        except ConnectorError as error:
            raise Unknown(faults.of(error)) from error
        if not person.active:
            raise Refused("inactive")
        if await self._pin(user, person.subject) != person.subject:
            raise Refused("changed")
        return person

    def zone(self, user: str) -> str:
        """Return the time zone of somebody who has just been looked up; empty where Slack names none."""
        return self._zones.get(user, "")

    async def users(self, subjects: set[str]) -> Mapping[str, str]:
        """Return the Slack user ids of those subjects whom we have met."""
        async with self._pool.connection() as conn:
            cursor = await conn.execute(
                "SELECT subject, min(slack_user) AS slack_user FROM slack_person"
                " WHERE team = %s AND subject = ANY(%s) GROUP BY subject",
                (self._team, sorted(subjects)),
            )
            return {row["subject"]: row["slack_user"] for row in await cursor.fetchall()}

    async def members(self, groups: Iterable[str]) -> Mapping[str, str]:
        """Return the Slack user ids of the members whom we have met of these groups (ids), by subject.

        Raises ConnectorError, but a group that is not there has no members.
        """
        subjects: set[str] = set()
        for one in groups:
            try:
                some = await self._people.some_members(one, CALLED, within=JOB)
            except NotFound:
                continue
            subjects |= {f"{self._people.issuer}#{member}" for member in some.ids}
        return await self.users(subjects)

    async def _email(self, user: str, within: float) -> str:
        try:
            async with asyncio.timeout(within):
                answer = await self._slack.users_info(user=user)
        except SlackApiError as error:
            if key(error) in {"user_not_found", "user_not_visible"}:
                raise Refused("stranger") from error
            raise Unknown(faults.of_slack(error)) from error
        except NETWORK as error:
            raise Unknown(faults.of_slack(error)) from error
        account: dict[str, Any] = answer["user"]
        self._zones[user] = str(account.get("tz") or "")
        if refusal := self._ours.refusal(account):
            raise Refused(refusal)
        email = str(account.get("profile", {}).get("email") or "")
        if not email:
            raise Refused("no_email")
        return email

    async def _pin(self, user: str, subject: str) -> str:
        """Return the subject to whom the account belonged at first sight, which is now if there was none."""
        async with self._pool.connection() as conn:
            await conn.execute(
                "INSERT INTO slack_person (team, slack_user, subject) VALUES (%s, %s, %s)"
                " ON CONFLICT DO NOTHING",
                (self._team, user, subject),
            )
            cursor = await conn.execute(
                "SELECT subject FROM slack_person WHERE team = %s AND slack_user = %s", (self._team, user)
            )
            row = await cursor.fetchone()
        assert row is not None  # inserted above at the latest
        return str(row["subject"])
