"""The times and limits that Slack keeps, in one place, so that tests can shorten them."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """Durations in seconds. The defaults are Slack's."""

    acknowledge: float = 3.0
    trigger: float = 3.0
    response_url: float = 30 * 60
    response_url_uses: int = 5
    retries: tuple[float, ...] = (
        0.0,
        60.0,
        300.0,
    )  # an event comes again at once, after 1 and after 5 min
    connection: float = 18060.0  # a socket is refreshed after about five hours
    connection_warning: float = 10.0
    ticket: float = 30.0
    stream: float = 300.0  # a streamed message is closed about five minutes after it was started
    status: float = 120.0
    connections: int = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class PostLimit:
    """How many messages a channel takes: `burst` at once, then `per_second`."""

    burst: int = 60
    per_second: float = 1.0
