"""Who hears a channel: whoever is not surely one of ours is an outsider, and so is whom nobody knows."""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot import places
from bot.accounts import Ours
from bot.places import ONE_BY_ONE, Places

Json = dict[str, Any]
WORKSPACE, GRID = Ours(team="T1"), Ours(team="T1", enterprise="E1")
STAFF: Json = {"id": "U1", "team_id": "T1", "is_restricted": False}


@dataclass
class Slack:
    """As much of Slack as is asked here. `refused` says which method fails."""

    channel: Json = field(default_factory=dict)
    accounts: list[Json] = field(default_factory=list)
    refused: str = ""
    unlisted: frozenset[str] = frozenset()
    asked: list[str] = field(default_factory=list)

    async def conversations_info(self, **_: Any) -> Json:
        return self._said("conversations_info", {"channel": self.channel})

    async def conversations_members(self, *, cursor: str | None, **_: Any) -> Json:
        half = len(self.accounts) // 2
        page = self.accounts[half:] if cursor else self.accounts[:half]
        said = {"members": [one["id"] for one in page]}
        following = {"next_cursor": "" if cursor else "rest"}
        return self._said("conversations_members", said | {"response_metadata": following})

    async def users_info(self, *, user: str) -> Json:
        found = next(one for one in self.accounts if one["id"] == user)
        return self._said("users_info", {"user": found})

    async def users_list(self, **_: Any) -> Json:
        listed = [one for one in self.accounts if one["id"] not in self.unlisted]
        return self._said("users_list", {"members": listed})

    def _said(self, method: str, answer: Json) -> Json:
        self.asked.append(method)
        if method == self.refused:
            raise SlackApiError("refused", {"error": "missing_scope"})
        return answer

    def places(self, ours: Ours = WORKSPACE, clock: list[float] | None = None) -> Places:
        now = clock or [0.0]
        return Places(cast(AsyncWebClient, self), ours, clock=lambda: now[0])


def staff(number: int, **more: Any) -> Json:
    return STAFF | {"id": f"U{number}"} | more


ACCOUNTS: dict[str, tuple[Json, bool, bool]] = {  # as Slack tells it, outsider of a workspace, of a grid
    "one of ours": (STAFF, False, False),
    "a guest": (STAFF | {"is_restricted": True}, True, True),
    "a guest of one channel": (STAFF | {"is_ultra_restricted": True}, True, True),
    "another workspace's": (STAFF | {"team_id": "T2"}, True, True),
    "a stranger": (STAFF | {"is_stranger": True}, True, True),
    "no workspace": ({"id": "U1"}, True, True),
    "a sister workspace's": (
        STAFF | {"team_id": "T2", "enterprise_user": {"enterprise_id": "E1"}},
        True,
        False,
    ),
    "of ours, without a workspace": ({"id": "U1", "enterprise_user": {"enterprise_id": "E1"}}, True, False),
    "a sister's, called a stranger": (
        STAFF | {"team_id": "T2", "is_stranger": True, "enterprise_user": {"enterprise_id": "E1"}},
        True,
        False,
    ),
    "a sister's guest": (
        STAFF | {"team_id": "T2", "is_restricted": True, "enterprise_user": {"enterprise_id": "E1"}},
        True,
        True,
    ),
    "of another organisation": (
        STAFF | {"team_id": "T2", "enterprise_user": {"enterprise_id": "E2"}},
        True,
        True,
    ),
    "of an organisation without a name": (STAFF | {"team_id": "T2", "enterprise_user": {}}, True, True),
    "an app": (STAFF | {"is_bot": True}, False, False),
    "somebody who left": (STAFF | {"deleted": True}, False, False),
}


@pytest.mark.parametrize("name", ACCOUNTS)
async def test_an_account_is_an_outsiders_unless_it_is_surely_one_of_ours(name: str) -> None:
    account, of_workspace, of_grid = ACCOUNTS[name]
    assert WORKSPACE.is_outsider(account) is of_workspace
    assert GRID.is_outsider(account) is of_grid
    slack = Slack(accounts=[staff(7), account])
    assert await slack.places().has_outsiders("C1") is of_workspace
    assert await slack.places(GRID).has_outsiders("C1") is of_grid


@pytest.mark.parametrize("flag", ["is_ext_shared", "is_pending_ext_shared", "is_shared", "is_org_shared"])
async def test_a_shared_channel_has_outsiders_whoever_is_in_it(flag: str) -> None:
    assert await Slack(channel={flag: True}, accounts=[STAFF]).places().has_outsiders("C1")


async def test_a_channel_of_our_own_organisation_has_those_who_are_in_it() -> None:
    shared = {"is_shared": True, "is_org_shared": True}
    sister = staff(2, team_id="T2", enterprise_user={"enterprise_id": "E1"})
    assert not await Slack(channel=shared, accounts=[STAFF, sister]).places(GRID).has_outsiders("C1")
    assert (
        await Slack(channel=shared | {"is_ext_shared": True}, accounts=[STAFF])
        .places(GRID)
        .has_outsiders("C1")
    )
    guest = staff(3, is_restricted=True)
    assert await Slack(channel=shared, accounts=[STAFF, guest]).places(GRID).has_outsiders("C1")


@pytest.mark.parametrize("method", ["conversations_info", "conversations_members", "users_info"])
async def test_whatever_slack_does_not_say_counts_as_heard_by_others_and_is_asked_again(method: str) -> None:
    slack = Slack(accounts=[STAFF, staff(2)], refused=method)
    found = slack.places()
    assert await found.has_outsiders("C1")
    slack.refused = ""
    assert not await found.has_outsiders("C1")


async def test_what_is_known_holds_for_a_minute_and_no_longer() -> None:
    clock = [100.0]
    slack = Slack(accounts=[STAFF, staff(2)])
    found = slack.places(clock=clock)
    assert not await found.has_outsiders("C1")
    asked = len(slack.asked)
    slack.accounts.append(staff(3, is_restricted=True))
    assert not await found.has_outsiders("C1")
    assert len(slack.asked) == asked
    clock[0] += places.REMEMBERED
    assert await found.has_outsiders("C1")


async def test_of_a_large_channel_the_accounts_are_listed_and_not_asked_for_one_by_one() -> None:
    slack = Slack(accounts=[staff(number) for number in range(500)])
    assert not await slack.places().has_outsiders("C1")
    assert slack.asked.count("users_list") == 1
    assert "users_info" not in slack.asked
    slack.unlisted = frozenset(f"U{number}" for number in range(ONE_BY_ONE + 1))
    assert await slack.places().has_outsiders("C1")
