"""What happens when a listener fails: whoever acted is told, and the log has it."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

import psycopg
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot import mishaps
from bot.blocks import help as words
from bot.listeners import private
from bot.wiring import Parts
from graphs import ids

logger = logging.getLogger(__name__)

OnError = Callable[..., Awaitable[BoltResponse | None]]


def telling(parts: Parts) -> OnError:
    """Make Bolt's handler of errors in listeners and before them."""

    async def failed(
        error: Exception, request: AsyncBoltRequest, response: BoltResponse | None
    ) -> BoltResponse | None:
        """Log the error, and tell whoever acted; in their window where they sent one.

        Nobody is told of an event: Slack sends it again if it was not stored, and it is given to its listener
        again if that did not take it. `response` is None where the payload has been acknowledged.
        """
        body = request.body
        reference = ids.fresh()[:8]
        logger.error("A listener failed (%s)", reference, exc_info=error)
        if body.get("type") == "event_callback":
            return None
        with suppress(psycopg.Error):  # it may be the database that failed: the person is told all the same
            await parts.outbox.alert(reference, words.said(mishaps.alert(reference)))
        said = mishaps.unfinished(reference)
        if body.get("type") == "view_submission" and response is not None:
            blocks = private.inputs(body)
            if blocks:
                answer = {"response_action": "errors", "errors": {blocks[0]: said}}
                return BoltResponse(status=200, body=answer)
        await private.tell(parts, body, words.said(said))
        return None

    return failed
