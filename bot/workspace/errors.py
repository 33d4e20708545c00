"""The one way a request is refused: with Slack's own error code."""

from collections.abc import Sequence
from typing import Any


class Refused(Exception):
    """A call that Slack answers with `ok: false`. `error` is Slack's code, `extra` joins the answer."""

    def __init__(self, error: str, **extra: Any) -> None:
        super().__init__(error)
        self.error = error
        self.extra = extra

    def answer(self) -> dict[str, Any]:
        """Return the body that Slack sends."""
        return {"ok": False, "error": self.error, **self.extra}


def invalid(error: str, problems: Sequence[str]) -> Refused:
    """Return a refusal that lists `problems` in both places where Slack lists them."""
    messages = [f"[ERROR] {problem}" for problem in problems]
    return Refused(error, errors=list(problems), response_metadata={"messages": messages})
