"""Ids and timestamps in Slack's forms."""

import secrets
from collections.abc import Callable


class Ids:
    """Makes ids. `token` returns `n` random bytes in hexadecimal."""

    def __init__(self, token: Callable[[int], str] = secrets.token_hex) -> None:
        self._token = token

    def named(self, prefix: str) -> str:
        """Return an id such as `V0A1B2C3D4`."""
        return f"{prefix}0{self._token(5).upper()}"

    def short(self) -> str:
        """Return what Slack gives a block or an action that came without an id."""
        return self._token(3)

    def secret(self) -> str:
        """Return something that nobody guesses."""
        return self._token(16)

    def uuid(self) -> str:
        """Return a random UUID, version 4."""
        value = self._token(16)
        variant = "89ab"[int(value[16], 16) & 3]
        return f"{value[:8]}-{value[8:12]}-4{value[13:16]}-{variant}{value[17:20]}-{value[20:]}"


def as_ts(micros: int) -> str:
    """Return microseconds since the epoch as Slack writes a moment: seconds with six decimals."""
    return f"{micros // 1_000_000}.{micros % 1_000_000:06d}"
