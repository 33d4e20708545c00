"""What is needed of Slack: two tokens, the scopes of the manifest, a seat in each channel of the settings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot import faults, refusals
from bot.examinations.patient import Patient, fine, wrong
from bot.refusals import NETWORK, key
from bot.settings import SettingsError
from bot.workflows import named_channels
from connectors.base import Finding

WITHIN = 10  # seconds for one answer
MANIFEST = Path(__file__).resolve().parents[2] / "manifest.yml"


async def examine(patient: Patient) -> Sequence[Finding]:
    """Ask Slack with both tokens. What cannot be asked without the bot token is left out."""
    found = [await _app_token(patient)]
    try:
        token = patient.secret("slack_bot_token")
    except SettingsError as error:
        return [wrong("bot token", "there is none", str(error)), *found]
    slack = AsyncWebClient(
        token=token, base_url=patient.settings.slack_api_url, timeout=WITHIN, retry_handlers=[]
    )
    try:
        me = await slack.auth_test()
    except (SlackApiError, *NETWORK) as error:
        return [_failed("bot token", error, _NO_ENTRY), *found]
    data: Mapping[str, Any] = me.data if isinstance(me.data, dict) else {}
    found.insert(
        0, fine("bot token", f"accepted, in the workspace {data.get('team') or data.get('team_id')}")
    )
    found.append(_scopes(me.headers))
    for channel, what in named_channels(patient.settings).items():
        found.append(await _channel(slack, channel, what))
    return found


_NO_ENTRY = (
    "Set SLACK_BOT_TOKEN to the app's bot token (xoxb-…), from OAuth & Permissions in the app's settings."
)
_SOCKET = (
    "Set SLACK_APP_TOKEN to an app-level token (xapp-…) with the scope connections:write, and switch Socket "
    "Mode on in the app's settings."
)


async def _app_token(patient: Patient) -> Finding:
    try:
        token = patient.secret("slack_app_token")
    except SettingsError as error:
        return wrong("app-level token", "there is none", str(error))
    slack = AsyncWebClient(base_url=patient.settings.slack_api_url, timeout=WITHIN, retry_handlers=[])
    try:
        await slack.apps_connections_open(app_token=token)
    except (SlackApiError, *NETWORK) as error:
        return _failed("app-level token", error, _SOCKET)
    return fine("app-level token", "accepted: Socket Mode opens")


def _scopes(headers: Mapping[str, Any]) -> Finding:
    if not MANIFEST.exists():
        return fine("scopes", "manifest.yml is not here, so there is nothing to compare them with")
    manifest = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    needed = set(manifest["oauth_config"]["scopes"]["bot"])
    said = next((str(value) for name, value in headers.items() if name.lower() == "x-oauth-scopes"), None)
    if said is None:
        return fine(
            "scopes", "Slack does not say which the token has; what is missing is named when it is used"
        )
    missing = sorted(needed - {one.strip() for one in said.split(",")})
    if missing:
        mend = "Add them to the app (manifest.yml has them all), and install it again."
        return wrong("scopes", f"missing: {', '.join(missing)}", mend)
    return fine("scopes", f"all {len(needed)} of manifest.yml")


async def _channel(slack: AsyncWebClient, channel: str, what: str) -> Finding:
    """Look into a channel as the outbox does before it posts there again; only a member can."""
    name = f"channel {channel} ({what})"
    try:
        await slack.conversations_history(channel=channel, limit=1)
    except (SlackApiError, *NETWORK) as error:
        return _failed(name, error)
    return fine(name, "the bot is a member")


def _failed(name: str, error: BaseException, mend: str | None = None) -> Finding:
    """Say what went wrong, and what to change: `mend`, else what the outbox says of such an error."""
    fault = faults.of_slack(error)
    if fault.key == "slack.unavailable":
        return wrong(name, f"{fault.said()}: {error!r}", "Check the network, the proxy and SLACK_API_URL.")
    if isinstance(error, SlackApiError) and fault.mends != "time":
        return wrong(name, f"Slack answers {key(error)}", mend or refusals.mend(key(error)))
    return wrong(name, str(fault.said()), "Ask again in a minute.")
