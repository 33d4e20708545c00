"""What can go wrong with an outside system, in our own words.

No class of a vendor's library leaves `connectors`; whoever calls a connector handles these and no others.
Each class has a `key`; the sentence that a person reads is made from it in `bot`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal


class ConnectorError(Exception):
    """Something that a connector asked for did not happen as asked.

    `system` names the outside system that it was asked of, once the connector has said so.
    """

    key: str = "connector.failed"
    system: str = ""


Why = Literal["silent", "failing", "busy"]


class Denied(ConnectorError):
    """The outside system refused our credential, or what it may do."""

    key = "connector.denied"


class Unavailable(ConnectorError):
    """The outside system did not do it, and nothing was written: trying again is safe.

    `why` and the key say whether it did not answer at all (`connector.unavailable`), answered that it fails
    (`connector.failing`), or asked us to wait (`connector.busy`); `retry_after` is for how many seconds,
    where it said so.
    """

    key = "connector.unavailable"

    def __init__(self, message: str, *, retry_after: float | None = None, why: Why = "silent") -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.why = why
        if why != "silent":
            self.key = f"connector.{why}"


class Resting(Unavailable):
    """The outside system has failed too often and is left alone for a while. Nothing was sent."""

    key = "connector.resting"

    def __init__(self, system: str, seconds: float) -> None:
        super().__init__(f"{system} is left alone for {seconds:.0f} s", retry_after=seconds)
        self.system = system


class NotFound(ConnectorError):
    """The outside system knows nothing by that name or id."""

    key = "connector.not_found"


class Conflict(ConnectorError):
    """The outside system holds something that contradicts the request, or changed under our hands."""

    key = "connector.conflict"


class Ambiguous(ConnectorError):
    """A write was sent and its answer did not arrive: it may have happened. Look before writing again."""

    key = "connector.ambiguous"


class Invalid(ConnectorError):
    """The request makes no sense to us or to the outside system; trying again will not help."""

    key = "connector.invalid"


class Mismatch(ConnectorError):
    """What came back is not what was asked for: a filter that was ignored, another person, old data."""

    key = "connector.mismatch"


class TooLarge(Mismatch):
    """The answer is larger than we read, so it was not read to its end."""


class Unreadable(Mismatch):
    """The answer is no document of the kind that was expected. What it holds is not repeated."""


class Incomplete(Mismatch):
    """A list may go on beyond what was read of it: what is not in it may be there all the same."""


class Unsupported(Mismatch):
    """The outside system answers, and lacks something that is needed; the message names it.

    Trying again does not help. Somebody has to change the system or how it is connected: `examine` says how.
    """

    key = "connector.unsupported"


class NotPermitted(ConnectorError):
    """A write was attempted without a permit that names it. Only the gate holds permits."""

    key = "connector.not_permitted"


@contextmanager
def naming(system: str) -> Iterator[None]:
    """Note on every error that leaves the block which system it came from, where that is not noted yet."""
    try:
        yield
    except ConnectorError as error:
        error.system = error.system or system
        raise
