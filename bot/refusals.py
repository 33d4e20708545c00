"""What Slack's refusals mean: their key, whether it may have happened all the same, when to come back."""

import aiohttp
from slack_sdk.errors import SlackApiError

NETWORK = (aiohttp.ClientError, TimeoutError, OSError)  # no answer came

_UNSURE = {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"}


def key(error: SlackApiError) -> str:
    """Return Slack's name for the error, or the HTTP status where the answer was none of Slack's."""
    data = getattr(error.response, "data", error.response)
    named = data.get("error") if isinstance(data, dict) else None
    return str(named) if named else f"HTTP {_status(error)}"


def detail(error: SlackApiError, name: str) -> str:
    """Return another field of the answer, or "?"."""
    data = getattr(error.response, "data", error.response)
    return str(data.get(name, "?")) if isinstance(data, dict) else "?"


def is_unsure(error: SlackApiError) -> bool:
    """Whether Slack may have done what it was asked, all the same."""
    named = key(error)
    return named in _UNSURE or (named.startswith("HTTP ") and not is_put_off(error))


def is_put_off(error: SlackApiError) -> bool:
    """Whether Slack only wants us to come back later."""
    return _status(error) == 429 or key(error) in {"ratelimited", "rate_limited"}


def come_back_in(error: SlackApiError) -> float:
    """Return the seconds that Slack wants us to wait."""
    headers = getattr(error.response, "headers", None) or {}
    named = next((str(value) for name, value in headers.items() if str(name).lower() == "retry-after"), "")
    return float(named) if named.isdecimal() else 5.0


def _status(error: SlackApiError) -> int:
    return int(getattr(error.response, "status_code", 0))
