"""What happens to every payload before a listener sees it: is it for us, and has it come before?"""

import logging
from collections.abc import Awaitable, Callable

from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot import wellformed
from bot.events import Events
from bot.installation import Installation
from bot.listeners.surfaces import Surfaces

logger = logging.getLogger(__name__)


class Arrivals(AsyncMiddleware):
    """Refuses what is not for this installation, and stores each event once.

    Characters that no database can store are replaced before anybody sees them. It runs before Bolt
    acknowledges: when the event cannot be stored, Slack sends it again.
    """

    def __init__(self, installation: Installation, surfaces: Surfaces, events: Events) -> None:
        self._installation = installation
        self._surfaces = surfaces
        self._events = events

    async def async_process(
        self,
        *,
        req: AsyncBoltRequest,
        resp: BoltResponse,
        next: Callable[[], Awaitable[BoltResponse]],  # noqa: A002  # Bolt's name for it
    ) -> BoltResponse:
        """Let a payload through, or answer it with 200."""
        body = req.body = wellformed.value(req.body)
        is_event = body.get("type") == "event_callback"
        if not self._installation.covers(body):
            logger.log(
                logging.WARNING if is_event else logging.INFO,
                "Refused a payload (%s) for another app or workspace",
                body.get("type") or "command",
            )
            return _answered()
        if not self._surfaces.handles(body):
            return _answered()
        if is_event and not (isinstance(body.get("event_id"), str) and await self._events.store(body)):
            return _answered()
        return await next()


def _answered() -> BoltResponse:
    return BoltResponse(status=200, body="")
