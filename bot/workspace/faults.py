"""Faults that tests plan: the next calls of a method, or the next socket envelopes, go wrong."""

from dataclasses import dataclass
from typing import Any, Literal, cast

from bot.workspace.errors import Refused

FaultKind = Literal["ratelimited", "refused", "http_500", "drop", "drop_after", "duplicate", "delay"]
SOCKET = "socket"
RESPONSE_URL = "response_url"
CONNECTION = "connection"  # a socket that is about to be greeted; `error` is the reason of its end
_NUMBERS = {"times": 1, "retry_after": 1, "seconds": 0}
_KINDS = {
    SOCKET: frozenset({"drop", "drop_after", "duplicate", "delay"}),
    "web": frozenset({"ratelimited", "refused", "http_500", "drop", "drop_after", "delay"}),
}


@dataclass(kw_only=True)
class Fault:
    """`times` more calls of `target` go wrong; `*` is any Web API method. `error` is Slack's word for why."""

    target: str
    kind: FaultKind
    times: int = 1
    retry_after: int = 1
    seconds: float = 0.0
    error: str = ""


class Faults:
    """The planned faults, first in first out."""

    def __init__(self) -> None:
        self._planned: list[Fault] = []

    def plan(self, body: dict[str, Any]) -> Fault:
        """Add a fault as the control API describes it. Raises `invalid_arguments`."""
        target, kind = body.get("method"), body.get("kind")
        allowed = _KINDS["web" if target != SOCKET else SOCKET]
        if not isinstance(target, str) or not isinstance(kind, str) or kind not in allowed:
            raise Refused(
                "invalid_arguments", detail="a fault has a method (or socket) and a kind that fits it"
            )
        numbers = {name: body.get(name, default) for name, default in _NUMBERS.items()}
        if any(not isinstance(value, int | float) or value < 0 for value in numbers.values()):
            raise Refused("invalid_arguments", detail="times, retry_after and seconds are numbers")
        error = body.get("error", "")
        if not isinstance(error, str) or bool(error) != (kind == "refused"):
            raise Refused("invalid_arguments", detail="a refusal, and nothing else, has an error")
        fault = Fault(
            target=target,
            kind=cast(FaultKind, kind),
            times=int(numbers["times"]),
            retry_after=int(numbers["retry_after"]),
            seconds=float(numbers["seconds"]),
            error=error,
        )
        self._planned.append(fault)
        return fault

    def clear(self) -> None:
        """Forget what was planned."""
        self._planned.clear()

    def take(self, target: str) -> Fault | None:
        """Return the fault that meets this call, if any, and count it."""
        for fault in self._planned:
            if fault.target == target or (
                fault.target == "*" and target not in {SOCKET, RESPONSE_URL, CONNECTION}
            ):
                fault.times -= 1
                if fault.times <= 0:
                    self._planned.remove(fault)
                return fault
        return None
