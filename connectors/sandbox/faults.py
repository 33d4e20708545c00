"""Faults that a test may arm in the sandbox directory: what real servers do on bad days."""

from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict

Kind = Literal[
    "delay_before",  # wait, then do it
    "delay_after",  # do it, wait, then answer
    "error_after",  # do it, answer 500
    "drop_before",  # close the connection, do nothing
    "drop_after",  # do it, close the connection without an answer
    "half_after",  # do it, close the connection in the middle of the answer
    "mistyped_after",  # do it, call the answer plain text
    "endless_after",  # do it, answer with many millions of bytes
    "cut",  # a search that announces its records and leaves the last one out
    "down",  # 503, do nothing
    "rate_limited",  # 429, do nothing
    "denied",  # 403, do nothing
    "unsupported",  # 501, do nothing
    "elsewhere",  # 307 to the address `to`, do nothing
    "garbage",  # 200 and a page of HTML
    "everybody",  # a search that ignores its filter
    "another",  # the record of another id
    "stale",  # the records as they were when the fault was armed
]
On = Literal["any", "search", "read", "write", "PATCH", "PUT"]


class Fault(BaseModel):
    """One bad day: which requests it hits, how often (0: until cleared), and its details in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    on: On = "any"
    resource: Literal["Users", "Groups"] | None = None
    times: int = 1
    seconds: float = 0.0
    dated: bool = False  # say until when to wait, and not for how long
    to: str = ""

    def hits(self, method: str, path: str) -> bool:
        """Whether a request to this path (`/Users`, `/Users/ID`) is one that the fault is meant for."""
        kind, _, resource_id = path.strip("/").partition("/")
        if self.resource is not None and kind != self.resource:
            return False
        if self.on in ("PATCH", "PUT"):
            return method == self.on
        if self.on == "write":
            return method != "GET"
        if self.on == "search":
            return method == "GET" and not resource_id
        if self.on == "read":
            return method == "GET" and bool(resource_id)
        return True


@dataclass(slots=True)
class Faults:
    """The faults that are armed, in the order in which they were."""

    _armed: list[list[Fault]] = field(default_factory=list)  # each with its repeats left

    def arm(self, fault: Fault) -> None:
        """Add a fault."""
        self._armed.append([fault] * (fault.times or 1))

    def clear(self) -> None:
        """Have good days again."""
        self._armed.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets, if any; used up once."""
        for repeats in self._armed:
            if repeats[0].hits(method, path):
                fault = repeats[0]
                if fault.times:
                    repeats.pop()
                    self._armed = [left for left in self._armed if left]
                return fault
        return None
