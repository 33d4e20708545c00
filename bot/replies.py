"""What somebody said to the bot, and what is done about it: the job behind mentions and direct messages."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot import sentences
from bot.answering import Answering, Reply
from bot.blocks import help as words
from bot.blocks.parts import Message
from bot.database import Pool
from bot.events import Events
from bot.identity import JOB, Identity, Refused, Unknown
from bot.outbox import Outbox
from bot.refusals import NETWORK
from bot.render import ours
from bot.router import Kind, Route, WorkflowHints, route
from connectors.directory import Person

logger = logging.getLogger(__name__)


class Starter(Protocol):
    """What of the runs is needed here."""

    async def start(
        self,
        *,
        workflow: str,
        values: Mapping[str, str],
        requester: Person,
        origin: Mapping[str, str],
        key: str,
    ) -> str:
        """Begin a run, or return the one of that key."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Saying:
    """One thing that somebody said to the bot."""

    event: str
    user: str
    channel: str
    text: str
    ts: str
    thread: str
    direct: bool

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "Saying | None":
        """Read a mention or a direct message; None where the event is neither, or nobody said it."""
        event = body.get("event")
        if not isinstance(event, Mapping) or event.get("bot_id") or event.get("subtype") not in _SAID:
            return None
        direct = event.get("type") == "message" and event.get("channel_type") == "im"
        if not direct and event.get("type") != "app_mention":
            return None
        user, channel, ts = event.get("user"), event.get("channel"), event.get("ts")
        if not (isinstance(user, str) and isinstance(channel, str) and isinstance(ts, str)):
            return None
        return cls(
            event=str(body["event_id"]),
            user=user,
            channel=channel,
            text=str(event.get("text") or ""),
            ts=ts,
            thread=str(event.get("thread_ts") or ts),
            direct=direct,
        )


_SAID = {None, "file_share", "thread_broadcast"}


class Replies:
    """Finds out who said something and what it was, and answers it once."""

    def __init__(
        self,
        *,
        pool: Pool,
        events: Events,
        identity: Identity,
        answering: Answering,
        runs: Starter,
        outbox: Outbox,
        slack: AsyncWebClient,
        workflows: Mapping[str, WorkflowHints],
    ) -> None:
        self._pool = pool
        self._events = events
        self._identity = identity
        self._answering = answering
        self._runs = runs
        self._outbox = outbox
        self._slack = slack
        self._workflows = workflows

    async def reply(self, event_id: str) -> None:
        """Answer the event, unless it has its answer."""
        body = await self._events.body(event_id)
        saying = None if body is None else Saying.read(body)
        if saying is None or await self._outbox.has_replied(event_id):
            return
        try:
            person = await self._identity.person(saying.user, within=JOB)
        except (Refused, Unknown) as error:
            said = words.said(ours(sentences.REFUSALS[error.key]))
            await self._say(saying, Reply(message=said, private=not saying.direct))
            return
        found = route(saying.text, workflows=self._workflows)
        reply = await self._act(saying, found, person)
        if reply is not None:
            await self._say(saying, reply)

    async def _act(self, saying: Saying, found: Route, person: Person) -> Reply | None:
        match found.kind:
            case Kind.REQUEST:
                await self._start(saying, found, person)
                return None  # the run speaks for itself
            case Kind.QUESTION:
                await self._look_busy(saying)
                return await self._answer(saying, found.text, person)
            case Kind.HAND_OVER:
                return _public(words.hand_over(await self._answering.whom(found.text)))
            case Kind.HELP:
                return _public(words.help_text())
            case Kind.SMALL_TALK:
                return _public(words.small_talk())

    async def _start(self, saying: Saying, found: Route, person: Person) -> None:
        assert found.workflow is not None  # a request names its workflow
        await self._runs.start(
            workflow=found.workflow,
            values=found.slots,
            requester=person,
            origin={"channel": saying.channel, "thread_ts": saying.thread, "user": saying.user},
            key=f"event:{saying.event}",
        )

    async def _answer(self, saying: Saying, question: str, person: Person) -> Reply:
        history = await self._history(saying)
        if saying.direct:
            return _public(await self._answering.privately(question, person, history, key=saying.event))
        return await self._answering.among_others(question, person, history, key=saying.event)

    async def _history(self, saying: Saying) -> list[str]:
        texts = await self._events.earlier(
            channel=saying.channel, thread=saying.thread, user=saying.user, before=saying.ts
        )
        return [route(text, workflows={}).text for text in texts]

    async def _say(self, saying: Saying, reply: Reply) -> None:
        async with self._pool.connection() as conn:
            await self._outbox.reply(
                conn,
                event=saying.event,
                channel=saying.channel,
                thread=None if reply.private and saying.thread == saying.ts else saying.thread,
                message=reply.message,
                to_user=saying.user if reply.private else None,
                for_user=saying.user,
            )

    async def _look_busy(self, saying: Saying) -> None:
        """Show that somebody is at work. It does no harm if it fails."""
        try:
            await self._slack.assistant_threads_setStatus(
                channel_id=saying.channel, thread_ts=saying.thread, status="is looking it up…"
            )
        except (SlackApiError, *NETWORK) as error:
            logger.debug("No status shown: %s", error)


def _public(message: Message) -> Reply:
    return Reply(message=message)
