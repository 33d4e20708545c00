"""Over HTTP, every request is signed by Slack, recent, and new to us. A socket has its own token."""

import re
from collections.abc import Awaitable, Callable

from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.signature import SignatureVerifier

from bot.database import Pool

_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}")


class Signatures(AsyncMiddleware):
    """Answers 401, without a trace, to whatever Slack did not sign within five minutes or sent before."""

    def __init__(self, secret: str, pool: Pool) -> None:
        """Take the app's signing secret; without one every request over HTTP is refused."""
        self._verifier = SignatureVerifier(secret) if secret.strip() else None
        self._pool = pool

    async def async_process(
        self,
        *,
        req: AsyncBoltRequest,
        resp: BoltResponse,
        next: Callable[[], Awaitable[BoltResponse]],  # noqa: A002  # Bolt's name for it
    ) -> BoltResponse:
        """Let a request through, or answer 401."""
        if req.mode == "socket_mode":
            return await next()
        timestamp = _header(req, "x-slack-request-timestamp")
        signature = _header(req, "x-slack-signature")
        if self._is_signed(req.raw_body, timestamp, signature) and await self._is_new(signature):
            return await next()
        return BoltResponse(status=401, body={"error": "invalid request"})

    def _is_signed(self, body: str, timestamp: str, signature: str) -> bool:
        if (
            self._verifier is None
            or not _TIMESTAMP.fullmatch(timestamp)
            or not _SIGNATURE.fullmatch(signature)
        ):
            return False
        return self._verifier.is_valid(body, timestamp, signature)

    async def _is_new(self, signature: str) -> bool:
        async with self._pool.connection() as conn:
            cursor = await conn.execute(
                "INSERT INTO signature (signature) VALUES (%s) ON CONFLICT DO NOTHING", (signature,)
            )
            return cursor.rowcount == 1


def _header(req: AsyncBoltRequest, name: str) -> str:
    values = req.headers.get(name) or [""]
    return values[0] if len(values) == 1 else ""
