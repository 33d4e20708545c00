"""Around every listener of a click: one that cannot be acknowledged in time is let go, and explained."""

import asyncio
import logging
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.blocks import help as words
from bot.listeners import private
from bot.listeners.surfaces import Body, OnClick
from bot.render import ours
from bot.wiring import Parts

logger = logging.getLogger(__name__)

PATIENCE = 2.5  # seconds from a click to its acknowledgement. Slack: acknowledge within 3 s
TELLING = 15.0  # seconds that a person is tried to be told for

LET_GO = (
    "I could not take this in time, so I have let go of it. Please look whether it shows in a minute; "
    "if it does not, nothing was done, and you can try again."
)


class _Acknowledging:
    """Acknowledges once, and lets be waited for it."""

    def __init__(self, ack: AsyncAck) -> None:
        self._ack = ack
        self.done = asyncio.Event()

    async def __call__(self, *given: Any, **named: Any) -> Any:
        if self.done.is_set():
            return None
        self.done.set()
        return await self._ack(*given, **named)


def guarded(parts: Parts, handler: OnClick) -> OnClick:
    """Return the listener, let go where it has not acknowledged in time: what it was about to do is undone.

    Slack calls such a click failed, so it must not be applied later without a word. What the listener raises
    is raised.
    """

    async def listener(body: Body, ack: AsyncAck) -> None:
        acknowledge = _Acknowledging(ack)
        work = asyncio.ensure_future(handler(body, acknowledge))  # type: ignore[arg-type]  # as Bolt calls it
        waits = asyncio.ensure_future(acknowledge.done.wait())
        try:
            await asyncio.wait({work, waits}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waits.cancel()
        if work.done() or acknowledge.done.is_set():
            await work
            return
        work.cancel()  # its transaction is rolled back, however long that takes
        work.add_done_callback(_look_at)
        logger.error("A click was let go: it could not be taken in %s s", PATIENCE)
        await _say(parts, body, acknowledge)

    return listener


async def _say(parts: Parts, body: Body, acknowledge: _Acknowledging) -> None:
    """Say it beside a field of the window, or in private; and acknowledge, so that Slack adds no word."""
    fields = private.inputs(body) if body.get("type") == "view_submission" else []
    if fields:
        await acknowledge(response_action="errors", errors={fields[0]: LET_GO})
        return
    await acknowledge()
    async with asyncio.timeout(TELLING):
        await private.tell(parts, body, words.said(ours(LET_GO)))


def _look_at(work: "asyncio.Future[None]") -> None:
    """Take what became of work that was let go, so that nothing complains that nobody did."""
    if not work.cancelled() and work.exception() is not None:
        logger.warning("A click that was let go has failed: %s", work.exception())
