"""Who hears what is said in a channel: only people of ours, or others as well."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.accounts import Ours
from bot.refusals import NETWORK

logger = logging.getLogger(__name__)

REMEMBERED = 60.0  # seconds for which it holds who hears a channel, and whether somebody is one of ours
PATIENCE = 10.0  # seconds to find that out
ONE_BY_ONE = 20  # accounts that are asked for each by itself; above that Slack is asked for all there are


class Places:
    """Looks up who hears a channel. Whatever cannot be found out counts as heard by others."""

    def __init__(
        self, slack: AsyncWebClient, ours: Ours, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._slack = slack
        self._ours = ours
        self._clock = clock
        self._channels: dict[str, tuple[float, bool]] = {}
        self._outside: dict[str, tuple[float, bool]] = {}

    async def has_outsiders(self, channel: str) -> bool:
        """Whether somebody who is none of us may read the channel: a guest, or whom it is shared with."""
        known = self._recent(self._channels, channel)
        if known is not None:
            return known
        try:
            async with asyncio.timeout(PATIENCE):
                found = await self._look(channel)
        except (SlackApiError, *NETWORK) as error:
            logger.warning("Nobody knows who reads %s, so it hears what is public: %s", channel, error)
            return True
        self._channels[channel] = (self._clock(), found)
        return found

    async def _look(self, channel: str) -> bool:
        about: Mapping[str, Any] = (await self._slack.conversations_info(channel=channel))["channel"]
        if about.get("is_ext_shared") or about.get("is_pending_ext_shared") or about.get("pending_shared"):
            return True
        if about.get("is_org_shared"):
            if self._ours.enterprise is None:  # no organisation of ours
                return True
        elif about.get("is_shared"):
            return True
        return await self._has_strangers(await self._members(channel))

    async def _members(self, channel: str) -> list[str]:
        found: list[str] = []
        cursor: str | None = None
        while True:
            page = await self._slack.conversations_members(channel=channel, limit=1000, cursor=cursor)
            found += [str(member) for member in page["members"]]
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return found

    async def _has_strangers(self, members: Iterable[str]) -> bool:
        unknown = [member for member in members if self._recent(self._outside, member) is None]
        if len(unknown) > ONE_BY_ONE:
            await self._ask_for_all()
            unknown = [member for member in unknown if self._recent(self._outside, member) is None]
        if len(unknown) > ONE_BY_ONE:
            return True
        for member in unknown:
            self._remember((await self._slack.users_info(user=member))["user"])
        return any(self._recent(self._outside, member) is not False for member in members)

    async def _ask_for_all(self) -> None:
        cursor: str | None = None
        while True:
            page = await self._slack.users_list(limit=1000, cursor=cursor)
            for account in page["members"]:
                self._remember(account)
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return

    def _remember(self, account: Mapping[str, Any]) -> None:
        self._outside[str(account["id"])] = (self._clock(), self._ours.is_outsider(account))

    def _recent(self, known: Mapping[str, tuple[float, bool]], name: str) -> bool | None:
        at, found = known.get(name, (0.0, False))
        return found if name in known and self._clock() - at < REMEMBERED else None
