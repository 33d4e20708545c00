"""The composition root: settings to parts, wired once, and the process that runs them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot import lexicon, mishaps, model, policies, systems, workflows
from bot.accounts import Ours
from bot.answering import Answering
from bot.audit.keys import unlock
from bot.audit.rounds import Rounds as RecordRounds
from bot.blocks import help as words
from bot.bots import Bots
from bot.clock import DatabaseClock
from bot.connection import Connection
from bot.credentials import Credentials
from bot.database import Database, open_database
from bot.drawing import RecordDrawing
from bot.events import Events
from bot.evidence import ShelfEvidence
from bot.gaps.questions import Questions
from bot.gaps.review import Reviews
from bot.identity import Identity
from bot.installation import Installation, discover
from bot.jobs import Jobs, Round
from bot.keys import open_seal
from bot.listeners import (
    approvals,
    ask,
    conversation,
    delegation,
    doubts,
    edits,
    failures,
    feedback,
    home,
    requests,
    reviews,
    sections,
)
from bot.listeners.arrivals import Arrivals
from bot.listeners.guarded import guarded
from bot.listeners.signatures import Signatures
from bot.listeners.surfaces import Surfaces
from bot.messages import Messages
from bot.outbox import Outbox
from bot.places import Places
from bot.replies import Replies
from bot.settings import Settings, SettingsError
from bot.shelf import open_shelf
from bot.signals import until_signalled
from bot.sync import Sync, ingesting
from bot.understanding import open_understanding
from bot.wiring import Parts
from connectors.registry import DirectorySettings, connect
from graphs.records import Notice
from graphs.runs import Runs
from knowledge.errors import KnowledgeError

logger = logging.getLogger(__name__)

TIMEOUT = 10  # seconds for one call to Slack
SURFACES = (
    conversation,
    home,
    ask,
    requests,
    approvals,
    edits,
    doubts,
    reviews,
    delegation,
    sections,
    feedback,
)


@asynccontextmanager
async def build(
    settings: Settings, credentials: Credentials, database: Database, *, config: Path | None = None
) -> AsyncIterator[Parts]:
    """Wire everything once. `config` is the settings' file, where it is not the home's.

    Raises SettingsError and SlackRefused with what to change.
    """
    slack = _slack(settings, credentials.bot_token)
    installation = await discover(slack)
    reword = await model.rewording(settings.model, credentials.model_key) or model.as_quoted
    clock = DatabaseClock()
    messages = Messages(database.pool)
    seal = await open_seal(database, credentials.store)
    await unlock(database, credentials.store)
    hints = workflows.hints(settings)
    lexicon.learn(
        systems=systems.titles(settings),
        operations={one.name: one.title for one in systems.operations(settings) if one.title},
        sentences=workflows.sentences(settings),
    )
    async with (
        open_understanding(hints) as understanding,
        open_shelf(settings.home, database) as shelf,
        Jobs.open(database) as jobs,
        connect(
            directory=_directory(settings, credentials),
            more=systems.connectors(settings, credentials.connectors),
        ) as (connectors, mint),
    ):
        operator = None if settings.operator is None else settings.operator.channel
        outbox = Outbox(messages, slack, jobs.deliver, operator=operator)
        reading = _slack(settings, credentials.bot_token, patient=True)
        ours = Ours(team=installation.team, enterprise=installation.enterprise)
        identity = Identity(
            database.pool, reading, connectors.directory, ours.team, enterprise=ours.enterprise
        )
        questions = Questions(database.pool, keep_days=settings.gaps.keep_days)
        async with Runs.open(
            pool=database.pool,
            saver_pool=database.saver_pool,
            workflows=workflows.workflows(settings),
            clock=clock,
            queue=jobs,
            notifier=outbox,
            evidence=ShelfEvidence(shelf, database.pool, clock),
            directory=connectors.directory,
            registry=connectors.registry,
            mint=mint,
            policy=policies.of(settings),
            seal=seal,
            most_open=settings.requests.most_open,
            queued=jobs.waits,
        ) as runs:
            answering = Answering(shelf, database.pool, clock, questions, runs.groups, reword=reword)
            events = Events(database.pool)
            yield Parts(
                pool=database.pool,
                slack=slack,
                installation=installation,
                events=events,
                identity=identity,
                answering=answering,
                questions=questions,
                reviews=Reviews(database.pool, shelf),
                runs=runs,
                outbox=outbox,
                drawing=RecordDrawing(runs, identity, messages, workflows.channels(settings)),
                jobs=jobs,
                replies=Replies(
                    pool=database.pool,
                    events=events,
                    identity=identity,
                    answering=answering,
                    runs=runs,
                    outbox=outbox,
                    slack=slack,
                    workflows=hints,
                    understanding=understanding,
                    places=Places(reading, ours),
                ),
                sync=Sync(database.pool, _schedules(settings), ingesting(settings.home, config)),
                record=RecordRounds(
                    database.pool,
                    settings.audit_copies,
                    timedelta(days=settings.audit.keep_days),
                    outbox.alert,
                ),
                workflows=hints,
                understanding=understanding,
                groups=frozenset(workflows.named_groups(settings)),
                time_zone=settings.time_zone,
            )


def make_app(parts: Parts, *, signing_secret: str = "") -> tuple[AsyncApp, Surfaces]:
    """Make the Bolt app over these parts, with every listener and what comes before them."""
    quiet = logging.getLogger("bot.bolt")
    quiet.setLevel(logging.ERROR)  # Bolt's warnings advise whoever writes an app how to write it
    app = AsyncApp(
        name="countersign",
        logger=quiet,
        client=parts.slack,
        signing_secret=signing_secret,
        authorize=_authorization(parts.installation, parts.slack.token or ""),
        before_authorize=Signatures(signing_secret, parts.pool),
        request_verification_enabled=False,  # `Signatures` does, and keeps what it has seen
        ssl_check_enabled=False,
    )
    app.error(failures.telling(parts))
    surfaces = Surfaces(app, partial(guarded, parts))
    app.use(Arrivals(parts.installation, surfaces, parts.events))
    for surface in SURFACES:
        surface.register(surfaces, parts)
    return app, surfaces


@dataclass(frozen=True, kw_only=True, slots=True)
class Rounds:
    """What the jobs do, with the parts."""

    parts: Parts
    surfaces: Surfaces

    async def advance(self, run: str) -> None:
        """Work on a run until it pauses or ends."""
        await self.parts.runs.advance(run)

    async def deliver(self, message: str) -> None:
        """Post or update one message."""
        await self.parts.outbox.deliver(message, self.parts.drawing)

    async def reply(self, event: str) -> None:
        """Answer what somebody said."""
        await self.parts.replies.reply(event)

    async def sync(self) -> None:
        """Fetch the sources that are due, and read them."""
        await self.parts.sync.run()

    def rounds(self) -> tuple[Round, ...]:
        """Turn what has become due into jobs, give untaken events again, and forget what is old."""
        parts = self.parts
        return (
            parts.runs.sweep,
            self._deliver_late,
            self._sync_due,
            self._give_untaken,
            self._tell_given_up,
            self._resolve_groups,
            parts.events.forget,
            parts.questions.forget,
            parts.reviews.go_on,
            parts.record.sweep,
        )

    async def _resolve_groups(self) -> None:
        """Resolve what settings and documents call groups, before anybody makes another one of that name."""
        names = set(self.parts.groups)
        with suppress(KnowledgeError):  # whoever asks is told
            names |= await self.parts.answering.audiences()
        await self.parts.runs.groups.clear(sorted(names))

    async def _deliver_late(self) -> None:
        async with self.parts.pool.connection() as conn:
            await self.parts.outbox.sweep(conn)

    async def _sync_due(self) -> None:
        async with self.parts.pool.connection() as conn:
            await self.parts.sync.sweep(conn, self.parts.jobs.sync)

    async def _tell_given_up(self) -> None:
        """Tell whoever waits for a job that was tried too often."""
        for job in await self.parts.jobs.given_up():
            logger.error("The job %s was tried too often", job.name)
            if job.task == "reply":
                await self.parts.replies.give_up(job.of)
            elif job.task == "advance":
                async with self.parts.pool.connection() as conn:
                    await self.parts.outbox.tell(conn, job.of, Notice(key="stuck"))
                await self.parts.outbox.alert(job.of, words.said(mishaps.alert(job.name)))
            await self.parts.jobs.forget(job)

    async def _give_untaken(self) -> None:
        await self.parts.events.store_held()
        for body in await self.parts.events.untaken():
            try:
                await self.surfaces.give(body)
            except Exception:  # one event that cannot be taken keeps no other from its listener
                logger.exception("The event %s is not taken yet", body.get("event_id"))


async def serve(
    settings: Settings,
    credentials: Credentials,
    *,
    ready: Callable[[], None] = lambda: None,
    config: Path | None = None,
) -> None:
    """Run the bot, socket and worker in one event loop, until SIGTERM or SIGINT.

    `ready` is called once it is connected. Raises SettingsError, SlackRefused and DatabaseUnavailable with
    what to change.
    """
    await until_signalled(
        _opened(settings, credentials, partial(listen, credentials=credentials, ready=ready), config)
    )


async def work(settings: Settings, credentials: Credentials, *, config: Path | None = None) -> None:
    """Run a worker without a socket, until SIGTERM or SIGINT. Raises as `serve` does."""
    await until_signalled(_opened(settings, credentials, _work, config))


async def listen(parts: Parts, *, credentials: Credentials, ready: Callable[[], None]) -> None:
    """Listen and work, until cancelled."""
    app, surfaces = make_app(parts, signing_secret=credentials.signing_secret)
    connection = Connection(app, credentials.app_token, Bots(parts.pool, parts.installation.app))
    await connection.check()

    async def announce() -> None:
        await connection.connected.wait()
        logger.info("Connected to Slack as app %s", parts.installation.app)
        ready()

    async def work() -> None:
        await connection.attempted.wait()  # what is there to do is done also while Slack opens no socket
        await parts.jobs.work(Rounds(parts=parts, surfaces=surfaces))

    await _until_one_fails(connection.keep(), announce(), work())


async def _until_one_fails(*acts: Coroutine[Any, Any, None]) -> None:
    """Act side by side until something goes wrong, which is raised, or until cancelled."""
    tasks = [asyncio.ensure_future(act) for act in acts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        await task


async def _work(parts: Parts) -> None:
    _, surfaces = make_app(parts)
    await parts.jobs.work(Rounds(parts=parts, surfaces=surfaces))


async def _opened(
    settings: Settings,
    credentials: Credentials,
    act: Callable[[Parts], Awaitable[None]],
    config: Path | None,
) -> None:
    async with (
        open_database(
            settings.home, settings.database_url, owner_url=settings.database_owner_url
        ) as database,
        build(settings, credentials, database, config=config) as parts,
    ):
        await act(parts)


def _slack(settings: Settings, token: str, *, patient: bool = False) -> AsyncWebClient:
    """Make a client that repeats nothing by itself, or only what Slack put off."""
    handlers: list[Any] = [AsyncRateLimitErrorRetryHandler(max_retry_count=2)] if patient else []
    return AsyncWebClient(
        token=token,
        base_url=settings.slack_api_url,
        timeout=TIMEOUT,
        retry_handlers=handlers,
        logger=logging.getLogger("bot.slack"),
    )


def _authorization(installation: Installation, token: str) -> Any:
    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=installation.enterprise,
            team_id=installation.team,
            bot_id=installation.bot,
            bot_user_id=installation.bot_user,
            bot_token=token,
        )

    return authorize


def _directory(settings: Settings, credentials: Credentials) -> DirectorySettings:
    if settings.directory is None:
        raise SettingsError("The section [directory] with url and issuer is missing from countersign.toml.")
    return DirectorySettings(
        url=settings.directory.url,
        issuer=settings.directory.issuer,
        token=credentials.directory_token,
        write_token=credentials.directory_write_token,
    )


def _schedules(settings: Settings) -> Mapping[str, str]:
    return {source.name: source.schedule for source in settings.sources if source.schedule}
