"""Slack before an arena: a workspace on this machine, the bot's listeners, and requests that are signed."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.web.async_client import AsyncWebClient

from bot import model
from bot.answering import Answering
from bot.app import make_app
from bot.audit.rounds import Rounds
from bot.blocks import approval as blocks
from bot.clock import DatabaseClock
from bot.database import Database, open_database
from bot.demo.world import APP, APPROVALS, TEAM, world
from bot.drawing import Channels, RecordDrawing
from bot.events import Events
from bot.gaps.questions import Questions
from bot.gaps.review import Reviews
from bot.identity import Identity
from bot.installation import discover
from bot.jobs import Jobs
from bot.messages import Messages
from bot.outbox import Outbox
from bot.replies import Replies
from bot.shelf import Shelf, open_shelf
from bot.sync import Sync
from bot.wiring import Parts
from bot.workspace.server import running
from connectors.directory import Directory
from graphs.runs import Runs
from tests.abuse.payloads import Payload
from tests.abuse.scenes import workflows
from tests.scenario.slack_office import APP_TOKEN, BOT_TOKEN, MANIFEST, SIGNING_SECRET
from tests.scenario.test_slack_payloads import body_of, request, signed


@dataclass(frozen=True, kw_only=True)
class Front:
    """The bot's face for the runs of an arena; what it keeps of Slack is under a tenant of its own."""

    app: AsyncApp
    parts: Parts

    async def post(self, card: str) -> tuple[str, str]:
        """Have the outbox post a card; return its channel and its timestamp."""
        async with self.parts.pool.connection() as conn:
            await conn.execute(
                "UPDATE channel_pace SET free_at = clock_timestamp()"
            )  # nobody waits for the channel's turn here
            await self.parts.outbox.card(conn, card)
        await self.parts.outbox.deliver(f"card:{card}", self.parts.drawing)
        place = await Messages(self.parts.pool).place(f"card:{card}")
        assert place is not None
        return place.channel, place.ts

    async def card(self, card: str, user: str) -> Payload:
        """Post a card, and return what Slack sends when this user approves on it."""
        channel, ts = await self.post(card)
        return {
            "type": "block_actions",
            "user": {"id": user, "username": user.lower(), "team_id": TEAM},
            "api_app_id": APP,
            "team": {"id": TEAM, "domain": "larkfield"},
            "enterprise": None,
            "is_enterprise_install": False,
            "container": {
                "type": "message",
                "message_ts": ts,
                "channel_id": channel,
                "is_ephemeral": False,
            },
            "channel": {"id": channel, "name": "privategroup"},
            "message": {"type": "message", "ts": ts, "bot_id": self.parts.installation.bot, "blocks": []},
            "trigger_id": "1.1.1",
            "actions": [{"type": "button", "action_id": blocks.APPROVE, "block_id": "b", "value": card}],
        }

    def signed(self, payload: Payload, **how: Any) -> AsyncBoltRequest:
        """Sign a payload: `at` another time, or with another `secret`."""
        return signed(payload, **how)

    def headed(self, payload: Payload, signature: str) -> AsyncBoltRequest:
        """Make a request of now with that signature."""
        return request(*body_of(payload), str(int(time.time())), signature)

    def bare(self, payload: Payload) -> AsyncBoltRequest:
        """Make a request without Slack's headers."""
        return AsyncBoltRequest(body=body_of(payload)[0])

    async def send(self, sent: AsyncBoltRequest | Payload) -> int:
        """Let the request, or the payload as Slack signs it, arrive; return the status of the answer."""
        arriving = signed(sent) if isinstance(sent, dict) else sent
        answer = await self.app.async_dispatch(arriving)
        return int(answer.status)


@asynccontextmanager
async def opened(home: Path, directory: Directory, runs: Runs, *, tenant: str) -> AsyncIterator[Front]:
    """Open a workspace, and the bot's listeners over these runs."""
    manifest = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    async with (
        running(world(manifest, bot_token=BOT_TOKEN, app_token=APP_TOKEN)) as server,
        open_database(home, None, tenant=f"{tenant}-slack") as database,
        open_shelf(home, database) as shelf,
        Jobs.open(database) as jobs,
    ):
        slack = AsyncWebClient(token=BOT_TOKEN, base_url=server.api_url, retry_handlers=[])
        parts = await _wired(database, slack, directory, runs, shelf=shelf, jobs=jobs)
        yield Front(app=make_app(parts, signing_secret=SIGNING_SECRET)[0], parts=parts)


async def _wired(
    database: Database, slack: AsyncWebClient, directory: Directory, runs: Runs, *, shelf: Shelf, jobs: Jobs
) -> Parts:
    """Wire what `bot.app` wires, but over runs that are there: a process has one mint of permits."""
    pool, installation, messages = database.pool, await discover(slack), Messages(database.pool)
    identity = Identity(pool, slack, directory, installation.team)
    outbox, events, questions = (
        Outbox(messages, slack, jobs.deliver),
        Events(pool),
        Questions(pool, keep_days=1),
    )
    answering = Answering(shelf, pool, DatabaseClock(), questions, runs.groups, reword=model.as_quoted)
    channels = Channels(cards={known.name: APPROVALS for known in workflows()}, reviews={}, alarms={})
    return Parts(
        pool=pool,
        slack=slack,
        installation=installation,
        events=events,
        identity=identity,
        answering=answering,
        questions=questions,
        reviews=Reviews(pool, shelf),
        runs=runs,
        outbox=outbox,
        drawing=RecordDrawing(runs, identity, messages, channels),
        jobs=jobs,
        replies=Replies(
            pool=pool,
            events=events,
            identity=identity,
            answering=answering,
            runs=runs,
            outbox=outbox,
            slack=slack,
            workflows={},
        ),
        sync=Sync(pool, {}, _never),
        record=Rounds(pool, MANIFEST.parent, timedelta(days=1)),
        workflows={},
        groups=frozenset(),
    )


async def _never(names: object) -> None:
    raise AssertionError("nothing is fetched here")
