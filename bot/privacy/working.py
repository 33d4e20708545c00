"""Who carries out what an erasure ends: a worker of this command, and any bot that runs beside it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from slack_sdk.web.async_client import AsyncWebClient

from bot.database import Database
from bot.jobs import Jobs, Round, Work
from bot.messages import Messages
from bot.outbox import Outbox
from bot.settings import Settings, SettingsError
from connectors.errors import ConnectorError
from graphs.ports import Notifier, Queue

ALONE = 5.0  # seconds that a bot which runs elsewhere has, where this command cannot work itself
WORKING = 45.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Hands:
    """What puts work into the queue. `why` is empty where this command works too; else why it cannot."""

    queue: Queue
    notifier: Notifier
    why: str = ""

    async def until(self, done: Callable[[], Awaitable[bool]]) -> bool:
        """Wait until it is done; say whether it is."""
        patience = time.monotonic() + (ALONE if self.why else WORKING)
        while not await done():
            if time.monotonic() > patience:
                return False
            await asyncio.sleep(0.2)
        return True


@asynccontextmanager
async def at_work(settings: Settings, database: Database, *, key: str | None) -> AsyncIterator[Hands]:
    """Work on the queue for as long as the block lasts, if what a bot needs is configured and answers."""
    async with AsyncExitStack() as stack:
        why = ""
        try:
            hands = await _worker(stack, settings, database, key)
        except _problems() as error:
            why = str(error)
            jobs = await stack.enter_async_context(Jobs.open(database))
            outbox = Outbox(Messages(database.pool), AsyncWebClient(), jobs.deliver)
            hands = Hands(queue=jobs, notifier=outbox, why=why)
        yield hands


def _problems() -> tuple[type[Exception], ...]:
    from bot.installation import SlackRefused  # noqa: PLC0415  # takes seconds to import
    from graphs.runs import VersionMissing  # noqa: PLC0415  # likewise
    from knowledge.errors import KnowledgeError  # noqa: PLC0415  # likewise

    return SettingsError, ConnectorError, SlackRefused, VersionMissing, KnowledgeError


async def _worker(stack: AsyncExitStack, settings: Settings, database: Database, key: str | None) -> Hands:
    from bot import app, credentials  # noqa: PLC0415  # takes seconds to import

    known = credentials.read(settings, key=key)
    parts = await stack.enter_async_context(app.build(settings, known, database))
    _, surfaces = app.make_app(parts)
    work = _Few(app.Rounds(parts=parts, surfaces=surfaces), (parts.runs.sweep, _late(parts.outbox, database)))
    working = asyncio.create_task(parts.jobs.work(work))

    async def end() -> None:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    stack.push_async_callback(end)
    return Hands(queue=parts.jobs, notifier=parts.outbox)


def _late(outbox: Outbox, database: Database) -> Round:
    async def deliver_late() -> None:
        async with database.pool.connection() as conn:
            await outbox.sweep(conn)

    return deliver_late


class _Few:
    """What a worker does, with fewer rounds beside its jobs: nothing is fetched, forgotten or asked again."""

    def __init__(self, work: Work, rounds: Sequence[Round]) -> None:
        self.advance = work.advance
        self.deliver = work.deliver
        self.reply = work.reply
        self.sync = work.sync
        self._rounds = rounds

    def rounds(self) -> Sequence[Round]:
        return self._rounds
