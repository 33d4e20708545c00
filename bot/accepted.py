"""Whether each secret that the configuration needs is there, and whether its system takes it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot import credentials
from bot.refusals import NETWORK, key
from bot.settings import Settings, SettingsError
from connectors.directory import open_directory
from connectors.errors import ConnectorError, Denied

State = Literal["accepted", "refused", "unreachable", "there", "missing", "not yet made"]

_WITHIN = 10  # seconds for one system to answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What was found of one secret. `there`: nothing asks for it without doing something.

    `not yet made`: the bot makes it at its first start.
    """

    name: str
    state: State
    detail: str = ""

    @property
    def is_well(self) -> bool:
        """Whether the bot can work with it."""
        return self.state in {"accepted", "there", "not yet made"}


async def look(settings: Settings, *, secrets_key: str | None = None) -> AsyncIterator[Finding]:
    """Yield a finding for each secret that the configuration needs. Nothing is changed anywhere."""
    for name in credentials.needed(settings):
        try:
            value = credentials.one(settings, name, key=secrets_key)
        except SettingsError as error:
            yield Finding(name=name, state="missing", detail=str(error))
            continue
        ask = _ASKS.get(name)
        yield Finding(name=name, state="there") if ask is None else await _asked(name, ask(settings, value))
    for name in credentials.OWN_KEYS:
        yield _own(settings, name, secrets_key)


def _own(settings: Settings, name: str, secrets_key: str | None) -> Finding:
    try:
        made = credentials.has_own(settings, name, key=secrets_key)
    except SettingsError as error:
        return Finding(name=name, state="missing", detail=str(error))
    return Finding(name=name, state="there" if made else "not yet made")


async def _asked(name: str, answer: Awaitable[object]) -> Finding:
    try:
        await answer
    except SlackApiError as error:
        return Finding(name=name, state="refused", detail=key(error))
    except Denied as error:
        return Finding(name=name, state="refused", detail=str(error))
    except NETWORK as error:
        return Finding(name=name, state="unreachable", detail=str(error))
    except ConnectorError as error:
        return Finding(name=name, state="unreachable", detail=str(error))
    return Finding(name=name, state="accepted")


async def _bot_token(settings: Settings, token: str) -> None:
    await AsyncWebClient(token=token, base_url=settings.slack_api_url, timeout=_WITHIN).auth_test()


async def _app_token(settings: Settings, token: str) -> None:
    slack = AsyncWebClient(base_url=settings.slack_api_url, timeout=_WITHIN)
    await slack.apps_connections_open(app_token=token)


async def _directory(settings: Settings, token: str) -> None:
    assert settings.directory is not None
    async with open_directory(settings.directory.url, token, within=_WITHIN) as directory:
        await directory.ping()


_ASKS: dict[str, Callable[[Settings, str], Awaitable[None]]] = {
    "slack_bot_token": _bot_token,
    "slack_app_token": _app_token,
    "directory_token": _directory,
    "directory_write_token": _directory,
}
